"""Python bindings for the engine's C API, for benchmarks and tests."""

import ctypes
import json

import numpy as np

_TYPES = (np.float32, np.int8, np.uint8)
_POINTER = ctypes.c_void_p
_TEXT = 256


class _Options(ctypes.Structure):
    _fields_ = (
        ("threads", ctypes.c_int32),
        ("cache_bytes", ctypes.c_int32),
        ("tuning_seconds", ctypes.c_double),
        ("profile", ctypes.c_int32),
    )


class _Image(ctypes.Structure):
    _fields_ = (
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("type", ctypes.c_int),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    )


class EngineError(ValueError):
    """The engine refuses a file, a size or an image."""


class Engine:
    """A network that the engine has opened.

    Args:
        library: Path of `libissp_engine.so`.
        network: Path of a `.tflite` file, or its bytes.
        threads: Integer, 0 for one on each core. Defaults to `1`.
        tuning_seconds: Float. Defaults to the engine's default.

    Raises:
        EngineError: If the network cannot be opened.
    """

    def __init__(self, library, network, threads=1, tuning_seconds=-1):
        self._library = _load(str(library))
        options = _Options(threads, 0, tuning_seconds, 0)
        error = ctypes.create_string_buffer(_TEXT)
        rest = ctypes.byref(options), error, _TEXT
        if isinstance(network, bytes):
            opened = self._library.issp_open(network, len(network), *rest)
        else:
            path = str(network).encode()
            opened = self._library.issp_open_file(path, *rest)
        if not opened:
            raise EngineError(error.value.decode())
        self._network = _POINTER(opened)
        self._size = None

    def close(self):
        self._library.issp_close(self._network)

    @property
    def input(self):
        """Height, width and channels of an image, with 0 for any."""
        return self._image("input")[:3]

    def run(self, images: np.ndarray) -> np.ndarray:
        """Computes one image of shape (1, height, width, channels).

        Raises:
            EngineError: If the network does not take this image.
        """
        size = images.shape[1:3]
        if size != self._size:
            self._check(self._library.issp_resize(self._network, *size))
            self._size = size
        height, width, channels, kind = self._image("output")
        made = np.empty((1, height, width, channels), kind)
        taken = np.ascontiguousarray(images, self._image("input")[3])
        status = self._library.issp_run(
            self._network, _pointer(taken), _pointer(made)
        )
        self._check(status)
        return made

    def upscale(self, pixels: np.ndarray, tile=0, overlap=-1) -> np.ndarray:
        """Upscales uint8 pixels of shape (height, width, 3 or 4) in tiles."""
        height, width, channels = pixels.shape
        self._size = None
        tiles = self._library.issp_start(
            self._network, height, width, tile, overlap
        )
        self._check(min(tiles, 0))
        scale = self._library.issp_scale(self._network)
        pixels = np.ascontiguousarray(pixels)
        made = np.empty((scale * height, scale * width, channels), np.uint8)
        for i in range(tiles):
            status = self._library.issp_upscale(
                self._network,
                i,
                _pointer(pixels),
                ctypes.c_size_t(width * channels),
                channels,
                _pointer(made),
                ctypes.c_size_t(scale * width * channels),
            )
            self._check(status)
        return made

    def describe(self) -> dict:
        return json.loads(self._library.issp_describe(self._network))

    def _image(self, which):
        image = _Image()
        ask = getattr(self._library, f"issp_{which}")
        ask(self._network, ctypes.byref(image))
        kind = _TYPES[image.type]
        return image.height, image.width, image.channels, kind

    def _check(self, status):
        if status < 0:
            text = self._library.issp_error(self._network)
            raise EngineError(text.decode())


def _load(path):
    library = ctypes.CDLL(path)
    for name in ("open", "open_file"):
        getattr(library, f"issp_{name}").restype = _POINTER
    library.issp_open.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        _POINTER,
        ctypes.c_char_p,
        ctypes.c_size_t,
    )
    for name in ("error", "describe", "version"):
        getattr(library, f"issp_{name}").restype = ctypes.c_char_p
    return library


def _pointer(array):
    return array.ctypes.data_as(_POINTER)
