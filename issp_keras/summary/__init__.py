"""A table of the sparsity of a model, layer by layer."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from issp_keras.errors import ArgumentError
from issp_keras.summary.rows import kernel_rows
from issp_keras.summary.text import COLUMNS
from issp_keras.tables import Table


def summary(
    model: keras.Model,
    input_shape: Sequence[int | None] | None = None,
    print_fn: Callable[[str], Any] | None = None,
) -> Table:
    """Returns a table of a model's kernels: weights, zeros, multiply-adds.

    The table counts the multiply-adds of the kernels twice: all of them, and
    only those of the non-zero weights. It does not count the matrix products
    of attention. The pattern describes the zeros: `9:10` if every 10 weights
    along the input channels hold 9 zeros, `block 1x4` if zeros fill aligned
    blocks of 1 input by 4 output channels, `dense` if there are none,
    otherwise `unstructured`.

    Example:

    >>> print(issp_keras.summary(model, input_shape=(1, 320, 180, 3)))

    Args:
        model: A built `keras.Model`.
        input_shape: Tuple of integers, including the batch. Multiply-adds are
            counted for this shape. Defaults to the model's input shape, with
            1 for an unknown batch. Pass it for a model that takes any size.
        print_fn: Callable that receives the table as a string, such as
            `print`. Defaults to none.

    Returns:
        `Table`. It prints as a table, and notebooks show it as HTML. It is a
        sequence of dicts: one for each kernel, then the totals. The keys are
        `name`, `shape`, `weights`, `zeros`, `pattern`, `dense_macs` and
        `sparse_macs`. The last two are None if the size is unknown.

    Raises:
        ArgumentError: If `model` is not a Keras model.
        ValueError: If the model is not built, has no prunable kernel, or
            cannot take `input_shape`.
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError(
            "model", f"is {model!r}, expected a built keras.Model."
        )
    found = Table(kernel_rows(model, input_shape), COLUMNS)
    if print_fn is not None:
        print_fn(str(found))
    return found


__all__ = ["summary"]
