"""The pattern of the zeros of a kernel."""

import math

import numpy as np

# The patterns to search for, the most specific first.
_GROUPS = (2, 4, 5, 8, 10, 16, 20, 32, 90)
_BLOCKS = ((4, 4), (1, 8), (8, 1), (1, 4), (4, 1), (1, 2), (2, 1))


def pattern_of(values: np.ndarray, facts) -> str:
    """Names the pattern of a kernel's zeros.

    Args:
        values: Array, the kernel.
        facts: `sparsity.Kernel`, which names its axes.

    Returns:
        "dense", a pattern such as "9:10" or "block 1x4", or "unstructured".
    """
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
