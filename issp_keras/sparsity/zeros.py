"""Exact zeros: a weight is zero if and only if it is pruned.

Because of this rule, no mask is stored. The zeros of a projected kernel are
its mask, in memory, in every checkpoint and in the saved model.
"""

import keras
import ml_dtypes
from keras import ops


def project(kernel, pruned):
    """Sets the weights marked in `pruned` to zero, and no others.

    A kept weight may be zero by chance, or since its layer was initialised to
    zeros. It would then count as pruned. So it becomes the smallest normal
    float of its dtype, 1e-38 in float32. Kept weights of smaller magnitude
    become this number with their sign, since processors may flush them to
    zero.

    Args:
        kernel: Float tensor.
        pruned: Boolean tensor of the same shape.

    Returns:
        The projected kernel. It has exactly as many zeros as `pruned` marks.
    """
    dtype = keras.backend.standardize_dtype(kernel.dtype)
    tiny = float(ml_dtypes.finfo(dtype).tiny)
    nearest = ops.cast(ops.where(kernel < 0, -tiny, tiny), dtype)
    kept = ops.where(ops.abs(kernel) < tiny, nearest, kernel)
    return ops.where(pruned, 0.0, kept)


def is_pruned(kernel):
    """Returns a boolean tensor, true where a projected kernel is pruned."""
    return ops.equal(kernel, 0.0)
