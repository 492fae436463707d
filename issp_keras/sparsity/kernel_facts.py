"""The static facts about a pruned kernel, without its values."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The static facts about one pruned kernel.

    Args:
        index: Integer, its index among the pruned kernels of the model.
        path: String, such as `"body.3.conv1/kernel"`.
        shape: Tuple of integers.
        input_axes: Tuple of integers, the axes of the input channels. TFLite
            stores them innermost.
        output_axes: Tuple of integers, the axes of the output channels. The
            other axes are spatial.
        uses: Float, how often each weight is used for one input, in a unit
            that all kernels of the model share. It is counted only if the
            distribution sets `needs_uses`. Defaults to `1.0`.
    """

    index: int
    path: str
    shape: tuple[int, ...]
    input_axes: tuple[int, ...]
    output_axes: tuple[int, ...]
    uses: float = 1.0

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        channels = (*self.input_axes, *self.output_axes)
        return tuple(a for a in range(len(self.shape)) if a not in channels)
