"""Distributions: how many weights to prune in each kernel."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import check_expression
from issp_keras.sparsity.arguments import share
from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.budget import Work
from issp_keras.sparsity.budget import counts_that_free
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.rationals import meant
from issp_keras.sparsity.selection import Exact

# The cap of the reference implementation: at any sparsity, a kernel keeps about
# 0.5 % of its weights, and a tiny kernel keeps at least one.
_FLOOR = 0.005


class Distribution(Readable):
    """Decides how many weights each kernel loses.

    It does not decide when weights are pruned, which weights are pruned, or
    what happens to them.

    Attributes:
        needs_uses: Boolean, whether `Kernel.uses` must hold how often each
            weight is used for an input of `input_shape`.
        input_shape: Tuple of integers, including the batch, or None for the
            model's input shape.
    """

    needs_uses = False
    input_shape: tuple[int, ...] | None = None

    def check(self, kernels: Sequence[Kernel]) -> None:
        """Raises a ValueError if it cannot be used for these kernels.

        Args:
            kernels: List of `Kernel`.
        """

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """Returns how many weights each kernel loses.

        Args:
            kernels: List of `Kernel`.
            scores: List of float tensors, the importance of every weight.
            sparsity: Float in [0, 1), the share of zeros among all weights of
                the kernels. It is a scalar tensor if the schedule computes it
                inside the compiled step.
            progress: Float or scalar tensor in [0, 1], `sparsity` divided by
                the sparsity at the end of pruning.

        Returns:
            List of integers, or of scalar int32 tensors.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `pruned_counts`."
        )


class Uniform(Distribution):
    """The same sparsity in every kernel, as in the ISS-P paper.

    A kernel of n weights loses `min(ceil(sparsity * n), int(0.995 * n))`.
    """

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """See `Distribution.pruned_counts`."""
        return [_pruned_count(kernel.size, sparsity) for kernel in kernels]


class ERK(Distribution):
    """Erdős-Rényi-Kernel: small kernels keep a larger share.

    The density of a kernel is proportional to the sum of its dimensions
    divided by their product. One factor for all kernels makes the overall
    share of zeros equal to the schedule's sparsity. A kernel whose density
    would exceed 1 stays dense. Counts are rounded and capped as in `Uniform`.

    Reference: Evci et al., Rigging the Lottery (RigL, arXiv 1911.11134),
    Sec. 3; Mocanu et al. 2018 for the original.
    """

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """See `Distribution.pruned_counts`."""
        sizes = np.array([kernel.size for kernel in kernels], "float64")
        raw = np.array([sum(kernel.shape) for kernel in kernels]) / sizes
        # The share of kept weights is piecewise linear in the factor. It bends
        # where a kernel becomes dense.
        factors = np.array([0.0, *np.sort(1 / raw)])
        kept = np.minimum(1.0, factors[:, None] * raw) @ sizes / sizes.sum()
        factor = _interpolate(1.0 - sparsity, kept, factors)
        if isinstance(sparsity, float):
            sparse = [max(0.0, 1.0 - float(factor * r)) for r in raw]
        else:
            sparse = [ops.maximum(0.0, 1.0 - factor * r) for r in raw]
        return [
            _pruned_count(kernel.size, s) for kernel, s in zip(kernels, sparse)
        ]


class Global(Distribution):
    """One ranking over the weights of all kernels.

    The `ceil(sparsity * n)` least important of all n weights are pruned.
    Every kernel keeps at least a small share of its weights, so that no layer
    becomes all zeros.

    Args:
        floor: Float in [0, 1), the smallest share of weights that a kernel
            keeps, rounded up to whole weights. These are its most important
            weights. Defaults to `0.005`.

    Raises:
        ValueError: If `floor` is outside [0, 1).
    """

    floor = _FLOOR

    def __init__(self, floor: float = _FLOOR):
        _set_floor(self, floor)

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """See `Distribution.pruned_counts`."""
        sizes = [kernel.size for kernel in kernels]
        caps = [_most(size, self.floor) for size in sizes]
        flat = [ops.cast(ops.reshape(s, (-1,)), "float32") for s in scores]
        prunable = Exact().smallest(flat, caps)
        ranked = ops.concatenate(
            [ops.where(p, s, float("inf")) for p, s in zip(prunable, flat)]
        )
        total = _ceil_of(sum(sizes), sparsity)
        total = ops.minimum(total, sum(caps))
        (chosen,) = Exact().smallest([ranked], [total])
        ends = np.cumsum(sizes)[:-1].tolist()
        # Keras 3.12 cannot split at an empty list of indices.
        parts = ops.split(chosen, ends) if ends else [chosen]
        return [ops.sum(ops.cast(part, "int32")) for part in parts]


