"""Selection of the k smallest scores, exactly or by a sample."""

import functools
import math
from collections import defaultdict
from typing import Any

import keras
import numpy as np
from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import whole_number

# Arrays of the same size are searched together up to this number of entries.
_LARGE = 2**17
# Entries that are sorted to bound the search.
_SAMPLE = 512


class Exact(Readable):
    """Chooses exactly the requested number of entries.

    Among equal scores, it chooses the first in row-major order. NaN counts as
    larger than every number.
    """

    def smallest(self, scores: Any, counts: Any, step: Any = 0) -> Any:
        """Marks the smallest entries of each array.

        Args:
            scores: List of non-negative float tensors, compared in float32.
            counts: List of integers or scalar integer tensors, how many
                entries to mark in each array.
            step: Scalar, unused, since the choice is not random.

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
    """Groups arrays of the same size, which are searched together.

    Many small searches cost more than one search of all their entries. A large
    array is its own group, to save memory.

    Args:
        arrays: List of arrays or tensors.

    Returns:
        List of pairs: a size, and the indices of the arrays in the list.
    """
    groups = defaultdict(list)
    for i, array in enumerate(arrays):
        size = math.prod(array.shape)
        groups[size, i if size > _LARGE else None].append(i)
    return [(size, members) for (size, _), members in groups.items()]


class Sampled(Readable):
    """Takes the threshold from a sample of each kernel's scores.

    This applies to kernels with at least `sample_size` weights. A sample of
    `sample_size` scores gives a threshold, and the weights below it are
    pruned. Their number fluctuates around the requested count. The sample is a
    lattice of distinct positions that shifts at every step. In smaller
    kernels, the choice is exact. At the end of pruning, it is exact in all
    kernels.

    Args:
        sample_size: Integer, at least 2. Defaults to `32_400`, the number of
            weights of a 3x3 convolution from 60 to 60 channels.

    Raises:
        ValueError: If `sample_size` is below 2.

    Reference: the released code of ISS-P (arXiv 2303.09650), `IST-fast`, as
    its README describes it.
    """

    def __init__(self, sample_size: int = 32_400):
        self.sample_size = whole_number("sample_size", sample_size, least=2)

    def smallest(self, scores: Any, counts: Any, step: Any = 0) -> Any:
        """See `Exact.smallest`. Here `step` shifts the sample."""
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
        """Distinct, evenly spread positions that shift at every step."""
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


def traced_once(function):
    """Makes the backend trace a function once for all calls of equal shapes.

    A train step contains the same search once for each phase of the training.
    Tracing a search takes longer than tracing the rest of a phase.

    Args:
        function: Callable that takes tensors.

    Returns:
        Callable that takes the same tensors.
    """

    @functools.cache
    def traced():
        # Imported here, because only one of the backends may be installed.
        if keras.backend.backend() == "jax":
            import jax

            return jax.jit(function)
        import tensorflow as tf

        return tf.function(function, autograph=False)

    @functools.wraps(function)
    def call(*tensors):
        return traced()(*tensors)

    return call


@traced_once
def smallest(rows, k):
    """Marks the `k` smallest entries of each row.

    Exactly `k` entries are marked. Among equal entries, the first are marked.
    NaN counts as larger than every number.

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


@traced_once
def split(keys, k):
    """Finds a threshold for each row with at most `k` entries below it.

    Exactly `k` entries lie below it, unless the k-th smallest entry equals the
    next one. Then this entry is the threshold. A sorted sample gives two first
    guesses, which narrow the bounds of the search. Each further guess assumes
    that the entries between the bounds are spread evenly. Every fourth guess
    is half-way between the bounds, so that no distribution makes the search
    long. For typical weights this takes about 10 counts. A bisection of 31
    bits would take 31.

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
    """Returns two keys for each row that most likely enclose the threshold."""
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
    """Maps |values| of float32 to int32 and keeps their order.

    The bit patterns of non-negative IEEE floats have the order of the floats.
    This includes denormals, which processors may flush to zero. NaN comes
    last.
    """
    bits = ops.view(ops.abs(values), "int32")
    # Leave one int32 above all bit patterns.
    return ops.minimum(bits, 2**31 - 2)


def _count(marks):
    return ops.sum(ops.cast(marks, "int32"), axis=1)
