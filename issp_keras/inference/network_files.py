"""Networks from files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.inference.bundled import network_path
from issp_keras.inference.interpreter import TFLiteInterpreter
from issp_keras.inference.interpreter import check_threads
from issp_keras.inference.network import Network

if TYPE_CHECKING:
    import keras


def load_network(
    path: StrPath, threads: int = 1, delegate: str | None = None, **options: Any
) -> Network:
    """Loads a `.keras` or `.tflite` super-resolution network.

    Args:
        path: Path of the file, or the name of a network that comes with this
            package, one of `bundled_networks()`.
        threads: Integer, threads of the TFLite interpreter.
        delegate: Path of a TFLite delegate library, `"sparse"` for the one of
            this package, or None.
        **options: Of `Network`: `tile`, `self_ensemble`.

    Raises:
        InputError: If the file is missing, broken, has weights that are no
            finite numbers, or is not a network that maps an RGB image to a
            larger one. An `ArgumentError` if the
            delegate cannot be loaded, `threads` is not positive, or an option
            is not usable with this network.
    """
    check_threads(threads)
    path = network_path(path)
    if path.suffix.lower() == ".tflite":
        interpreter = TFLiteInterpreter(path, threads, delegate)
        return _network(path, interpreter, interpreter.size, **options)
    if delegate:
        raise ArgumentError(
            "delegate",
            f"{delegate}: is for .tflite files, and the network is {path}.",
        )
    # Here alone, since a .tflite file needs no Keras.
    from issp_keras.models import check_finite
    from issp_keras.models import load_model

    model = load_model(path)
    check_finite(model, path)
    return network_of(model, path, **options)


def network_of(model: keras.Model, path: StrPath, **options: Any) -> Network:
    """A Keras model, loaded from `path`, as a network.

    Raises:
        InputError: If it does not map an RGB image to a larger one.
    """
    return _network(path, keras_network(model), fixed_size(model), **options)


def _network(path, apply, size, **options):
    # What is no such network fails here, in a way of its own.
    with blame(f"{path}: is not a super-resolution network", Exception):
        return Network(apply, size, **options)


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """The one height and width that a model takes, or None if it takes any."""
    shape: Any = getattr(model, "input_shape", None)
    is_image = isinstance(shape, tuple) and len(shape) == 4
    if not is_image or None in shape[1:3]:
        return None
    return shape[1:3]


def keras_network(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A Keras model as a function of arrays."""
    import keras

    return lambda x: keras.ops.convert_to_numpy(model(x, training=False))
