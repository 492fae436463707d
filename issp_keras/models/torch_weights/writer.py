"""Writes tensors in the format of `torch.save`."""

import math
import pickle
import struct
import zipfile

from issp_keras import files
from issp_keras.models.torch_weights.reader import STORAGES

_NAMES = {dtype: name for name, dtype in STORAGES.items()}


def write_torch(path, content):
    """Writes a file that `torch.load(path, weights_only=True)` reads.

    Args:
        path: Path of the file. It is replaced if it exists.
        content: Dict from names to NumPy arrays or to such dicts. Names with
            the same array share its storage.

    Raises:
        InputError: If the file cannot be written.
    """
    storages: dict = {}
    pickled = pickle.PROTO + b"\x02" + _dict(content, storages) + pickle.STOP
    with (
        files.replacing(path) as partial,
        zipfile.ZipFile(partial, "w") as archive,
    ):
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.values():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")


# A pickle names the functions that rebuild tensors. Python's pickler would
# import them from PyTorch, so their opcodes are written here.


def _dict(content, storages):
    items = b""
    for name, value in content.items():
        is_dict = isinstance(value, dict)
        items += _text(name)
        items += (_dict if is_dict else _tensor)(value, storages)
    return _ordered_dict() + pickle.MARK + items + pickle.SETITEMS


def _tensor(array, storages):
    new = (str(len(storages)), array)
    key, _ = storages.setdefault(id(array), new)
    # The file stores contiguous arrays.
    strides = [math.prod(array.shape[i:]) for i in range(1, array.ndim + 1)]
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
