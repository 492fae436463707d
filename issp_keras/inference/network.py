"""Applies a super-resolution network to whole photographs."""

import functools
import itertools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from issp_keras.data import TURNS
from issp_keras.data import to_rgb
from issp_keras.data import turn
from issp_keras.data import turn_back
from issp_keras.errors import ArgumentError
from issp_keras.inference import tiles
from issp_keras.inference.tile_sizes import ALIGNMENT
from issp_keras.inference.tile_sizes import TILE

# Height in LR pixels of the strips that measure the receptive field.
_STRIP = 48
# The overlap for a network with an unlimited receptive field. Tiles then
# cannot give exactly the result of the whole photograph.
_OVERLAP_OF_AN_UNLIMITED_FIELD = 32
# ITU-R BT.601, the weights with which image libraries convert RGB to grey.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Network:
    """Applies a super-resolution network to a photograph of any size.

    Large photographs are cut into overlapping tiles, so that memory stays
    bounded. The overlap is the measured receptive field of the network (at
    most 36 LR pixels on each side for EDSR-baseline). The result then equals
    the result for the whole photograph. There are two exceptions:

    - The receptive field is larger than a quarter of a tile, for example the
      whole photograph (RCAN, CAT-A). A warning says so.
    - The network takes images of one size only and has attention windows. The
      tiles then cut the photograph at other places than the windows.

    Args:
        apply: Callable that maps float32 (1, height, width, 3) in 0..1 to
            (1, scale * height, scale * width, 3).
        size: Pair, the only height and width that `apply` takes, or None if
            it takes any.
        tile: Integer, height and width of a tile in LR pixels if `apply`
            takes any size; 0 for whole photographs. Defaults to `384`.
        overlap: Integer, LR pixels around a tile that are computed and cut
            off, at most a quarter of a tile. By default it is measured.
        self_ensemble: Boolean, whether to upscale each tile in all 8 flips and
            rotations and return the mean ("+" in papers). This takes 8 times
            as long.

    Attributes:
        apply: Callable, as given.
        scale: Integer, the magnification, measured with a test image.

    Raises:
        ValueError: If `apply` does not map an RGB image to a larger one.
        ArgumentError: If `apply` cannot take the rotated tiles of
            `self_ensemble`.
    """

    def __init__(
        self,
        apply: Callable[[np.ndarray], np.ndarray],
        size: tuple[int, int] | None = None,
        tile: int = TILE,
        overlap: int | None = None,
        self_ensemble: bool = False,
    ) -> None:
        if self_ensemble and size and size[0] != size[1]:
            raise ArgumentError(
                "self_ensemble",
                f"the network only takes {size[1]}x{size[0]} pixels, expected "
                "a square, which can be rotated.",
            )
        self.apply: Any = apply
        self._size = size
        self._tile = size or (tile, tile)
        self._fixed_overlap = overlap
        self._turns = range(TURNS) if self_ensemble else range(1)
        height, width = size or (16, 24)
        output = apply(np.zeros((1, height, width, 3), np.float32))
        self.scale = output.shape[1] // height if output.ndim == 4 else 0
        expected = (1, self.scale * height, self.scale * width, 3)
        if self.scale < 2 or output.shape != expected:
            raise ValueError(
                f"returns {output.shape} for an image of shape (1, {height}, "
                f"{width}, 3), expected an RGB image 2 or more times larger."
            )

    def upscale(
        self,
        pixels: np.ndarray,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Upscales one photograph.

        Args:
            pixels: Array of shape (height, width, 3), or (height, width) for
                grey; uint8, uint16, or float32 in 0..1.
            progress: Callable that receives two integers after each tile: the
                number of finished tiles, and the number of all tiles.

        Returns:
            Array of the same dtype, `scale` times taller and wider, RGB or
            grey as `pixels`. Integers are rounded and clipped; floats are
            not.

        Raises:
            ValueError: If `pixels` has another dtype.
        """
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise ValueError(
                "`pixels` must be uint8, uint16 or float32. "
                f"Received: dtype={pixels.dtype}"
            )
        height, width = pixels.shape[:2]
        if self._size:
            pixels = _grow(pixels, *self._size)
        s = self.scale
        result = np.empty(
            (s * pixels.shape[0], s * pixels.shape[1], *pixels.shape[2:]),
            pixels.dtype,
        )
        cuts = list(itertools.product(*self._cuts(pixels.shape[:2])))
        for i, (rows, columns) in enumerate(cuts):
            (top, bottom, y0, y1), (left, right, x0, x1) = rows, columns
            output = self._upscale_tile(pixels[top:bottom, left:right])
            used = output[
                s * (y0 - top) : s * (y1 - top),
                s * (x0 - left) : s * (x1 - left),
            ]
            result[s * y0 : s * y1, s * x0 : s * x1] = _levels(used, pixels)
            progress(i + 1, len(cuts))
        return result[: s * height, : s * width]

    def overlap_for(self, shape: Sequence[int]) -> int:
        """Returns the overlap of the tiles of an image in LR pixels.

        The overlap is measured once, for the first image larger than a tile.

        Args:
            shape: Sequence, the height and width of the image first.
        """
        sizes = zip(shape[:2], self._tile, strict=True)
        is_tiled = any(size > tile > 0 for size, tile in sizes)
        return self._overlap if is_tiled else 0

    def _cuts(self, shape):
        """Yields the tiles along the height, then those along the width."""
        overlap = self.overlap_for(shape)
        for size, tile in zip(shape, self._tile, strict=True):
            yield tiles.cut(size, tile or size, overlap, bool(self._size))

    @functools.cached_property
    def _overlap(self):
        most = min(self._tile) // 4
        if self._fixed_overlap is not None:
            return min(self._fixed_overlap, most)
        if self._size is None:
            most -= most % ALIGNMENT
        strip = _STRIP, max(TILE, *self._tile)
        found: list[Any] = [
            tiles.reach(self.apply, *(self._size or strip)),
            tiles.reach(
                _transposed(self.apply), *(self._size or strip[::-1])[::-1]
            ),
        ]
        if None in found or max(found) > most:
            logging.warning(
                "The receptive field of the network is larger than the %d "
                "pixels by which tiles of %dx%d can overlap: the result may "
                "differ slightly from that of the whole photograph.",
                most,
                *self._tile[::-1],
            )
        if None in found:
            return min(_OVERLAP_OF_AN_UNLIMITED_FIELD, most)
        steps = -(-max(found) // ALIGNMENT)
        return min(steps * ALIGNMENT, most)

    def _upscale_tile(self, pixels):
        """Returns the float32 output for a grey or RGB tile of any dtype."""
        image = to_rgb(pixels).astype(np.float32)
        if pixels.dtype != np.float32:
            image /= np.iinfo(pixels.dtype).max
        outputs = (
            turn_back(
                self.apply(np.ascontiguousarray(turn(image, which))[None])[0],
                which,
            )
            for which in self._turns
        )
        return sum(outputs) / np.float32(len(self._turns))


def _levels(output, pixels):
    """Converts an output to the dtype and the channels of `pixels`."""
    if pixels.ndim == 2:
        output = output @ _LUMA
    if pixels.dtype == np.float32:
        return output
    white = np.iinfo(pixels.dtype).max
    return np.clip(np.floor(output * white + 0.5), 0, white)


def _transposed(apply):
    return lambda images: apply(images.swapaxes(1, 2)).swapaxes(1, 2)


def _grow(pixels, height, width):
    """Pads bottom and right by mirroring, up to a smallest size."""
    missing = [
        max(0, least - size)
        for least, size in zip((height, width), pixels.shape[:2], strict=True)
    ]
    padding = [(0, n) for n in missing] + [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, padding, "symmetric")
