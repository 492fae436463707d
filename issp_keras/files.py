"""Files that are written whole or not at all."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from issp_keras.errors import blame

# What names a file.
StrPath = str | os.PathLike[str]


def cache_folder() -> pathlib.Path:
    """The folder of the user for what can be made again; it may not exist.

    It is `issp_keras` in the folder that the environment variable
    `XDG_CACHE_HOME` names, or in `~/.cache`.

    Raises:
        RuntimeError: If the user has no home directory.
    """
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "issp_keras"


@contextlib.contextmanager
def replacing(path) -> Iterator[pathlib.Path]:
    """Yields a path beside `path`, and renames it to `path` at the end.

    If the block fails, what stood at `path` before still stands there. Two
    processes must not write the same file at once.

    Raises:
        InputError: If the folder cannot be written.
    """
    path = pathlib.Path(path)
    with blame(f"{path}: cannot be written", ValueError):
        partial = path.with_name(f".partial-{path.name}")
    try:
        with blame(f"{path}: cannot be written", OSError):
            yield partial
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def replacing_folder(path) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`, and renames it to `path` at the end.

    Nothing stays behind if the block fails; what a killed process left is
    removed by the next. Two processes must not write the same folder at once.

    Raises:
        InputError: If the folder cannot be written.
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".partial-{path.name}")
    try:
        with blame(f"{path}: cannot be written", OSError):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path, content):
    """Writes `content` as indented JSON; infinity and NaN become null."""
    content = json.dumps(finite(content), indent=2, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(content + "\n")


def read_json(path):
    """Reads a JSON file.

    Raises:
        InputError: If there is none that can be read.
    """
    with blame(f"{path}: cannot be read as JSON", OSError, ValueError):
        return json.loads(pathlib.Path(path).read_text())


def whole_lines(path) -> list[str]:
    """The lines of a text file, with their ends.

    A process that was killed while it wrote may have left a part of a last
    line; that is left out.
    """
    with pathlib.Path(path).open(newline="") as file:
        return [line for line in file if line.endswith("\n")]


def finite(content):
    """Returns what JSON has of `content`: null for infinity and NaN."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    is_lost = isinstance(content, float) and not math.isfinite(content)
    return None if is_lost else content


def make_folder(path) -> pathlib.Path:
    """Makes a folder, with its parents, that files can be written to.

    Raises:
        InputError: If that cannot be done.
    """
    path = pathlib.Path(path)
    with blame(f"{path}: is not a folder that can be written to", OSError):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path
