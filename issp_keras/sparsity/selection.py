"""The k smallest magnitudes, exactly, without sorting."""

from keras import ops


def smallest(values, k):
    """Marks the `k` entries of smallest magnitude.

    Exactly `k` entries are marked: among equal magnitudes, those that come
    first in row-major order. NaN counts as larger than everything.

    Example:

    >>> smallest(ops.array([3.0, -1.0, 0.5, 1.0]), 2)
    # [False, True, True, False]

    Args:
        values: Float tensor of any shape, compared in float32.
        k: Integer or scalar integer tensor in [0, number of entries].

    Returns:
        Boolean tensor of the shape of `values`.
    """
    bits = _magnitude_bits(ops.reshape(values, (-1,)))
    threshold = _kth_smallest(bits, k)
    below = bits < threshold
    tied = bits == threshold
    room = k - ops.count_nonzero(below)
    rank = ops.cumsum(ops.cast(tied, "int32"))
    marked = ops.logical_or(below, ops.logical_and(tied, rank <= room))
    return ops.reshape(marked, ops.shape(values))


def _magnitude_bits(values):
    """Maps |values| to int32 so that the order stays the same.

    The bit patterns of non-negative IEEE floats are ordered as the floats
    are, denormals included, which processors may otherwise flush to zero.
    """
    return ops.view(ops.abs(ops.cast(values, "float32")), "int32")


def _kth_smallest(bits, k):
    """The k-th smallest (from 1) of non-negative int32, bit by bit.

    The result is built from the highest bit down: a bit is set when fewer
    than `k` entries are smaller than the prefix with that bit set.
    """

    def narrow(i, prefix):
        candidate = prefix + ops.left_shift(1, 30 - i)
        too_few = ops.count_nonzero(bits < candidate) < k
        return ops.where(too_few, candidate, prefix)

    return ops.fori_loop(0, 31, narrow, ops.zeros((), "int32"))
