"""The k smallest scores: exactly, without sorting, or by a sample."""

import math
from collections import defaultdict
from typing import Any

import numpy as np
from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import whole_number

# Arrays of one size are searched together up to so many entries.
_LARGE = 2**17
# Entries that are sorted to bound the search.
_SAMPLE = 512


class Exact(Readable):
    """Chooses exactly as many entries as asked for.

    Among equal scores, those that come first in row-major order. NaN counts
    as larger than everything.
    """

    def smallest(self, scores: Any, counts: Any, step: Any = 0) -> Any:
        """Marks the smallest entries of each array.

        Args:
            scores: List of non-negative float tensors, compared in float32.
            counts: List of integers or scalar integer tensors: how many to
                mark in each.
            step: Scalar, unused: the choice has no chance in it.

        Returns:
            List of boolean tensors of the shapes of `scores`.
        """
        masks = [None] * len(scores)
        for size, members in by_size(scores):
            rows = ops.stack([ops.reshape(scores[i], (size,)) for i in members])
            k = ops.stack([ops.cast(counts[i], "int32") for i in members])
            for i, row in zip(members, ops.unstack(smallest(rows, k))):
                masks[i] = ops.reshape(row, scores[i].shape)
        return masks


def by_size(arrays) -> list[tuple[int, list[int]]]:
    """Groups arrays of one size, which are searched together.

    Many small searches cost more than their arithmetic. Large arrays stay
    alone, since a search of several would cost memory.

    Args:
        arrays: List of arrays or tensors.

    Returns:
        Pairs of a size and the places of the arrays in the list.
    """
    groups = defaultdict(list)
    for i, array in enumerate(arrays):
        size = math.prod(array.shape)
        groups[size, i if size > _LARGE else None].append(i)
    return [(size, members) for (size, _), members in groups.items()]


class Sampled(Readable):
    """Takes the threshold from a sample of each kernel's scores.

    Kernels of at least `sample_size` weights lose those below a threshold
    that a sample of so many scores gives; how many these are fluctuates
    around the count asked for. The sample is a lattice of places, none
    twice, that is shifted at every step. Smaller kernels are chosen exactly,
    and so are all at the end of pruning.

    Args:
        sample_size: Integer, at least 2. Defaults to `32_400`, the weights of
            a 3x3 convolution of 60 to 60 channels.

    Raises:
        ValueError: If `sample_size` is below 2.

    Reference: the released code of ISS-P (arXiv 2303.09650), `IST-fast`, as
    its README describes it.
    """

    def __init__(self, sample_size: int = 32_400):
        self.sample_size = whole_number("sample_size", sample_size, least=2)

    def smallest(self, scores: Any, counts: Any, step: Any = 0) -> Any:
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
        count = ops.cast(ops.ceil(share * self.sample_size), "int32")
        threshold, _ = split(sample[None], count[None])
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
    threshold, count_below = split(keys, k)
    below = keys < threshold[:, None]
    room = k - count_below

    def with_ties():
        tied = keys == threshold[:, None]
        rank = ops.cumsum(ops.cast(tied, "int32"), axis=1)
        return ops.logical_or(
            below, ops.logical_and(tied, rank <= room[:, None])
        )

    return ops.cond(ops.any(room > 0), with_ties, lambda: below)


def split(keys, k):
    """Finds a threshold in each row, below which at most `k` entries lie.

    Exactly `k` lie below it, unless the k-th smallest is equal to the next:
    then that is the threshold. It is looked for between two bounds, which a
    sorted sample sets about as close as the sample can tell; then where it
    would lie if the entries between them were spread evenly, and half-way
    at every fourth time, so that no distribution makes the search long. On
    weights this takes about 10 counts, where 31 bits take 31.

    Args:
        keys: Tensor of `ordered_bits`, of shape (rows, entries).
        k: int32 tensor of shape (rows,), each in [0, entries].

    Returns:
        Two int32 tensors of shape (rows,): the threshold, and how many
        entries are below it.
    """
    first_guess, second_guess = _guesses(keys, k)

    def is_open(low, high, below_low):
        return ops.logical_and(below_low < k, high - low > 1)

    def condition(i, low, high, below_low, below_high):
        return ops.any(is_open(low, high, below_low))

    def narrow(i, low, high, below_low, below_high):
        share = ops.cast(k - below_low, "float32")
        share = share / ops.cast(below_high - below_low, "float32")
        first, last = ops.view(low, "float32"), ops.view(high, "float32")
        even = ops.view(first + (last - first) * share, "int32")
        guess = ops.where(i % 4 == 3, low + (high - low) // 2, even)
        guess = ops.where(i == 0, first_guess, guess)
        guess = ops.where(i == 1, second_guess, guess)
        guess = ops.clip(guess, low + 1, ops.maximum(high - 1, low + 1))
        below = _count(keys < guess[:, None])
        unsettled = is_open(low, high, below_low)
        is_low = ops.logical_and(unsettled, below <= k)
        is_high = ops.logical_and(unsettled, below > k)
        return (
            i + 1,
            ops.where(is_low, guess, low),
            ops.where(is_high, guess, high),
            ops.where(is_low, below, below_low),
            ops.where(is_high, below, below_high),
        )

    zero = ops.zeros_like(k)
    start = (
        ops.zeros((), "int32"),
        zero,
        ops.max(keys, axis=1) + 1,
        zero,
        zero + keys.shape[1],
    )
    _, threshold, _, below, _ = ops.while_loop(condition, narrow, start)
    return threshold, below


def _guesses(keys, k):
    """Two keys of each row with the threshold, most likely, between them."""
    entries = keys.shape[1]
    stride = max(1, entries // _SAMPLE)
    sample = ops.sort(keys[:, ::stride], axis=1)
    size = sample.shape[1]

    def at(rank):
        rank = ops.clip(ops.cast(rank, "int32"), 0, size - 1)
        return ops.take_along_axis(sample, rank[:, None], axis=1)[:, 0]

    if stride == 1:
        return at(k), at(k) + 1
    share = ops.cast(k, "float32") / entries
    # Three standard deviations of a rank in the sample.
    deviation = 3 * ops.sqrt(size * share * (1 - share)) + 1
    rank = share * size
    return at(ops.floor(rank - deviation)), at(ops.ceil(rank + deviation))


def ordered_bits(values):
    """Maps |values| of float32 to int32 so that the order stays the same.

    The bit patterns of non-negative IEEE floats are ordered as the floats
    are, denormals included, which processors may otherwise flush to zero;
    NaN comes last.
    """
    bits = ops.view(ops.abs(values), "int32")
    # So that there is a number above all.
    return ops.minimum(bits, 2**31 - 2)


def _count(marks):
    return ops.sum(ops.cast(marks, "int32"), axis=1)
