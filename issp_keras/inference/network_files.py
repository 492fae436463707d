"""Loads networks from files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.inference.bundled import find_bundled
from issp_keras.inference.bundled import network_path
from issp_keras.inference.delegate_names import NO_DELEGATE
from issp_keras.inference.delegate_names import SPARSE
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
            package (`bundled_networks()` lists them).
        threads: Integer, threads of the TFLite interpreter.
        delegate: Path of a TFLite delegate library, `"sparse"` for the
            delegate of this package, or `"none"`. Defaults to `"sparse"` for
            networks that come with this package, if the delegate is compiled.
            Defaults to `"none"` for others.
        **options: `tile` and `self_ensemble` of `Network`.

    Raises:
        InputError: If the file is missing or broken, holds NaN or infinite
            weights, or if the network does not map an RGB image to a larger
            one. If the delegate cannot be loaded, `threads` is not positive,
            or an option is not usable with this network, it is an
            `ArgumentError`.
    """
    check_threads(threads)
    is_bundled = find_bundled(path) is not None
    path = network_path(path)
    if path.suffix.lower() == ".tflite":
        if is_bundled and delegate is None:
            delegate = _compiled_delegate()
        interpreter = TFLiteInterpreter(path, threads, delegate)
        return _network(path, interpreter, interpreter.size, **options)
    if delegate not in (None, NO_DELEGATE):
        raise ArgumentError(
            "delegate",
            f"{delegate}: is for .tflite files, but the network is {path}.",
        )
    # Imported here, since a .tflite file does not need Keras.
    from issp_keras.models import check_finite
    from issp_keras.models import load_model

    model = load_model(path)
    check_finite(model, path)
    return network_of(model, path, **options)


def _compiled_delegate():
    from issp_keras.tflite.delegate import is_compiled

    return SPARSE if is_compiled() else None


def network_of(model: keras.Model, path: StrPath, **options: Any) -> Network:
    """Makes a `Network` of a Keras model.

    Args:
        model: `keras.Model`.
        path: Path or name of the model for error messages.
        **options: `tile` and `self_ensemble` of `Network`.

    Raises:
        InputError: If the model does not map an RGB image to a larger one.
    """
    return _network(path, KerasNetwork(model), fixed_size(model), **options)


def _network(path, apply, size, **options):
    # Other models raise errors of any type here.
    with blame(f"{path}: is not a super-resolution network", Exception):
        return Network(apply, size, **options)


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """Returns the only (height, width) of a model, or None for any size."""
    shape: Any = getattr(model, "input_shape", None)
    is_image = isinstance(shape, tuple) and len(shape) == 4
    if not is_image or None in shape[1:3]:
        return None
    return shape[1:3]


class KerasNetwork:
    """A Keras model as a function of arrays.

    Attributes:
        model: `keras.Model`.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, images: np.ndarray) -> np.ndarray:
        import keras

        return keras.ops.convert_to_numpy(self.model(images, training=False))
