"""Writes tensors as `torch.save` does."""

import pickle
import struct
import zipfile

import numpy as np

from issp_keras import files
from issp_keras.models.torch_weights.reader import STORAGES

_NAMES = {dtype: name for name, dtype in STORAGES.items()}


def write_torch(path, state):
    """Writes a file that `torch.load(path, weights_only=True)` reads.

    Args:
        path: Path of the file, replaced if it exists.
        state: Dict of names to NumPy arrays, saved as `{"params": state}`.
            Names that have the same array share its storage.

    Raises:
        InputError: If the file cannot be written.
    """
    arrays = {id(array): array for array in state.values()}
    keys = {number: str(i) for i, number in enumerate(arrays)}
    with files.replacing(path) as partial, zipfile.ZipFile(
        partial, "w"
    ) as archive:
        archive.writestr("archive/data.pkl", _pickle(state, keys))
        archive.writestr("archive/byteorder", "little")
        for number, array in arrays.items():
            content = np.ascontiguousarray(array).tobytes()
            archive.writestr(f"archive/data/{keys[number]}", content)
        archive.writestr("archive/version", "3\n")


# A pickle names the functions that rebuild tensors. Python's pickler would
# import them from PyTorch, so their opcodes are written here.


def _pickle(state, keys):
    entries = b"".join(
        _text(name) + _tensor(array, keys[id(array)])
        for name, array in state.items()
    )
    return b"".join(
        [
            pickle.PROTO + b"\x02" + pickle.EMPTY_DICT,
            _text("params") + _ordered_dict(),
            pickle.MARK + entries + pickle.SETITEMS,
            pickle.SETITEM + pickle.STOP,
        ]
    )


def _tensor(array, key):
    strides = [stride // array.itemsize for stride in _strides(array)]
    storage = _tuple(
        _text("storage"),
        _global("torch", _NAMES[array.dtype]),
        _text(key),
        _text("cpu"),
        _integer(array.size),
    )
    arguments = _tuple(
        storage + pickle.BINPERSID,
        _integer(0),
        _tuple(*map(_integer, array.shape)),
        _tuple(*map(_integer, strides)),
        pickle.NEWFALSE,
        _ordered_dict(),
    )
    rebuild = _global("torch._utils", "_rebuild_tensor_v2")
    return rebuild + arguments + pickle.REDUCE


def _strides(array):
    return np.empty(array.shape, array.dtype).strides


def _ordered_dict():
    new = _global("collections", "OrderedDict")
    return new + pickle.EMPTY_TUPLE + pickle.REDUCE


def _tuple(*members):
    return pickle.MARK + b"".join(members) + pickle.TUPLE


def _global(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _text(text):
    encoded = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(encoded)) + encoded


def _integer(number):
    return pickle.BININT + struct.pack("<i", number)
