"""A table of how sparse a model is, layer by layer."""

import math

import numpy as np

from issp_keras.callbacks.kernels import find_kernels
from issp_keras.callbacks.multiply_adds import count_uses

# The patterns that are looked for, those first that say more.
_GROUPS = (2, 4, 5, 8, 10, 16, 20, 32, 90)
_BLOCKS = ((4, 4), (1, 8), (8, 1), (1, 4), (4, 1), (1, 2), (2, 1))


def summary(model, input_shape=None, print_fn=print):
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
    kernels, _ = find_kernels(model)
    uses = count_uses(model, kernels, input_shape)
    rows = []
    for i, kernel in enumerate(kernels):
        values = kernel.variable.numpy()
        zeros = values.size - int(np.count_nonzero(values))
        dense = uses[i] * values.size if uses is not None else None
        rows.append(
            {
                "name": kernel.facts.path,
                "shape": kernel.facts.shape,
                "weights": values.size,
                "zeros": zeros,
                "pattern": _pattern(values, kernel.facts),
                "dense_macs": dense,
                "sparse_macs": dense
                and round(dense * (1 - zeros / values.size)),
            }
        )
    total = {"name": "total", "shape": "", "pattern": ""}
    for key in ("weights", "zeros", "dense_macs", "sparse_macs"):
        is_known = uses is not None or key in ("weights", "zeros")
        total[key] = sum(row[key] for row in rows) if is_known else None
    print_fn(_table([*rows, total]))
    return [*rows, total]


def _pattern(values, facts):
    zeros = values == 0
    if not zeros.any():
        return "dense"
    axes = (*facts.spatial_axes, *facts.output_axes, *facts.input_axes)
    run = math.prod(facts.shape[axis] for axis in facts.input_axes)
    runs = zeros.transpose(axes).reshape(-1, run)
    for group in _GROUPS:
        if run % group:
            continue
        counts = runs.reshape(-1, group).sum(axis=1)
        if counts.min() == counts.max() and 0 < counts[0] < group:
            return f"{counts[0]}:{group}"
    outputs = math.prod(facts.shape[axis] for axis in facts.output_axes)
    matrix = runs.reshape(-1, outputs, run).transpose(0, 2, 1)
    for height, width in _BLOCKS:
        if run % height or outputs % width:
            continue
        blocks = matrix.reshape(
            -1, run // height, height, outputs // width, width
        ).sum(axis=(2, 4))
        if np.isin(blocks, (0, height * width)).all():
            return f"block {height}x{width}"
    return "unstructured"


def _table(rows):
    header = ("kernel", "shape", "weights", "zeros", "pattern")
    header += ("multiply-adds", "without zeros")
    cells = [header]
    for row in rows:
        cells.append(
            (
                row["name"],
                "x".join(map(str, row["shape"])),
                f"{row['weights']:,}",
                f"{row['zeros']:,} ({row['zeros'] / row['weights']:.2%})",
                row["pattern"],
                _count(row["dense_macs"]),
                _count(row["sparse_macs"]),
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        name, *others = row
        padded = [name.ljust(widths[0])]
        padded += [c.rjust(w) for c, w in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(padded))
    return "\n".join(lines)


def _count(number):
    return "" if number is None else f"{number:,}"
