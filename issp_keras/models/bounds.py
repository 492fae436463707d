"""Bounds for what a file or a config may ask for, checked before it is made."""

import contextlib
import math
import threading
import zipfile

import h5py
import keras

from issp_keras.errors import InputError

# A network that fits into a file of a few bytes still has many numbers if it
# does not store them all.
_FREE_NUMBERS = 1 << 22
# A number can take a quarter of the bytes of a float32.
_NUMBERS_PER_STORED = 4
# The most variables. Networks of this project have fewer than 3000.
_MOST_VARIABLES = 30_000
# Files may be larger when they are unpacked: 16 MiB, or 100 times.
_FREE_BYTES = 1 << 24
_EXPANSION = 100
_WEIGHTS = "model.weights.h5"
_PATCH = threading.RLock()


@contextlib.contextmanager
def at_most(numbers: int, what: str, than: str):
    """Refuses layers in the block that would make more weights.

    A layer may ask for more memory than the machine has. The block refuses it
    before anything is allocated. It also refuses endless numbers of layers.

    Args:
        numbers: Integer, the most weights of all layers together.
        what: String, the file or the flag at fault.
        than: String that follows "needs more weights than" in the error.

    Raises:
        InputError: If there are more weights.
    """
    thread, made, variables = threading.get_ident(), 0, 0
    add_weight = keras.Layer.add_weight

    def counting(layer, shape=None, *args, **kwargs):
        nonlocal made, variables
        if threading.get_ident() == thread:
            made += math.prod(shape or ())
            variables += 1
            if is_too_much():
                raise ValueError("too many weights")
        return add_weight(layer, shape, *args, **kwargs)

    def is_too_much():
        return made > numbers or variables > _MOST_VARIABLES

    # Keras has no public way to see a weight before it is made.
    with _PATCH:
        keras.Layer.add_weight = counting
        try:
            yield
        except Exception as error:
            # Keras may have turned the error into another one.
            if not is_too_much():
                raise
            raise InputError(
                f"{what}: needs more weights than {than}."
            ) from error
        finally:
            keras.Layer.add_weight = add_weight


def check_archive(path) -> int:
    """Checks that a `.keras` file does not expand to much more than its size.

    Nothing is unpacked: ZIP and HDF5 say how much there is.

    Args:
        path: Path of the file.

    Returns:
        Integer, the most weights that its network may have.

    Raises:
        ValueError: If it would expand.
    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise ValueError(
                    f"{info.filename} is compressed in a way that Keras does "
                    "not use."
                )
            _check_expansion(info.filename, info.file_size, info.compress_size)
        if _WEIGHTS not in archive.namelist():
            return _FREE_NUMBERS
        size = archive.getinfo(_WEIGHTS).file_size
        with (
            archive.open(_WEIGHTS) as weights,
            h5py.File(weights, "r") as file,
        ):
            unpacked = _size_of_data_sets(file)
    _check_expansion(_WEIGHTS, unpacked, size)
    return _FREE_NUMBERS + _NUMBERS_PER_STORED * unpacked


def _size_of_data_sets(file):
    size = 0

    def see(name, found):
        nonlocal size
        if isinstance(found, h5py.Dataset):
            if found.external or found.is_virtual:
                raise ValueError(f"{name} lies in another file.")
            size += found.size * found.dtype.itemsize

    file.visititems(see)
    return size


def _check_expansion(name, unpacked, packed):
    if unpacked > max(_FREE_BYTES, _EXPANSION * packed):
        raise ValueError(
            f"{name} would expand from {packed:,} to {unpacked:,} bytes."
        )
