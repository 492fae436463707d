"""Patterns: which weights of a kernel are pruned together."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.selection import Exact
from issp_keras.sparsity.selection import smallest

# The smallest divisor, to avoid a division by zero.
_TINY = 1e-30


class Pattern(Readable):
    """Decides which weights of a kernel may be zero together.

    It does not decide when weights are pruned, how many are pruned, or what
    happens to them.
    """

    @property
    def most(self) -> float:
        """The largest share of zeros that the pattern allows."""
        return 1.0

    def check(self, kernels: Sequence[Kernel]) -> None:
        """Raises a ValueError if it cannot be used for these kernels.

        Args:
            kernels: List of `Kernel`.
        """

    def allows_zeros(self, kernel: Kernel, sparsity: float = 1.0) -> bool:
        """Whether the kernel can hold a zero.

        Args:
            kernel: `Kernel`.
            sparsity: Float in [0, 1], the share of zeros that is asked for.
                Defaults to `1.0`.
        """
        return True

    def unimportant(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        counts: Any,
        step: Any = 0,
        exact: bool = True,
    ) -> Any:
        """Marks the least important weights of each kernel.

        Args:
            kernels: List of `Kernel`.
            scores: List of non-negative float tensors, the importance of
                every weight.
            counts: List of integers or scalar integer tensors, the number of
                weights that each kernel loses.
            step: Scalar integer. A random selection uses it.
            exact: Boolean, whether the counts must be met exactly, as at the
                end of pruning. Defaults to `True`.

        Returns:
            List of boolean tensors of the shapes of `scores`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `unimportant`."
        )

    def nearness(
        self, kernels: Sequence[Kernel], scores: Any, masks: Any
    ) -> Any:
        """Returns how near each weight is to being pruned.

        Args:
            kernels: List of `Kernel`.
            scores: List of non-negative float tensors, the importance of
                every weight.
            masks: List of boolean tensors, the result of `unimportant`.

        Returns:
            List of float tensors in [0, 1]: the largest pruned score divided
            by the weight's score, and 1 for pruned weights.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `nearness`, which the method "
            "needs."
        )


class Unstructured(Pattern):
    """Prunes the least important weights of a kernel, at any position.

    Args:
        selection: `Exact()`, the default, or `Sampled(sample_size)`.
    """

    def __init__(self, selection: Any = None) -> None:
        self.selection = selection or Exact()

    def unimportant(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        counts: Any,
        step: Any = 0,
        exact: bool = True,
    ) -> Any:
        """See `Pattern.unimportant`."""
        selection = Exact() if exact else self.selection
        return selection.smallest(scores, counts, step)

    def nearness(
        self, kernels: Sequence[Kernel], scores: Any, masks: Any
    ) -> Any:
        """See `Pattern.nearness`."""
        return [
            _nearness(score, mask, axis=None)
            for score, mask in zip(scores, masks, strict=True)
        ]


class NM(Pattern):
    """Prunes at most `zeros` of every `group` consecutive weights.

    The schedule and the distribution give a count for a kernel of n weights.
    Each group loses `count * group // n` weights, but never more than `zeros`.
    So the pattern follows a ramp of the sparsity. If the length of a run is
    not a multiple of `group`, its last group is shorter and loses its share,
    rounded down. Among equal scores, the first of a group are pruned. Every
    kernel keeps at least 0.5 % of its weights, so a share of zeros above 0.995
    is impossible.

    Example: `NM(2, 4)` with `ISSPSchedule(0.5, ...)`.

    Args:
        zeros: Integer, the most zeros in a group, below `group`.
        group: Integer, the number of weights in a group.
        order: `"input"` or `"torch"`. With `"input"`, a group lies along the
            input channels, the axis that TFLite stores innermost. With
            `"torch"`, a group is consecutive in the row-major order of
            (output, input, height, width), as in the released code of ISS-P.
            Defaults to `"input"`.

    Raises:
        ValueError: If `zeros` and `group` are not whole numbers with
            `0 < zeros < group`, or `order` is neither `"input"` nor
            `"torch"`.
    """

    def __init__(self, zeros: int, group: int, order: str = "input"):
        zeros, group = (
            whole_number("zeros", zeros),
            whole_number("group", group),
        )
        if not 0 < zeros < group:
            raise ValueError(
                "N:M sparsity must satisfy 0 < zeros < group. "
                f"Received: zeros={zeros}, group={group}"
            )
        if order not in ("input", "torch"):
            raise ValueError(
                f"`order` must be 'input' or 'torch'. Received: order={order!r}"
            )
        self.zeros = zeros
        self.group = group
        self.order = order

    @property
    def most(self) -> float:
        return self.zeros / self.group

    def allows_zeros(self, kernel: Kernel, sparsity: float = 1.0) -> bool:
        # A run shorter than a group loses its share of zeros, rounded down.
        run = min(self._run(kernel), self.group)
        count = round(sparsity * kernel.size)
        return run * self._zeros(kernel, count) >= self.group

    def unimportant(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        counts: Any,
        step: Any = 0,
        exact: bool = True,
    ) -> Any:
        """See `Pattern.unimportant`."""
        return [
            self._mask(kernel, score, count)
            for kernel, score, count in zip(kernels, scores, counts)
        ]

    def nearness(
        self, kernels: Sequence[Kernel], scores: Any, masks: Any
    ) -> Any:
        """See `Pattern.nearness`; the threshold is that of the group."""
        return [
            self._by_group(
                kernel,
                (score, ops.cast(mask, "float32")),
                lambda s, m: _nearness(s, m > 0, axis=-1),
            )
            for kernel, score, mask in zip(kernels, scores, masks, strict=True)
        ]

    def _zeros(self, kernel, count, minimum=min):
        """The zeros of a group, if `count` zeros of the kernel are asked for.

        The kernel has at most as many zeros as are asked for.
        """
        return minimum(self.zeros, count * self.group // kernel.size)

    def _mask(self, kernel, score, count):
        zeros = self._zeros(kernel, count, ops.minimum)

        def of_groups(groups):
            share = zeros * groups.shape[-1] // self.group
            mask = _smallest_of_each(groups, share)
            # TensorFlow warns that its fast transpose does not take booleans.
            return ops.cast(mask, "uint8")

        mask = self._by_group(kernel, (score,), of_groups)
        return ops.cast(mask, "bool")

    def _by_group(self, kernel, arrays, function):
        """Applies a function to all groups, and restores the kernel's shape.

        Args:
            kernel: `Kernel`.
            arrays: Tuple of tensors of the kernel's shape.
            function: Callable that takes one tensor of shape (groups, weights)
                for each of `arrays`, and returns one tensor of that shape.
        """
        inputs, outputs = kernel.input_axes, kernel.output_axes
        if self.order == "input":
            axes = (*outputs, *kernel.spatial_axes, *inputs)
        else:
            axes = (*outputs, *inputs, *kernel.spatial_axes)
        run = self._run(kernel)
        rest = run % self.group
        rows = [
            ops.reshape(ops.transpose(array, axes), (-1, run))
            for array in arrays
        ]
        parts = []
        # First the whole groups of each run, then the shorter last group.
        for columns, width in (
            (slice(0, run - rest), self.group),
            (slice(run - rest, run), rest),
        ):
            if columns.stop > columns.start:
                groups = [
                    ops.reshape(row[:, columns], (-1, width)) for row in rows
                ]
                parts.append(
                    ops.reshape(
                        function(*groups), (-1, columns.stop - columns.start)
                    )
                )
        return _in_place(ops.concatenate(parts, axis=1), kernel, axes)

    def _run(self, kernel):
        """The number of consecutive weights that are cut into groups."""
        if self.order == "torch":
            return kernel.size
        return math.prod(kernel.shape[axis] for axis in kernel.input_axes)


class Block(Pattern):
    """Prunes whole blocks of input times output channels.

    The importance of a block is the mean importance of its weights. The share
    of pruned blocks is the share of weights that the kernel is to lose,
    rounded down. If the number of channels is not a multiple of the block's,
    the last blocks are smaller. The share of zeros may then differ a little
    from the share of pruned blocks. If a kernel has fewer channels on one side
    than a block, such as a first layer with 3 input channels, its blocks have
    one channel on that side. Among equal blocks, the first in the row-major
    order of (spatial, input, output) are pruned.

    Example: `Block(inputs=4)` for int8, where one instruction computes four
    input channels. TFLite stores the input channels innermost.

    Args:
        inputs: Integer, input channels in a block. Defaults to `1`.
        outputs: Integer, output channels in a block. Defaults to `1`.

    Raises:
        ValueError: If a side is below 1.
    """

    def __init__(self, inputs: int = 1, outputs: int = 1):
        self.inputs = whole_number("inputs", inputs, least=1)
        self.outputs = whole_number("outputs", outputs, least=1)

    def allows_zeros(self, kernel: Kernel, sparsity: float = 1.0) -> bool:
        # A kernel of one block would become all zeros.
        spatial, inputs, outputs = self._matrix(kernel)
        down, across = self._sides(inputs, outputs)
        return spatial > 1 or inputs > down or outputs > across

    def unimportant(
        self,
        kernels: Sequence[Kernel],
        scores: Any,
        counts: Any,
        step: Any = 0,
        exact: bool = True,
    ) -> Any:
        """See `Pattern.unimportant`."""
        means = [self._means(k, s) for k, s in zip(kernels, scores)]
        blocks = [math.prod(mean.shape) for mean in means]
        pruned = [
            _share(count, number, kernel.size)
            for kernel, count, number in zip(kernels, counts, blocks)
        ]
        chosen = Exact().smallest(means, pruned)
        return [
            ops.cast(self._expand(k, ops.cast(mask, "uint8")), "bool")
            for k, mask in zip(kernels, chosen)
        ]

    def nearness(
        self, kernels: Sequence[Kernel], scores: Any, masks: Any
    ) -> Any:
        """See `Pattern.nearness`; the score is that of the weight's block."""
        return [
            _nearness(self._expand(k, self._means(k, s)), mask, axis=None)
            for k, s, mask in zip(kernels, scores, masks, strict=True)
        ]

    def _axes(self, kernel):
        return (
            *kernel.spatial_axes,
            *kernel.input_axes,
            *kernel.output_axes,
        )

    def _matrix(self, kernel):
        """The numbers of spatial positions, input and output channels."""
        return [
            math.prod(kernel.shape[axis] for axis in axes)
            for axes in (
                kernel.spatial_axes,
                kernel.input_axes,
                kernel.output_axes,
            )
        ]

    def _means(self, kernel, score):
        spatial, inputs, outputs = self._matrix(kernel)
        matrix = ops.reshape(
            ops.transpose(score, self._axes(kernel)), (spatial, inputs, outputs)
        )
        sums = self._sums(matrix)
        return sums / self._sums(ops.ones_like(matrix[:1]))

    def _sides(self, inputs, outputs):
        """Input and output channels in a block of a kernel."""
        return (
            self.inputs if inputs >= self.inputs else 1,
            self.outputs if outputs >= self.outputs else 1,
        )

    def _sums(self, matrix):
        spatial, inputs, outputs = matrix.shape
        high, wide = self._sides(inputs, outputs)
        down, across = -inputs % high, -outputs % wide
        matrix = ops.pad(matrix, ((0, 0), (0, down), (0, across)))
        blocks = ops.reshape(
            matrix,
            (
                spatial,
                (inputs + down) // high,
                high,
                (outputs + across) // wide,
                wide,
            ),
        )
        return ops.sum(blocks, axis=(2, 4))

    def _expand(self, kernel, blocks):
        """Gives each weight the number of its block."""
        _, inputs, outputs = self._matrix(kernel)
        high, wide = self._sides(inputs, outputs)
        blocks = ops.repeat(blocks, high, axis=1)
        blocks = ops.repeat(blocks, wide, axis=2)
        blocks = blocks[:, :inputs, :outputs]
        return _in_place(blocks, kernel, self._axes(kernel))


def _share(count, number, size):
    """Returns `count * number / size` as an integer, rounded down."""
    if size % number == 0:
        return count // (size // number)
    share = ops.cast(count, "float32") * (number / size)
    return ops.cast(ops.floor(share), "int32")


def _nearness(scores, mask, axis):
    pruned = ops.where(mask, scores, 0.0)
    threshold = ops.max(pruned, axis=axis, keepdims=True)
    share = threshold / ops.maximum(scores, _TINY)
    return ops.where(mask, 1.0, ops.minimum(share, 1.0))


def _in_place(numbers, kernel, axes):
    """Transposes numbers in the order `axes` back to the kernel's axes."""
    numbers = ops.reshape(numbers, [kernel.shape[axis] for axis in axes])
    return ops.transpose(numbers, [axes.index(a) for a in range(len(axes))])


def _smallest_of_each(rows, count):
    counts = ops.broadcast_to(ops.cast(count, "int32"), (rows.shape[0],))
    return smallest(rows, counts)


PATTERNS = {"unstructured": Unstructured, "n_m": NM, "block": Block}
