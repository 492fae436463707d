"""Weights, zeros and multiply-adds of each kernel of a model."""

import numpy as np

from issp_keras.callbacks.kernels import find_kernels
from issp_keras.callbacks.multiply_adds import count_uses
from issp_keras.summary.zero_pattern import pattern_of

_NUMBERS = ("weights", "zeros", "dense_macs", "sparse_macs")


def kernel_rows(model, input_shape=None) -> list[dict]:
    """Returns the rows of `issp_keras.summary`, with the same arguments."""
    kernels, _ = find_kernels(model)
    uses = count_uses(model, kernels, input_shape)
    if uses is None:
        uses = [None] * len(kernels)
    rows = list(map(_row, kernels, uses))
    total: dict = {"name": "total", "shape": "", "pattern": ""}
    for key in _NUMBERS:
        numbers = [row[key] for row in rows]
        total[key] = None if None in numbers else sum(numbers)
    return [*rows, total]


def _row(kernel, uses):
    values = kernel.variable.numpy()
    zeros = values.size - int(np.count_nonzero(values))
    dense = sparse = None
    if uses is not None:
        dense = uses * values.size
        sparse = round(dense * (1 - zeros / values.size))
    return {
        "name": kernel.facts.path,
        "shape": kernel.facts.shape,
        "weights": values.size,
        "zeros": zeros,
        "pattern": pattern_of(values, kernel.facts),
        "dense_macs": dense,
        "sparse_macs": sparse,
    }
