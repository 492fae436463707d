"""Optional packages, which the extras of this package install."""

import contextlib
import traceback
from collections.abc import Iterator

from issp_keras.errors import InputError

# From import names to the common name of a package, and its extra.
EXTRAS = {
    "PIL": ("Pillow", "sr"),
    "ai_edge_litert": ("LiteRT", "edge"),
    "flatbuffers": ("FlatBuffers", "edge"),
    "jax": ("JAX", "jax"),
    "matplotlib": ("matplotlib", "edge"),
    "ml_collections": ("ml-collections", "sr"),
    "skimage": ("scikit-image", "sr"),
    "tensorboard": ("TensorBoard", "tensorflow"),
    "tensorflow": ("TensorFlow", "tensorflow"),
    "tensorflow_datasets": ("TensorFlow Datasets", "sr"),
    "tensorflow_model_optimization": ("tfmot", "tensorflow"),
    "tifffile": ("tifffile", "sr"),
}
BACKENDS = ("tensorflow", "jax")
# What the other backends of Keras import.
_OF_OTHER_BACKENDS = ("torch", "openvino")
_OTHER_BACKEND = (
    "; or pip install 'issp-keras[jax]', with KERAS_BACKEND=jax in the "
    "environment"
)


def check_backend(backend: str) -> None:
    """Checks that issp_keras can train with a backend of Keras.

    Args:
        backend: String, what `keras.backend.backend()` returns.

    Raises:
        InputError: If it cannot.
    """
    if backend not in BACKENDS:
        raise InputError(_wrong_backend(backend))


def _wrong_backend(backend: str) -> str:
    return (
        f"KERAS_BACKEND: Keras' backend is {backend!r}, expected "
        f"{' or '.join(BACKENDS)}, in the environment or in Keras' settings."
    )


class MissingPackage(ModuleNotFoundError, InputError):
    """The error of a missing package.

    An extra installs it, or another backend of Keras needs it.
    """


@contextlib.contextmanager
def needed_by(user: str) -> Iterator[None]:
    """Names the extra if the block imports a package that is not installed.

    ```python
    with needed_by("A picture"):
        import matplotlib
    ```

    Args:
        user: String, the feature that needs the package. It begins the
            sentence.

    Raises:
        MissingPackage: If an extra installs the package, or if another backend
            of Keras needs it. For other packages, the original error is raised.
    """
    try:
        yield
    except MissingPackage:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in EXTRAS:
            is_backend = package in _OF_OTHER_BACKENDS
            if not (is_backend and _is_raised_by_keras(error)):
                raise
            sentence = _wrong_backend(package)
            raise MissingPackage(sentence, name=package) from error
        name, extra = EXTRAS[package]
        sentence = (
            f"{user} needs {name}, which is not installed: pip install "
            f"'issp-keras[{extra}]'"
        )
        if package == "tensorflow" and _is_raised_by_keras(error):
            sentence += _OTHER_BACKEND
        raise MissingPackage(sentence + ".", name=package) from error


def _is_raised_by_keras(error: BaseException) -> bool:
    """Whether Keras raised the error when it imported its backend."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").split(".")[0] == "keras"
