"""Compares `.tflite` files with their Keras network on photographs."""

import dataclasses
import functools
import statistics

import keras
import numpy as np

from issp_keras import metrics
from issp_keras.data import EMBEDDED
from issp_keras.data import Pair
from issp_keras.data import load_pairs
from issp_keras.data import to_rgb
from issp_keras.files import StrPath
from issp_keras.inference import KerasNetwork
from issp_keras.inference import Network
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import load_network
from issp_keras.inference import network_of
from issp_keras.scores import SMALLEST
from issp_keras.tflite.convert import in_float32

# LR pixels of the patches on which errors are measured.
_PATCH = 64
# A file for one size is scored on this many tiles a side, and at least on this
# many LR pixels a side.
_TILES, _SHORTEST = 4, 16


@dataclasses.dataclass(frozen=True)
class Parity:
    """How a file compares with its Keras network.

    Attributes:
        max_error: Float, the largest absolute difference of the outputs,
            which are in 0..1, on a patch of each photograph.
        psnr: Float, the mean PSNR of the file on the photographs, in dB on Y
            (luma).
        keras_psnr: Float, the mean PSNR of the Keras network.
    """

    max_error: float
    psnr: float
    keras_psnr: float

    @property
    def drop(self) -> float:
        """The PSNR in dB that the file loses against the Keras network."""
        return self.keras_psnr - self.psnr


class Reference:
    """A Keras network and photographs to compare files with.

    Args:
        model: `keras.Model`.
        pairs: List of `data.Pair`. Defaults to the embedded photographs that
            are held out from training.

    Attributes:
        scale: Integer, the network's magnification.

    Raises:
        InputError: If the model is not a super-resolution network, or the
            photographs are too small.
    """

    def __init__(self, model: keras.Model, pairs: list[Pair] | None = None):
        model = in_float32(model)
        self.scale = network_of(model, model.name).scale
        self._pairs = pairs or load_pairs(
            EMBEDDED, "held_out", self.scale, SMALLEST
        )
        self._apply = KerasNetwork(model)
        self._psnr_of_keras = functools.cache(self._psnr_in_tiles)
        self._patches = functools.cache(self._patches_of)

    def compare(self, path: StrPath) -> Parity:
        """Runs a `.tflite` file of the network, and compares the results."""
        interpreter = TFLiteInterpreter(path)
        errors = [
            np.abs(interpreter(image) - expected).max()
            for image, expected in self._patches(interpreter.size)
        ]
        return Parity(
            float(max(errors)),
            self._psnr(load_network(path), interpreter.size),
            self._psnr_of_keras(interpreter.size),
        )

    def _psnr_in_tiles(self, size):
        """The PSNR of the Keras network, in tiles of `size` if it is given."""
        return self._psnr(Network(self._apply, size), size)

    def _patches_of(self, size):
        """Patches, and the outputs of the Keras network for them."""
        size = size or (_PATCH, _PATCH)
        images = [patch(pair.lr, size)[None] for pair in self._pairs]
        return [(image, np.clip(self._apply(image), 0, 1)) for image in images]

    def _psnr(self, network, size):
        scores = []
        for pair in self._pairs:
            lr, hr = _middle(pair, size)
            sr = network.upscale(lr)
            scores.append(metrics.psnr(sr, hr, self.scale))
        return statistics.fmean(scores)


def _middle(pair, size):
    """The middle of LR and HR that some tiles of `size` cover, or all."""
    if size is None:
        return pair.lr, pair.hr
    sides = [
        min(given, max(_TILES * side, _SHORTEST))
        for given, side in zip(pair.lr.shape[:2], size, strict=True)
    ]
    top, left = (
        (given - side) // 2
        for given, side in zip(pair.lr.shape[:2], sides, strict=True)
    )
    bottom, right = top + sides[0], left + sides[1]
    s = pair.scale
    return (
        pair.lr[top:bottom, left:right],
        pair.hr[s * top : s * bottom, s * left : s * right],
    )


def patch(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a photograph, mirrored where it is too small.

    Args:
        pixels: uint8 array of shape (height, width, 3), or (height, width).
        size: Pair of the result's height and width.

    Returns:
        float32 array of shape (*size, 3) in 0..1.
    """
    missing = [
        max(0, wanted - given)
        for wanted, given in zip(size, pixels.shape[:2], strict=True)
    ]
    image = to_rgb(pixels)
    image = np.pad(
        image,
        [(some // 2, some - some // 2) for some in missing] + [(0, 0)],
        "symmetric",
    )
    top, left = (
        (given - wanted) // 2
        for wanted, given in zip(size, image.shape[:2], strict=True)
    )
    image = image[top : top + size[0], left : left + size[1]]
    return image.astype(np.float32) / 255
