"""Runs a `.tflite` file in the TFLite interpreter."""

import ctypes
import math
import os
import pathlib
from typing import Any

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.extras import needed_by
from issp_keras.files import StrPath
from issp_keras.inference.delegate_names import NO_DELEGATE
from issp_keras.inference.delegate_names import SPARSE

# TFLite crashes if the system gives it no more threads.
MOST_THREADS = 256
_WHITE = 255


class TFLiteInterpreter:
    """Runs an image-to-image `.tflite` file with float32 or uint8 images.

    Args:
        path: Path of the file.
        threads: Integer. Defaults to `1`.
        delegate: Path of a TFLite delegate library (`.so`), `"sparse"` for
            the delegate of this package, a loaded delegate, `"none"` or None.

    Attributes:
        delegate: The loaded delegate, or None.
        size: Pair (height, width) if the file fixes them, otherwise None.

    Raises:
        InputError: If the file is missing or broken, or its input or output is
            not one RGB image, channels last, float32 in 0..1 or uint8. If the
            delegate cannot be loaded or `threads` is not positive, it is an
            `ArgumentError`.
    """

    def __init__(
        self, path: StrPath, threads: int = 1, delegate: Any = None
    ) -> None:
        with needed_by("A .tflite file"):
            from ai_edge_litert import interpreter as litert

        check_threads(threads)
        path = pathlib.Path(path)
        # Imported here, since a .keras file does not need it.
        from issp_keras.tflite import flatbuffer

        flatbuffer.check_constants(path)
        self.delegate = _load(delegate)
        delegates = [self.delegate] if self.delegate else []
        with blame(f"{path}: is not a TFLite model", ValueError, RuntimeError):
            self._interpreter = litert.Interpreter(
                model_path=str(path),
                num_threads=threads,
                experimental_delegates=delegates,
            )
            # Names that are not UTF-8 fail here.
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        for tensors in (inputs, outputs):
            if len(tensors) != 1 or not _is_rgb(tensors[0]):
                raise InputError(
                    f"{path}: expected one input and one output, RGB images "
                    "of shape (1, height, width, 3), float32 in 0..1 or uint8 "
                    "in 0..255."
                )
        size = tuple(inputs[0]["shape_signature"][1:3].tolist())
        self.size = None if -1 in size else size
        self._signature = inputs[0]["shape_signature"]
        self._dtype = inputs[0]["dtype"]
        self._input = inputs[0]["index"]
        self._output = outputs[0]["index"]
        self._shape: tuple[int, ...] | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.set_input(images)
        self.invoke()
        output = self._interpreter.get_tensor(self._output)
        if output.dtype == np.uint8:
            return output.astype(np.float32) / _WHITE
        return output

    def set_input(self, images: np.ndarray) -> None:
        """Sets the input, float32 (batch, height, width, 3) in 0..1."""
        if images.shape != self._shape:
            if -1 in self._signature:
                self._interpreter.resize_tensor_input(self._input, images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        if self._dtype == np.uint8:
            images = np.clip(images * _WHITE + 0.5, 0, _WHITE).astype(np.uint8)
        self._interpreter.set_tensor(self._input, images)

    def invoke(self) -> None:
        """Runs the network once, for timing."""
        self._interpreter.invoke()


def check_threads(threads: int):
    """Checks a number of threads.

    Raises:
        ArgumentError: If it is not a whole number of at least 1.
    """
    if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise ArgumentError(
            "threads",
            f"is {threads!r}, expected a whole number from 1 to "
            f"{MOST_THREADS}.",
        )


def _load(delegate):
    if not delegate or delegate == NO_DELEGATE:
        return None
    if delegate == SPARSE:
        from issp_keras.tflite.delegate import load

        return load()
    if not isinstance(delegate, str | os.PathLike):
        return delegate
    with needed_by("A delegate"):
        from ai_edge_litert import interpreter as litert

    path = pathlib.Path(delegate)
    if not path.is_file():
        raise ArgumentError(
            "delegate",
            f"{delegate}: no such file, expected '{SPARSE}', "
            f"'{NO_DELEGATE}' or a delegate library.",
        )
    # Without a folder, the system would search its library folders.
    library = str(path.resolve())
    causes = (OSError, ValueError, RuntimeError, AttributeError)
    what = f"{delegate}: cannot be loaded"
    with blame(what, *causes, argument="delegate"):
        # Try first, since TFLite prints a traceback if it fails.
        ctypes.CDLL(library)
        return litert.load_delegate(library)


def _is_rgb(tensor):
    signature = tensor["shape_signature"]
    if len(signature) != 4 or signature[-1] != 3:
        return False
    if tensor["dtype"] != np.uint8:
        return tensor["dtype"] == np.float32
    # Not quantised, or quantised to the levels of 8-bit images.
    scale, zero = tensor["quantization"]
    return zero == 0 and (
        scale == 0 or math.isclose(scale, 1 / _WHITE, rel_tol=1e-6)
    )
