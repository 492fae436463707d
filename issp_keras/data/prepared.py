"""Photographs prepared for training: raw pixels, read where a patch lies.

A patch is cut out of a photograph without decoding it. A training reads only
the pixels of its patches, so a data set may be larger than memory.

The folder holds `index.json` and shards of about 1 GiB: for each photograph
the RGB bytes of HR, then those of LR, each as `Strips`.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import weakref
from collections.abc import Callable
from collections.abc import Iterable

import numpy as np

from issp_keras import files
from issp_keras.data.pairs import Pair
from issp_keras.data.photographs import to_rgb
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath

_FORMAT = "issp_keras pairs 1"
_INDEX = "index.json"
_SHARD_BYTES = 2**30
# Width of a strip in LR pixels.
_STRIP = 32
# Photographs in memory at once, while they are prepared.
_AT_ONCE = 8


def is_prepared(folder: StrPath) -> bool:
    """Whether a folder was made by `prepare`."""
    return (pathlib.Path(folder) / _INDEX).is_file()


def prepare(
    readers: Iterable[Callable[[], Pair | None]],
    scale: int,
    folder: StrPath,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Writes photographs for training, whole or not at all.

    Args:
        readers: Iterable of callables. Each returns a `Pair`, or None to leave
            a photograph out. Threads call them, eight at once, and then the
            next eight.
        scale: Integer.
        folder: Path of the folder to make.
        progress: Callable that is told how many photographs are done.

    Raises:
        InputError: If the folder exists or cannot be written, or no pair is
            left, and whatever the callables raise.
    """
    folder = pathlib.Path(folder)
    if os.path.lexists(folder):
        raise InputError(
            f"{folder}: exists, expected the name of a new folder."
        )
    with files.replacing_folder(folder) as partial:
        entries = []
        shard, size = 0, 0
        for done, pair in enumerate(_read_ahead(readers), 1):
            progress(done)
            if pair is None:
                continue
            hr, lr = _strips(pair.hr, scale * _STRIP), _strips(pair.lr, _STRIP)
            if size and size + hr.nbytes + lr.nbytes > _SHARD_BYTES:
                shard, size = shard + 1, 0
            with (partial / _shard_name(shard)).open("ab") as file:
                file.write(hr)
                file.write(lr)
            height, width = pair.lr.shape[:2]
            entries.append([pair.name, shard, size, height, width])
            size += hr.nbytes + lr.nbytes
        if not entries:
            raise InputError(f"{folder}: is not made, for want of photographs.")
        index = {"format": _FORMAT, "scale": scale, "photographs": entries}
        files.write_json(partial / _INDEX, index)


def open_prepared(folder: StrPath, scale: int) -> list[Pair]:
    """Opens what `prepare` has written; pixels are read when they are used.

    Raises:
        InputError: If the folder is broken or of another scale.
    """
    folder = pathlib.Path(folder)
    path = folder / _INDEX
    broken = f"{path}: is not an index that issp-prepare wrote"
    with blame(broken, OSError, ValueError, TypeError, KeyError):
        index = json.loads(path.read_text())
        if index["format"] != _FORMAT:
            raise ValueError(f"has the format {index['format']!r}")
        entries = [
            (name, int(shard), int(offset), int(height), int(width))
            for name, shard, offset, height, width in index["photographs"]
        ]
        for name, shard, offset, height, width in entries:
            if min(shard, offset) < 0 or min(height, width) < 1:
                raise ValueError(f"has impossible numbers for {name!r}")
        found = int(index["scale"])
    if found != scale:
        raise InputError(
            f"{folder}: was prepared for x{found}, expected x{scale}."
        )
    pairs = []
    for shard, group in itertools.groupby(entries, lambda entry: entry[1]):
        path = folder / _shard_name(shard)
        with blame(f"{path}: cannot be read", OSError):
            file = _File(path)
        for name, _, offset, height, width in group:
            hr = Strips(
                file, offset, scale * height, scale * width, scale * _STRIP
            )
            lr = Strips(file, hr.end, height, width, _STRIP)
            if lr.end > file.size:
                raise InputError(
                    f"{path}: ends before {name}; prepare the folder again."
                )
            pairs.append(Pair(name, lr, hr))
    return pairs


class _File:
    """A file to read from in any place; closed with the last `Strips` of it.

    Attributes:
        number: Integer, its descriptor.
        size: Integer, in bytes.
    """

    def __init__(self, path):
        self.number = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.number)
        self.size = os.fstat(self.number).st_size
        if hasattr(os, "posix_fadvise"):
            # What lies around a patch will not be needed.
            os.posix_fadvise(self.number, 0, 0, os.POSIX_FADV_RANDOM)


class Strips:
    """An RGB image in a file, in vertical strips one after the other.

    So a patch lies in few places of the file, and a disk reads little more
    than its pixels. Rows of a whole photograph would be as many places as the
    patch has rows.

    Args:
        file: `_File`.
        offset: Integer, where the image begins in the file.
        height: Integer, of the image in pixels.
        width: Integer, of the image in pixels; the last strip may have more.
        strip: Integer, width of a strip in pixels.

    Attributes:
        shape: Tuple (height, width, 3).
        end: Integer, where the image ends in the file.
    """

    ndim = 3

    def __init__(self, file, offset, height, width, strip):
        self._file = file
        self._offset = offset
        self._strip = strip
        self.shape = (height, width, 3)
        self.end = offset + 3 * height * strip * -(-width // strip)

    def __getitem__(self, place):
        """Reads `[rows, columns]`, slices without steps, as an array.

        Raises:
            OSError: If the file cannot be read.
        """
        height, width, _ = self.shape
        top, bottom, _ = place[0].indices(height)
        left, right, _ = place[1].indices(width)
        row = 3 * self._strip
        parts = []
        for i in range(left // self._strip, -(-right // self._strip)):
            content = os.pread(
                self._file.number,
                (bottom - top) * row,
                self._offset + (i * height + top) * row,
            )
            pixels = np.frombuffer(content, np.uint8).reshape(
                bottom - top, self._strip, 3
            )
            start = i * self._strip
            parts.append(pixels[:, max(0, left - start) : right - start])
        return np.concatenate(parts, axis=1)


def _strips(pixels, strip):
    pixels = to_rgb(pixels)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, 0), (0, -width % strip), (0, 0)))
    strips = padded.reshape(height, -1, strip, 3).swapaxes(0, 1)
    return np.ascontiguousarray(strips)


def _read_ahead(readers):
    """The pairs, in order, a few of them read at once."""
    readers = iter(readers)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        while ahead := list(itertools.islice(readers, _AT_ONCE)):
            yield from threads.map(lambda read: read(), ahead)


def _shard_name(shard):
    return f"{shard:05}.bin"
