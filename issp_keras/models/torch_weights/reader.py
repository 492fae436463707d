"""Reads the tensors of a PyTorch file without running code from it."""

import collections
import io
import math
import os
import pathlib
import pickle
import pickletools
import struct
import zipfile
from typing import NamedTuple

import ml_dtypes
import numpy as np

from issp_keras import files
from issp_keras.errors import InputError

STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
# The first values in a file of PyTorch before 1.6.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_ENCRYPTED = 1
# The errors that Python's unpickler can raise for a broken file.
_BROKEN = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError),
    *(AttributeError, OverflowError, MemoryError, RecursionError),
    *(struct.error, zipfile.BadZipFile, NotImplementedError, RuntimeError),
)


def read_torch(path):
    """Reads a file of `torch.save` with dicts, numbers and tensors.

    A pickle can name global functions. This reader only accepts the names that
    rebuild tensors, and uses its own functions for them, which a pickle cannot
    change. It refuses all other names. It reads both formats of PyTorch.

    Args:
        path: Path of the file.

    Returns:
        The saved object. Tensors in dicts are NumPy arrays.

    Raises:
        InputError: If the file is missing, truncated or not a PyTorch file, or
            if it names any other global.
    """
    path = pathlib.Path(path)
    files.check_file(path, "a .pth file")
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            file.seek(0)
            return _read_zip(file) if is_zip else _read_legacy(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except _BROKEN as error:
        raise InputError(
            f"{path}: is not a PyTorch checkpoint, or is truncated: expected "
            "a file that torch.save wrote."
        ) from error


# A pickle gets only tuples and strings, since it cannot set their attributes.


class _Storage(NamedTuple):
    dtype: np.dtype
    size: int
    key: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple

    def array(self, contents):
        storage = self.storage
        flat = np.frombuffer(contents[storage.key], storage.dtype)
        if flat.size != storage.size:
            raise ValueError("cut short")
        if 0 in self.shape:
            return np.empty(self.shape, flat.dtype)
        # A tensor must lie inside its storage, and must not have more numbers.
        if min((self.offset, *self.shape, *self.strides)) < 0:
            raise ValueError("negative")
        reach = self.offset + sum(
            (n - 1) * stride
            for n, stride in zip(self.shape, self.strides, strict=True)
        )
        if reach >= flat.size or math.prod(self.shape) > flat.size:
            raise ValueError("beyond its storage")
        return np.lib.stride_tricks.as_strided(
            flat[self.offset :],
            self.shape,
            [stride * flat.itemsize for stride in self.strides],
            writeable=False,
        )


class _Known(tuple):
    """A function that a pickle may call."""

    __slots__ = ()

    def __call__(self, *arguments):
        (function,) = self
        return function(*arguments)


def _rebuild_tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, _Storage):
        raise TypeError("not a storage")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor, *_):
    return tensor


_KNOWN = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
}


class _Unpickler(pickle.Unpickler):
    """Refuses all globals except containers and tensors."""

    def __init__(self, file):
        _check_memo(file)
        super().__init__(file, encoding="utf-8")
        self.storages = {}

    def find_class(self, module, name):
        if module == "torch" and name in STORAGES:
            return name
        if (module, name) not in _KNOWN:
            raise InputError(
                f"names {module}.{name}, expected only tensors; it was not run."
            )
        return _Known([_KNOWN[module, name]])

    def persistent_load(self, pid):
        kind, name, key, _, size, *view = pid
        if kind != "storage" or view not in ([], [None]):
            raise ValueError("not a storage")
        storage = _Storage(STORAGES[name], int(size), str(key))
        return self.storages.setdefault(storage.key, storage)


def _check_memo(file):
    """Refuses a pickle whose memo index would allocate a large memory."""
    start = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(start)
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name.endswith("PUT") and int(argument or 0) > length:
            raise ValueError("a place that no pickle needs")
    file.seek(start)


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(names) != 1:
            raise InputError("is a zip file, but holds no data.pkl.")
        folder = names[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and _read(archive, order) != b"little":
            raise InputError("has big-endian numbers, expected little-endian.")
        unpickler = _Unpickler(io.BytesIO(_read(archive, names[0])))
        content = unpickler.load()
        places = {key: f"{folder}data/{key}" for key in unpickler.storages}
        _check_sizes(file, [archive.getinfo(name) for name in places.values()])
        contents = {key: _read(archive, name) for key, name in places.items()}
    return _arrays(content, contents, {})


def _check_sizes(file, entries):
    """Refuses entries that share bytes, so that few bytes become many."""
    if (
        sum(info.file_size for info in entries)
        > os.fstat(file.fileno()).st_size
    ):
        raise ValueError("entries that overlap")


def _read(archive, name):
    """Reads an entry. PyTorch neither compresses nor encrypts entries."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
        raise ValueError("compressed or encrypted")
    return archive.read(info)


def _read_legacy(file):
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("not written by PyTorch")
    if _Unpickler(file).load() != _PROTOCOL:
        raise ValueError("of an unknown protocol")
    _Unpickler(file).load()  # Sizes of C types of the writing machine.
    unpickler = _Unpickler(file)
    content = unpickler.load()
    contents: dict[str, bytes] = {}
    for key in _Unpickler(file).load():
        (size,) = struct.unpack("<q", file.read(8))
        length = size * unpickler.storages[key].dtype.itemsize
        if not 0 <= length <= os.fstat(file.fileno()).st_size:
            raise ValueError("cut short")
        contents[key] = file.read(length)
    return _arrays(content, contents, {})


def _arrays(value, contents, known):
    """Turns the tensors in dicts into arrays. Shared dicts stay shared."""
    if isinstance(value, _Tensor):
        return value.array(contents)
    if not isinstance(value, dict):
        return value
    if id(value) not in known:
        known[id(value)] = result = {}
        for name, member in dict.items(value):
            result[name] = _arrays(member, contents, known)
    return known[id(value)]
