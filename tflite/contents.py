"""The contents of a `.tflite` file: the results of `inspect`."""

import dataclasses
from typing import Any

from issp_keras.tflite import eligibility


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A constant of a file.

    Attributes:
        name: String.
        shape: Tuple of integers.
        dtype: String.
        count: Integer, the number of its values.
        nonzeros: Integer, how many of them are not zero.
        encoding: String, "dense", or "sparse" and the order of dimensions.
            Compressed dimensions are in brackets.
        bytes: Integer, stored bytes of values and indices.
        dense_bytes: Integer, bytes if it were stored with its zeros.
        floor_bytes: Float, a lower bound for the bytes of any encoding that
            does not compress values (`encoding.floor`).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    nonzeros: int
    encoding: str
    bytes: int
    dense_bytes: int
    floor_bytes: float

    @property
    def is_sparse(self) -> bool:
        """Whether it is stored without its zeros."""
        return self.encoding != "dense"


NOT_ASKED = "it was not asked"


@dataclasses.dataclass(frozen=True)
class Layer:
    """An operator with a kernel.

    Attributes:
        name: String.
        operator: String, such as "CONV_2D".
        kernel: `Tensor`.
        blocks: Integer, blocks of four input channels whose weights are not
            all zero. The sparse delegate computes these blocks of a layer in
            int8. None for other layers.
        all_blocks: Integer, the number of blocks of the kernel; None for
            other layers.
        macs: Integer, multiply-adds of the kernel for one image, or None if
            the image's size is not known.
        sparse_macs: Integer, the multiply-adds with non-zero weights.
        xnnpack: Dict by platform: the reason why stock XNNPACK does not run
            the layer sparse, or None if it does.
        delegate: String, the reason why the sparse delegate of issp_keras
            does not run the layer sparse (`NOT_ASKED` if it was not asked),
            or None if it does.
    """

    name: str
    operator: str
    kernel: Tensor
    blocks: int | None
    all_blocks: int | None
    macs: int | None
    sparse_macs: int | None
    xnnpack: dict[str, str | None]
    delegate: str | None


@dataclasses.dataclass(frozen=True)
class Weights:
    """The kernels of a network.

    Attributes:
        count: Integer, weights in all kernels.
        nonzeros: Integer, how many of them are not zero.
        sparse_kernels: Integer, kernels that are stored sparse.
        kernels: Integer, kernels in all.
    """

    count: int
    nonzeros: int
    sparse_kernels: int
    kernels: int


@dataclasses.dataclass(frozen=True)
class Inspection:
    """A `.tflite` file.

    Attributes:
        path: String.
        bytes: Integer, its size.
        gzip_bytes: Integer, its size after gzip.
        zip_bytes: Integer, its size in an APK, as zip deflates it.
        floor_bytes: Float, a lower bound for the bytes of its constants.
        size: Pair of the height and width for which multiply-adds are
            counted, or None.
        tensors: List of `Tensor`, all constants.
        layers: List of `Layer`.
        speedups: List of floats, one for each part that the sparse delegate
            takes: how many times as fast as dense it expects the part to be.
            Empty if it was not asked.
        metadata: Dict, the facts that `issp-export` stored about the network,
            or None.
    """

    path: str
    bytes: int
    gzip_bytes: int
    zip_bytes: int
    floor_bytes: float
    size: tuple[int, int] | None
    tensors: list[Tensor]
    layers: list[Layer]
    speedups: list[float]
    metadata: dict[str, Any] | None

    @property
    def weights(self) -> Weights:
        """Totals of the kernels. A kernel that layers share counts once."""
        return count_weights(layer.kernel for layer in self.layers)

    @property
    def sparse_layers(self) -> dict[str, int]:
        """How many layers stock XNNPACK runs sparse on each platform."""
        return {
            platform: sum(
                layer.xnnpack[platform] is None for layer in self.layers
            )
            for platform in eligibility.PLATFORMS
        }

    @property
    def macs(self) -> int | None:
        """Multiply-adds of all kernels for one image, or None."""
        return _sum(layer.macs for layer in self.layers)

    @property
    def sparse_macs(self) -> int | None:
        """Multiply-adds with non-zero weights for one image, or None."""
        return _sum(layer.sparse_macs for layer in self.layers)


def count_weights(kernels) -> Weights:
    """The totals of some `Tensor`s. A repeated one counts once."""
    kernels = list({id(kernel): kernel for kernel in kernels}.values())
    return Weights(
        sum(kernel.count for kernel in kernels),
        sum(kernel.nonzeros for kernel in kernels),
        sum(kernel.is_sparse for kernel in kernels),
        len(kernels),
    )


def _sum(numbers):
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)
