"""A network from a file, applied to whole photographs."""

import itertools
import math
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from issp_keras.data import to_grey
from issp_keras.data import to_rgb
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.models import load_model


class Network:
    """A super-resolution network, applied to a photograph of any size.

    Large photographs are cut into overlapping tiles, so that memory stays
    bounded. The result equals that of the whole photograph where the overlap
    covers what the network sees around a pixel (36 LR pixels each way for
    EDSR-baseline, 68 for EDSR-L). It does not equal it, where the photograph
    is larger than a tile, for networks that see all of it, RCAN and CAT-A,
    nor for windows of attention that tiles cut in other places.

    Args:
        apply: Callable that maps float32 (1, height, width, 3) in 0..1 to
            (1, scale * height, scale * width, 3).
        size: Pair of the only height and width that `apply` takes, or None
            if it takes any.
        tile: Integer, height and width of a tile in LR pixels, where `apply`
            takes any. Defaults to `384`.
        overlap: Integer, LR pixels around a tile that are computed and cut
            off. Defaults to `72`, and never more than a quarter of a tile.

    Attributes:
        scale: Integer, the magnification, found by trying.

    Raises:
        ValueError: If `apply` makes no larger RGB image of one.
    """

    def __init__(self, apply, size=None, tile=384, overlap=72):
        self._apply = apply
        self._size = size
        self._tile = size or (tile, tile)
        self._overlap = min(overlap, min(self._tile) // 4)
        height, width = size or (16, 24)
        output = apply(np.zeros((1, height, width, 3), np.float32))
        self.scale = output.shape[1] // height if output.ndim == 4 else 0
        expected = (1, self.scale * height, self.scale * width, 3)
        if self.scale < 2 or output.shape != expected:
            raise ValueError(
                f"makes {output.shape} of an image of shape (1, {height}, "
                f"{width}, 3), expected an RGB image 2 or more times larger."
            )

    def upscale(self, pixels: np.ndarray) -> np.ndarray:
        """Upscales one photograph.

        Args:
            pixels: uint8 array of shape (height, width, 3), or (height,
                width) for grey.

        Returns:
            uint8 array, `scale` times taller and wider, RGB or grey as
            `pixels`.
        """
        result = self._upscale_rgb(to_rgb(pixels))
        return to_grey(result) if pixels.ndim == 2 else result

    def _upscale_rgb(self, pixels):
        height, width = pixels.shape[:2]
        if self._size:
            pixels = _grow(pixels, *self._size)
        s = self.scale
        tall, wide = self._tile
        result = np.empty(
            (s * pixels.shape[0], s * pixels.shape[1], 3), np.uint8
        )
        rows = _tiles(pixels.shape[0], tall, self._overlap)
        columns = _tiles(pixels.shape[1], wide, self._overlap)
        for (top, y0, y1), (left, x0, x1) in itertools.product(rows, columns):
            tile = pixels[top : top + tall, left : left + wide]
            output = self._upscale_tile(tile)
            result[s * y0 : s * y1, s * x0 : s * x1] = output[
                s * (y0 - top) : s * (y1 - top),
                s * (x0 - left) : s * (x1 - left),
            ]
        return result[: s * height, : s * width]

    def _upscale_tile(self, pixels):
        output = self._apply(pixels[None].astype(np.float32) / 255)[0]
        return np.clip(np.floor(output * 255 + 0.5), 0, 255).astype(np.uint8)


def _grow(pixels, height, width):
    """Mirrors bottom and right up to a least height and width."""
    missing = [
        max(0, least - size)
        for least, size in zip((height, width), pixels.shape[:2], strict=True)
    ]
    return np.pad(pixels, [(0, n) for n in (*missing, 0)], "symmetric")


def _tiles(size, tile, overlap):
    """Cuts a length into tiles that overlap their neighbours on both sides.

    Yields:
        Triples (first, start, end): the tile begins at `first` and is
        `min(tile, size)` long; it is used for `[start, end)`.
    """
    if size <= tile:
        yield 0, 0, size
        return
    step = tile - 2 * overlap
    count = math.ceil((size - 2 * overlap) / step)
    for i in range(count):
        first = min(i * step, size - tile)
        start = 0 if i == 0 else i * step + overlap
        end = size if i == count - 1 else (i + 1) * step + overlap
        yield first, start, end


def load_network(path, threads: int = 1) -> Network:
    """Loads a `.keras` or `.tflite` super-resolution network.

    Args:
        path: Path of the file.
        threads: Integer, threads of the TFLite interpreter.

    Raises:
        InputError: If the file is missing, broken, or not a network that
            maps an RGB image to a larger one.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".tflite":
        interpreter = TFLiteInterpreter(path, threads)
        return _network(path, interpreter, interpreter.size)
    return network_of(load_model(path), path)


def network_of(model: keras.Model, path) -> Network:
    """A Keras model, loaded from `path`, as a network.

    Raises:
        InputError: If it does not map an RGB image to a larger one.
    """
    return _network(path, keras_network(model), fixed_size(model))


def _network(path, apply, size):
    # What is no such network fails here, in a way of its own.
    with blame(f"{path}: is not a super-resolution network", Exception):
        return Network(apply, size)


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """The one height and width that a model takes, or None if it takes any."""
    shape: Any = getattr(model, "input_shape", None)
    is_image = isinstance(shape, tuple) and len(shape) == 4
    if not is_image or None in shape[1:3]:
        return None
    return shape[1:3]


def keras_network(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A Keras model as a function of arrays."""
    return lambda x: keras.ops.convert_to_numpy(model(x, training=False))


class TFLiteInterpreter:
    """Runs a float32 image-to-image `.tflite` file.

    Args:
        path: Path of the file.
        threads: Integer. Defaults to `1`.

    Attributes:
        size: Pair (height, width) if the file fixes them, else None.

    Raises:
        InputError: If the file is missing, broken, or has other inputs or
            outputs than one RGB image each, float32, channels last.
    """

    def __init__(self, path, threads=1):
        from ai_edge_litert.interpreter import Interpreter

        path = pathlib.Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file.")
        with blame(f"{path}: is not a TFLite model", ValueError, RuntimeError):
            self._interpreter = Interpreter(
                model_path=str(path), num_threads=threads
            )
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        for tensors in (inputs, outputs):
            if len(tensors) != 1 or not _is_rgb_float(tensors[0]):
                raise InputError(
                    f"{path}: expected one float32 RGB image of shape "
                    "(1, height, width, 3) in and one out."
                )
        size = tuple(inputs[0]["shape_signature"][1:3].tolist())
        self.size = None if -1 in size else size
        self._signature = inputs[0]["shape_signature"]
        self._input = inputs[0]["index"]
        self._output = outputs[0]["index"]
        self._shape = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.set_input(images)
        self.invoke()
        return self._interpreter.get_tensor(self._output)

    def set_input(self, images: np.ndarray):
        """Sets the input, float32 (batch, height, width, 3)."""
        if images.shape != self._shape:
            if -1 in self._signature:
                self._interpreter.resize_tensor_input(self._input, images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input, images)

    def invoke(self):
        """Runs the network once, for timings."""
        self._interpreter.invoke()


def _is_rgb_float(tensor):
    signature = tensor["shape_signature"]
    return (
        tensor["dtype"] == np.float32
        and len(signature) == 4
        and signature[-1] == 3
    )
