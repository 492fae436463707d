"""Photographs prepared for training: raw pixels in files to map into memory.

A patch is cut out of a photograph without decoding it, and what a training
reads is what its patches cover; so a data set may be larger than memory.

The folder holds `index.json` and shards of about 1 GiB: for each photograph
the RGB bytes of HR, row by row, then those of LR.
"""

import concurrent.futures
import itertools
import json
import pathlib
from collections.abc import Callable
from collections.abc import Iterable

import numpy as np

from issp_keras import files
from issp_keras.data.pairs import Pair
from issp_keras.data.photographs import to_rgb
from issp_keras.errors import InputError
from issp_keras.errors import blame

_FORMAT = "issp_keras pairs 1"
_INDEX = "index.json"
_SHARD_BYTES = 2**30
# Photographs in memory at once, while they are prepared.
_AT_ONCE = 8


def is_prepared(folder) -> bool:
    """Whether a folder was made by `prepare`."""
    return (pathlib.Path(folder) / _INDEX).is_file()


def prepare(
    readers: Iterable[Callable[[], Pair]],
    scale: int,
    folder,
    progress: Callable[[int], None] = lambda done: None,
):
    """Writes photographs for training, whole or not at all.

    Args:
        readers: Iterable of callables that return a `Pair`; they are called
            in threads, a few at once.
        scale: Integer.
        folder: Path of the folder to make.
        progress: Callable that is told how many photographs are done.

    Raises:
        InputError: If the folder exists or cannot be written, and whatever
            the callables raise.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise InputError(
            f"{folder}: exists, expected the name of a new folder."
        )
    with files.replacing_folder(folder) as partial:
        entries = []
        shard, size = 0, 0
        for pair in _read_ahead(readers):
            hr, lr = to_rgb(pair.hr), to_rgb(pair.lr)
            if size and size + hr.nbytes + lr.nbytes > _SHARD_BYTES:
                shard, size = shard + 1, 0
            with (partial / _shard_name(shard)).open("ab") as file:
                file.write(np.ascontiguousarray(hr))
                file.write(np.ascontiguousarray(lr))
            height, width = lr.shape[:2]
            entries.append([pair.name, shard, size, height, width])
            size += hr.nbytes + lr.nbytes
            progress(len(entries))
        index = {"format": _FORMAT, "scale": scale, "photographs": entries}
        files.write_json(partial / _INDEX, index)


def open_prepared(folder, scale: int) -> list[Pair]:
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
        found = int(index["scale"])
    if found != scale:
        raise InputError(
            f"{folder}: was prepared for x{found}, expected x{scale}."
        )
    pairs = []
    for shard, group in itertools.groupby(entries, lambda entry: entry[1]):
        path = folder / _shard_name(shard)
        with blame(f"{path}: cannot be read", OSError, ValueError):
            # Not as np.memmap, whose slices take ten times as long.
            content = np.asarray(np.memmap(path, np.uint8, "r"))
        for name, _, offset, height, width in group:
            values = 3 * height * width
            if offset + (scale**2 + 1) * values > len(content):
                raise InputError(
                    f"{path}: ends before {name}; prepare the folder again."
                )
            lr = content[offset + scale**2 * values :][:values]
            hr = content[offset:][: scale**2 * values]
            pairs.append(
                Pair(
                    name,
                    lr.reshape(height, width, 3),
                    hr.reshape(scale * height, scale * width, 3),
                )
            )
    return pairs


def _read_ahead(readers):
    """The pairs, in order, a few of them read at once."""
    readers = iter(readers)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        while ahead := list(itertools.islice(readers, _AT_ONCE)):
            yield from threads.map(lambda read: read(), ahead)


def _shard_name(shard):
    return f"{shard:05}.bin"