class Cost(Distribution):
    """One ranking over the weights of all kernels, by score and cost.

    The cost of a weight is its number of multiply-adds, at the image size of
    its layer. After an enlargement by 4, a weight is used at 16 times as many
    pixels as before it. Here the schedule's sparsity is a share of the
    multiply-adds of all kernels, not of their weights. Weights are pruned
    until at most the share `1 - sparsity` of the multiply-adds remains. Every
    kernel keeps at least a small share of its weights.

    The goal is to keep the largest sum of squared magnitudes within a budget
    of multiply-adds. This is a fractional knapsack problem with the value
    `score ** 2` and the cost `uses`. Its solution takes the weights in the
    order of `score ** 2 / uses`. So weights are ranked by
    `score / sqrt(uses)`. Among equal ones, the weights of the first kernel
    are pruned first. If all uses are equal, this is `Global`.

    Example: `Cost()` with `ISSPSchedule(0.9, ...)` leaves a tenth of the
    multiply-adds.

    Args:
        floor: Float in [0, 1), the smallest share of weights that a kernel
            keeps, see `Global`. Defaults to `0.005`.
        input_shape: Tuple of integers, including the batch. Multiply-adds are
            counted for this shape. Defaults to the model's input shape, with
            48 pixels for an unknown height or width.

    Raises:
        ValueError: If `floor` is outside [0, 1), or `input_shape` is not a
            tuple of positive integers.

    Reference: Dantzig, Discrete-variable extremum problems (1957), for the
    solution of the knapsack problem.
    """

    floor = _FLOOR
    needs_uses = True

    def __init__(
        self,
        floor: float = _FLOOR,
        input_shape: tuple[int, ...] | None = None,
    ):
        _set_floor(self, floor)
        if input_shape is not None:
            input_shape = tuple(
                whole_number("input_shape", n) for n in input_shape
            )
            if min(input_shape, default=0) < 1:
                raise ValueError(
                    "`input_shape` must have positive numbers. "
                    f"Received: input_shape={input_shape}"
                )
        self.input_shape = input_shape

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """See `Distribution.pruned_counts`."""
        work = Work(
            [kernel.size for kernel in kernels],
            [kernel.uses for kernel in kernels],
        )
        # Pruning a kernel without cost saves nothing.
        caps = [
            _most(kernel.size, self.floor) if cost else 0
            for kernel, cost in zip(kernels, work.costs)
        ]
        # Multiply, since compilers turn a division into a reciprocal with
        # other rounding. The factors are 1 if all costs are equal.
        dearest = max(work.costs)
        ranked = [
            ops.cast(score, "float32") * math.sqrt(dearest / (cost or dearest))
            for score, cost in zip(scores, work.costs)
        ]
        counts = counts_that_free(work, work.share(sparsity), ranked, caps)
        return ops.unstack(counts, len(kernels))


class Map(Distribution):
    """A sparsity for each kernel whose path a regular expression matches.

    Other kernels get the sparsity of the schedule. With a ramp, the given
    sparsities grow in proportion to the schedule's sparsity.

    Example: `Map({"conv_(first|last)": 0.5, r"mlp\\.": 0.98})`

    Args:
        sparsities: Dict from regular expressions, which are searched in a
            kernel's path, to floats in [0, 1), or a list of such pairs. The
            first expression that matches counts.

    Raises:
        ValueError: If a sparsity is outside [0, 1), or an expression is not
            valid. When training begins: if an expression matches no path.
    """

    def __init__(self, sparsities: dict[str, float]):
        self.sparsities = dict(sparsities)
        for expression, sparsity in self.sparsities.items():
            check_expression(expression)
            share("sparsities", sparsity, f"{expression!r}: {sparsity!r}")

    def check(self, kernels: Sequence[Kernel]) -> None:
        """Raises a ValueError if an expression matches no path."""
        for expression in self.sparsities:
            if not any(re.search(expression, k.path) for k in kernels):
                raise ValueError(
                    f"The expression {expression!r} matches no pruned kernel. "
                    f"Their paths: {', '.join(k.path for k in kernels)}"
                )

    def pruned_counts(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        sparsity: Any,
        progress: Any,
    ) -> Any:
        """See `Distribution.pruned_counts`."""
        return [
            _pruned_count(
                kernel.size, self._sparsity(kernel, sparsity, progress)
            )
            for kernel in kernels
        ]

    def _sparsity(self, kernel, sparsity, progress):
        for expression, own in self.sparsities.items():
            if re.search(expression, kernel.path):
                return own * progress
        return sparsity


DISTRIBUTIONS = {
    "uniform": Uniform,
    "erk": ERK,
    "global": Global,
    "cost": Cost,
    "map": Map,
}


def _pruned_count(size, sparsity):
    count = _ceil_of(size, sparsity)
    if isinstance(count, int):
        return min(count, _most(size))
    return ops.minimum(count, _most(size))


def _most(size, floor=_FLOOR):
    return int((1 - meant(floor)) * size)


def _set_floor(part, floor):
    floor = share("floor", floor)
    if floor != part.floor:
        # The default is not stored as a setting, so that trainings can resume
        # from checkpoints that are older than this argument.
        part.floor = floor


def _ceil_of(size, sparsity):
    if isinstance(sparsity, float):
        return math.ceil(meant(sparsity) * size)
    return ops.cast(ops.ceil(sparsity * size), "int32")


def _interpolate(x, xs, ys):
    """Interpolates linearly between ascending `xs`, on any backend."""
    if isinstance(x, float):
        return np.interp(x, xs, ys)
    xs, ys = xs.astype("float32"), ys.astype("float32")
    xs, unique = np.unique(xs, return_index=True)
    ys = ys[unique]
    right = ops.clip(ops.searchsorted(xs, ops.reshape(x, (1,))), 1, len(xs) - 1)
    x0, x1 = ops.take(xs, right - 1), ops.take(xs, right)
    y0, y1 = ops.take(ys, right - 1), ops.take(ys, right)
    return (y0 + (x - x0) * (y1 - y0) / (x1 - x0))[0]
