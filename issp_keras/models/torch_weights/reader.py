"""Reads the tensors of a PyTorch file, and never runs code from it."""

import collections
import dataclasses
import io
import pathlib
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np

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
# What a file of PyTorch before 1.6 begins with.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# What a broken pickle, or one that is none, can raise in Python's reader.
_BROKEN = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError),
    *(IndexError, AttributeError, OverflowError, MemoryError, struct.error),
    *(UnicodeDecodeError, zipfile.BadZipFile, NotImplementedError),
)


def read_torch(path):
    """Reads what `torch.save` has written: containers, numbers, tensors.

    Of the globals that a pickle can name, those that rebuild tensors are
    known by name and answered by functions of this file; any other is
    refused. Both of PyTorch's formats are read.

    Args:
        path: Path of the file.

    Returns:
        What was saved, each tensor as a NumPy array.

    Raises:
        InputError: If the file is missing, cut short, no PyTorch file, or
            holds anything else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
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
            f"{path}: is no PyTorch checkpoint, or is cut short: expected "
            "what torch.save writes."
        ) from error


@dataclasses.dataclass
class _Storage:
    dtype: np.dtype
    size: int
    content: bytes | None = None

    def array(self):
        if len(self.content) != self.size * self.dtype.itemsize:
            raise ValueError("cut short")
        return np.frombuffer(self.content, self.dtype)


@dataclasses.dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple

    def array(self):
        flat = self.storage.array()
        if 0 in self.shape:
            return np.empty(self.shape, flat.dtype)
        # A file must not make us read beyond its storages.
        if min(self.offset, *self.shape, *self.strides) < 0:
            raise ValueError("negative")
        reach = sum(
            (n - 1) * stride
            for n, stride in zip(self.shape, self.strides, strict=True)
        )
        if self.offset + reach >= flat.size:
            raise ValueError("beyond its storage")
        return np.lib.stride_tricks.as_strided(
            flat[self.offset :],
            self.shape,
            [stride * flat.itemsize for stride in self.strides],
            writeable=False,
        )


class _Unpickler(pickle.Unpickler):
    """Knows containers and tensors, and no other global."""

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")
        self.storages = {}

    def find_class(self, module, name):
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): _Tensor,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
            ("torch", "Size"): tuple,
        }
        if (module, name) not in known:
            raise InputError(
                f"names {module}.{name}, expected nothing but tensors; it "
                "was not run."
            )
        return known[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, size, *view = pid
        if kind != "storage" or view not in ([], [None]):
            raise ValueError("not a storage")
        return self.storages.setdefault(key, _Storage(dtype, size))


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor, *_):
    return tensor


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(names) != 1:
            raise InputError("is a zip file, but holds no data.pkl.")
        folder = names[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise InputError("has big-endian numbers, expected little-endian.")
        unpickler = _Unpickler(io.BytesIO(archive.read(names[0])))
        content = unpickler.load()
        for key, storage in unpickler.storages.items():
            storage.content = archive.read(f"{folder}data/{key}")
    return _arrays(content)


def _read_legacy(file):
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("not written by PyTorch")
    if _Unpickler(file).load() != _PROTOCOL:
        raise ValueError("of an unknown protocol")
    _Unpickler(file).load()  # Sizes of C types where it was written.
    unpickler = _Unpickler(file)
    content = unpickler.load()
    for key in _Unpickler(file).load():
        (size,) = struct.unpack("<q", file.read(8))
        storage = unpickler.storages[key]
        storage.content = file.read(size * storage.dtype.itemsize)
    return _arrays(content)


def _arrays(content):
    if isinstance(content, _Tensor):
        return content.array()
    if isinstance(content, dict):
        return {key: _arrays(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_arrays(value) for value in content]
    return content
