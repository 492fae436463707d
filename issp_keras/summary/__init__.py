"""A table of how sparse a model is, layer by layer."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from issp_keras.summary.rows import kernel_rows
from issp_keras.summary.text import table


def summary(
    model: keras.Model,
    input_shape: Sequence[int | None] | None = None,
    print_fn: Callable[[str], Any] = print,
) -> list[dict[str, Any]]:
    """Prints a table of a model's kernels: weights, zeros, multiply-adds.

    The multiply-adds are those of the kernels, dense and without those of
    the zeros; products of attention are in neither. The pattern is what the
    zeros have: `9:10` where every 10 weights along the input channels hold 9
    zeros, `block 1x4` where zeros fill aligned blocks of 1 input by 4 output
    channels, else `unstructured`.

    Example:

    >>> issp_keras.summary(model, input_shape=(1, 320, 180, 3))

    Args:
        model: A built `keras.Model`.
        input_shape: Tuple of integers, the batch among them, for which to
            count multiply-adds. Defaults to the model's own, with 1 for an
            unknown batch; a model that takes any size needs it.
        print_fn: Callable that takes the table, a string. Defaults to
            `print`.

    Returns:
        List of dicts, one a kernel and the totals last, with the keys `name`,
        `shape`, `weights`, `zeros`, `pattern`, `dense_macs` and
        `sparse_macs`; the last two None where the size is not known.

    Raises:
        ValueError: If the model is not built, has no prunable kernel, or
            cannot take `input_shape`.
    """
    rows = kernel_rows(model, input_shape)
    print_fn(table(rows))
    return rows


__all__ = ["summary"]
