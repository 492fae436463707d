"""Photographs that are prepared for training, as uncompressed pixels.

A training only reads the pixels of its patches, without decoding a photograph.
So a data set may be larger than the memory.

The folder holds `index.json` and shards of about 1 GiB. For each photograph, a
shard holds the RGB bytes of HR, then those of LR, both as `Strips`.
"""

import concurrent.futures
import itertools
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
# The number of photographs in memory during the preparation.
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
    """Writes a folder of photographs for training.

    If an error occurs, no folder is left.

    Args:
        readers: Iterable of callables. Each returns a `Pair`, or None to leave
            a photograph out. Threads call eight of them at a time.
        scale: Integer, the magnification.
        folder: Path of the new folder.
        progress: Callable that receives the number of finished photographs.

    Raises:
        InputError: If the folder exists or cannot be written, or no pair is
            left. Errors of the callables are passed on.
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
            raise InputError(
                f"{folder}: not written: there are no photographs."
            )
        index = {"format": _FORMAT, "scale": scale, "photographs": entries}
        files.write_json(partial / _INDEX, index)


def open_prepared(folder: StrPath, scale: int) -> list[Pair]:
    """Opens a folder that `prepare` has written.

    The pixels are read when they are used.

    Raises:
        InputError: If the folder is broken or has another scale.
    """
    folder = pathlib.Path(folder)
    path = folder / _INDEX
    broken = f"{path}: is not an index that issp-prepare wrote"
    causes = OSError, ValueError, TypeError, KeyError, OverflowError
    with blame(broken, *causes):
        index = files.parse_json(path.read_text())
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
    """A file for random access. It closes with the last `Strips` that use it.

    Attributes:
        number: Integer, the file descriptor.
        size: Integer, the size in bytes.
    """

    def __init__(self, path):
        self.number = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.number)
        self.size = os.fstat(self.number).st_size
        if hasattr(os, "posix_fadvise"):
            # The data around a patch is not needed: do not read ahead.
            os.posix_fadvise(self.number, 0, 0, os.POSIX_FADV_RANDOM)


class Strips:
    """An RGB image in a file, stored as consecutive vertical strips.

    A patch lies in one or two strips, so a disk reads few blocks for it. If
    the file stored whole rows, each row of the patch would be another block.

    Args:
        file: `_File`.
        offset: Integer, the position of the image in the file.
        height: Integer, height of the image in pixels.
        width: Integer, width of the image in pixels. The last strip may be
            padded beyond it.
        strip: Integer, width of a strip in pixels.

    Attributes:
        shape: Tuple (height, width, 3).
        end: Integer, the position after the image in the file.
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
    """Yields the pairs in order. Threads read a few pairs at a time."""
    readers = iter(readers)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        while ahead := list(itertools.islice(readers, _AT_ONCE)):
            yield from threads.map(lambda read: read(), ahead)


def _shard_name(shard):
    return f"{shard:05}.bin"
