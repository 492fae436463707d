"""Counts of weights to prune in each kernel to save an amount of work.

The work is a number of multiply-adds.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from keras import ops

from issp_keras.sparsity.rationals import meant
from issp_keras.sparsity.selection import by_size
from issp_keras.sparsity.selection import ordered_bits

# About this many weights are sorted to bound the search.
_SAMPLE = 512


class Work:
    """Exact sums of counts times costs, which can exceed 32 bits.

    A sum is a pair of int32 scalars: the quotient by 2**bits, and the
    remainder. A common factor turns the costs into integers. A pair can hold
    up to about 2**40. If the total work is larger, the costs are rounded up to
    multiples of a power of two.

    Args:
        sizes: List of integers, the number of entries of each kernel.
        uses: List of non-negative numbers, the cost of one entry of each
            kernel.

    Attributes:
        costs: List of integers, `uses` as multiples of a common unit.
        total: Integer, the work of all entries.
    """

    def __init__(self, sizes, uses):
        fractions = [Fraction(use) for use in uses]
        lcm = math.lcm(*(fraction.denominator for fraction in fractions))
        costs = [int(fraction * lcm) for fraction in fractions]
        unit = math.gcd(*costs) or 1
        costs = [cost // unit for cost in costs]
        while not self._fits(sizes, costs):
            costs = [-(-cost // 2) for cost in costs]
        self.costs = costs
        self.total = _dot(sizes, costs)

    def _fits(self, sizes, costs):
        # The sum of the remainders of all kernels must stay below 2**31.
        self._bits = 31 - max(1, sum(costs)).bit_length()
        if self._bits < 0:
            return False
        return (_dot(sizes, costs) >> self._bits) + sum(costs) < 2**30

    def of(self, counts):
        """Returns the work of some entries of each kernel.

        Args:
            counts: int32 tensor of shape (kernels,), numbers of entries.
        """
        costs = np.array(self.costs, "int32")
        base = 2**self._bits
        rest = ops.sum(counts % base * costs)
        return ops.sum(counts // base * costs) + rest // base, rest % base

    def share(self, share):
        """Returns a share of the total work, rounded up.

        Args:
            share: Float, or scalar tensor with a precision of 24 bits.
        """
        base = 2**self._bits
        if isinstance(share, float):
            amount = math.ceil(meant(share) * self.total)
            return amount // base, amount % base
        amount = ops.ceil(share * float(self.total))
        times = ops.floor(amount / base)
        rest = amount - base * times
        return ops.cast(times, "int32"), ops.cast(rest, "int32")

    def number(self, amount):
        """Returns a sum as a rounded float32."""
        times, rest = (ops.cast(part, "float32") for part in amount)
        return times * 2**self._bits + rest


def counts_that_free(work, amount, scores, caps):
    """Returns how many weights each kernel loses to save enough work.

    The weights of all kernels are pruned in the order of their scores, the
    smallest first. Among equal scores, the weights of the first kernel are
    pruned first. A kernel loses no more weights than its cap. The pruning
    stops when the work of the pruned weights is at least `amount`.

    Only a sample is sorted. It gives two thresholds that most likely enclose
    the solution. The search then guesses a threshold between two bounds, as if
    the weights between them were spread evenly. While one bound stays in
    place, its weight in the guess is halved each time, so that both bounds
    close in (the Illinois method). For typical weights this takes about 15
    guesses. The search ends when only one weight, or only equal weights, are
    between the bounds.

    Args:
        work: `Work`.
        amount: The result of `work.share`.
        scores: List of non-negative float tensors, compared in float32.
        caps: List of integers, the most weights that each kernel loses.

    Returns:
        int32 tensor of shape (kernels,).

    Reference: Dowell and Jarratt, A modified regula falsi method (1971).
    """
    keys = Keys([ordered_bits(score) for score in scores])
    guesses = keys.near(work.number(amount), work.costs)
    most = np.array(caps, "int32")

    def is_short(counts):
        times, rest = work.of(counts)
        return ops.logical_or(
            times < amount[0],
            ops.logical_and(times == amount[0], rest < amount[1]),
        )

    def is_open(i, low, high, below_low, below_high, *others):
        several = ops.sum(below_high - below_low) > 1
        return ops.logical_and(high - low > 1, several)

    def narrow(i, low, high, below_low, below_high, weights, was_short):
        # Aim half a unit below the amount, so that neither difference is 0.
        middle = work.number(amount) - 0.5
        lacks = ops.maximum(middle - work.number(work.of(below_low)), 0.25)
        above = ops.maximum(work.number(work.of(below_high)) - middle, 0.25)
        lacks, above = lacks * weights[0], above * weights[1]
        start, end = _view(low, "float32"), _view(high, "float32")
        even = start + (end - start) * (lacks / (lacks + above))
        guess = _view(even, "int32")
        # Bisect at times, so that no distribution makes the search long.
        guess = ops.where(i % 8 == 7, low + (high - low) // 2, guess)
        guess = ops.where(i == 0, guesses[0], guess)
        guess = ops.where(i == 1, guesses[1], guess)
        guess = ops.clip(guess, low + 1, high - 1)
        below = ops.minimum(keys.below(guess), most)
        short = is_short(below)
        # The weight of the bound that moves is 1. The weight of the other
        # bound is halved if it stays again.
        moves = ops.stack([short, ops.logical_not(short)])
        stays = ops.where(short == was_short, 0.5 * weights, weights)
        return (
            i + 1,
            ops.where(short, guess, low),
            ops.where(short, high, guess),
            ops.where(short, below, below_low),
            ops.where(short, below_high, below),
            ops.where(moves, 1.0, stays),
            short,
        )

    zero = ops.zeros((), "int32")
    none = ops.zeros((len(caps),), "int32")
    start = (zero, zero, keys.largest + 1, none, none + most)
    found = ops.while_loop(is_open, narrow, (*start, ops.ones(2), zero > 0))
    below_low, below_high = found[3:5]
    return _first_of(below_low, below_high - below_low, is_short)


def _first_of(counts, more, is_short):
    """Adds just enough of the entries in `more`, kernel by kernel."""
    before = ops.cumsum(more) - more

    def added(number):
        return counts + ops.clip(number - before, 0, more)

    def halve(low, high):
        middle = low + (high - low) // 2
        short = is_short(added(middle))
        return ops.where(short, middle, low), ops.where(short, high, middle)

    bounds = (ops.zeros((), "int32") - 1, ops.sum(more))
    _, number = ops.while_loop(lambda low, high: high - low > 1, halve, bounds)
    return added(number)


class Keys:
    """The `ordered_bits` of all kernels, grouped by size.

    Attributes:
        largest: int32 scalar.
    """

    def __init__(self, keys):
        groups = by_size(keys)
        self._groups = [members for _, members in groups]
        self._rows = [
            ops.stack([ops.reshape(keys[i], (size,)) for i in members])
            for size, members in groups
        ]
        self._places = np.argsort(np.concatenate(self._groups)).astype("int32")
        self.largest = ops.max(ops.stack([ops.max(r) for r in self._rows]))

    def below(self, key):
        """Counts the entries of each kernel below a key: int32 (kernels,)."""
        counts = [
            ops.sum(ops.cast(rows < key, "int32"), axis=1)
            for rows in self._rows
        ]
        return ops.take(ops.concatenate(counts), self._places)

    def near(self, amount, costs):
        """Returns two keys that most likely enclose an amount of work."""
        entries = sum(rows.shape[0] * rows.shape[1] for rows in self._rows)
        stride = -(-entries // _SAMPLE)
        sample: Any = []
        works: Any = []
        for members, rows in zip(self._groups, self._rows):
            taken = rows[:, ::stride]
            sample.append(ops.reshape(taken, (-1,)))
            share = rows.shape[1] / taken.shape[1]
            each = [costs[i] * share for i in members]
            works.append(np.repeat(each, taken.shape[1]))
        sample = ops.concatenate(sample)
        works = np.concatenate(works).astype("float32")
        order = ops.argsort(sample)
        freed = ops.cumsum(ops.take(works, order))
        size = len(works)
        rank = ops.sum(ops.cast(freed < amount, "float32"))
        # Three standard deviations of a rank in the sample.
        deviation = 3 * ops.sqrt(rank * (size - rank) / size) + 1
        ranks = ops.stack([rank - deviation, rank + deviation])
        places = ops.cast(ops.clip(ranks, 0, size - 1), "int32")
        return ops.take(ops.take(sample, order), places)


def _dot(numbers, costs):
    return sum(number * cost for number, cost in zip(numbers, costs))


def _view(number, dtype):
    # Keras before 3.14 cannot view a scalar.
    return ops.view(ops.reshape(number, (1,)), dtype)[0]
