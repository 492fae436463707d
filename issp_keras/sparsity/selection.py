"""The k smallest scores: exactly, without sorting, or by a sample."""

import math
from collections import defaultdict

import numpy as np
from keras import ops


class Exact:
    """Chooses exactly as many entries as asked for.

    Among equal scores, those that come first in row-major order. NaN counts
    as larger than everything.
    """

    def smallest(self, scores, counts, step=0):
        """Marks the smallest entries of each array.

        Args:
            scores: List of non-negative float tensors, compared in float32.
            counts: List of integers or scalar integer tensors: how many to
                mark in each.
            step: Scalar, unused: the choice has no chance in it.

        Returns:
            List of boolean tensors of the shapes of `scores`.
        """
        # Arrays of one size are searched together: many small searches cost
        # more than their arithmetic.
        groups = defaultdict(list)
        for i, array in enumerate(scores):
            groups[math.prod(array.shape)].append(i)
        masks = [None] * len(scores)
        for size, members in groups.items():
            rows = ops.stack([ops.reshape(scores[i], (size,)) for i in members])
            k = ops.stack([ops.cast(counts[i], "int32") for i in members])
            for i, row in zip(members, ops.unstack(smallest(rows, k))):
                masks[i] = ops.reshape(row, scores[i].shape)
        return masks


class Sampled:
    """Takes the threshold from a sample of each kernel's scores.

    Kernels of at least `sample_size` weights lose those below a threshold
    that a sample of so many scores gives, drawn anew at every step without
    replacement; how many these are fluctuates around the count asked for.
    Smaller kernels are chosen exactly, and so are all at the end of pruning.

    Args:
        sample_size: Integer, at least 2. Defaults to `32_400`, the weights of
            a 3x3 convolution of 60 to 60 channels.

    Raises:
        ValueError: If `sample_size` is below 2.

    Reference: the released code of ISS-P (arXiv 2303.09650), `IST-fast`, as
    its README describes it.
    """

    def __init__(self, sample_size: int = 32_400):
        if sample_size < 2:
            raise ValueError(
                "`sample_size` must be at least 2. "
                f"Received: sample_size={sample_size}"
            )
        self.sample_size = sample_size

    def smallest(self, scores, counts, step=0):
        """As `Exact.smallest`; `step` varies the sample."""
        sizes = [math.prod(array.shape) for array in scores]
        small = [i for i, n in enumerate(sizes) if n < self.sample_size]
        exact = Exact().smallest(
            [scores[i] for i in small], [counts[i] for i in small]
        )
        masks = dict(zip(small, exact, strict=True))
        for i, n in enumerate(sizes):
            if i not in masks:
                masks[i] = self._below_threshold(
                    scores[i], counts[i] / n, step, salt=i
                )
        return [masks[i] for i in range(len(scores))]

    def _below_threshold(self, scores, share, step, salt):
        keys = ordered_bits(ops.cast(scores, "float32"))
        flat = ops.reshape(keys, (-1,))
        sample = ops.take(flat, self._places(flat.shape[0], step, salt))
        rank = ops.cast(ops.ceil(share * self.sample_size), "int32")
        rank = ops.minimum(rank, self.sample_size - 1)
        threshold = kth_smallest(sample[None], rank[None] + 1)[0]
        return keys < threshold

    def _places(self, size, step, salt):
        """Places without repetition, spread evenly, turned at every step."""
        stride = _coprime_near(round(0.618 * size), size)
        places = np.arange(self.sample_size, dtype=np.int64) * stride % size
        # Two primes whose product fits into int32.
        turn = ops.cast(step, "int32") % 46_337 * 40_503 % size
        places = ops.convert_to_tensor(places.astype("int32"))
        return (places + (turn + salt) % size) % size


def _coprime_near(number, size):
    while math.gcd(number, size) != 1:
        number += 1
    return number


def smallest(rows, k):
    """Marks the `k` smallest entries of each row.

    Exactly `k` entries are marked: among equal ones, those that come first.
    NaN counts as larger than everything.

    Example:

    >>> smallest(ops.array([[3.0, 1.0, 0.5, 1.0]]), ops.array([2]))
    # [[False, True, True, False]]

    Args:
        rows: Non-negative float tensor of shape (rows, entries), compared in
            float32.
        k: Integer tensor of shape (rows,), each in [0, entries].

    Returns:
        Boolean tensor of the shape of `rows`.
    """
    keys = ordered_bits(ops.cast(rows, "float32"))
    threshold = kth_smallest(keys, k)[:, None]
    below = keys < threshold
    tied = keys == threshold
    room = k[:, None] - _count(below)[:, None]
    rank = ops.cumsum(ops.cast(tied, "int32"), axis=1)
    return ops.logical_or(below, ops.logical_and(tied, rank <= room))


def kth_smallest(keys, k):
    """Finds the k-th smallest (from 1) of each row, bit by bit.

    The result is built from the highest bit down: a bit is set when fewer
    than `k` entries are smaller than the prefix with that bit set.

    Args:
        keys: Non-negative int32 tensor of shape (rows, entries).
        k: Integer tensor of shape (rows,).

    Returns:
        int32 tensor of shape (rows,).
    """

    def narrow(i, prefix):
        candidate = prefix + ops.left_shift(1, 30 - i)
        too_few = _count(keys < candidate[:, None]) < k
        return ops.where(too_few, candidate, prefix)

    return ops.fori_loop(0, 31, narrow, ops.zeros_like(k))


def ordered_bits(values):
    """Maps |values| of float32 to int32 so that the order stays the same.

    The bit patterns of non-negative IEEE floats are ordered as the floats
    are, denormals included, which processors may otherwise flush to zero.
    """
    return ops.view(ops.abs(values), "int32")


def _count(marks):
    return ops.sum(ops.cast(marks, "int32"), axis=1)
