"""Networks from `.keras` files."""

import pathlib
import zipfile

import keras

from issp_keras import activation_ranges
from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.models.bounds import at_most
from issp_keras.models.bounds import check_archive

_OF_TORCH = (".pth", ".pt")


def load_model(path: StrPath, compile: bool = False) -> keras.Model:
    """Loads a `.keras` file.

    Args:
        path: Path of the file.
        compile: Boolean, whether to load the optimizer too.
            Defaults to `False`.

    Raises:
        InputError: If the file is missing or is not a Keras model. Also if it
            would expand to much more than its size.
    """
    path = pathlib.Path(path)
    files.check_file(path, "a .keras file")
    if path.suffix.lower() in _OF_TORCH:
        raise InputError(
            f"{path}: is a checkpoint of PyTorch, expected a .keras file; "
            "`issp import` converts checkpoints of known networks."
        )
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: is not a Keras model (a .keras file).")
    # A broken file raises anything, deep in Keras, HDF5 and the backend.
    with blame(f"{path}: is not a Keras model that can be loaded", Exception):
        most = check_archive(path)
        with at_most(most, str(path), "the file stores"):
            model = keras.models.load_model(path, compile=compile)
        activation_ranges.read_ranges(path, model)
    return model
