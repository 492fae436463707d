"""Reads and writes files. An interrupted write leaves no partial file."""

import contextlib
import errno
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from collections.abc import Iterator

from issp_keras.errors import InputError
from issp_keras.errors import blame

# The type of a file's path.
StrPath = str | os.PathLike[str]
# They are called before a finished file or folder gets its name. Their errors
# prevent it.
before_renaming: list[Callable[[], None]] = []


def cache_folder() -> pathlib.Path:
    """Returns the user's cache folder of this package. It may not exist.

    It is `issp_keras` in the folder that the environment variable
    `XDG_CACHE_HOME` names, or in `~/.cache`.

    Raises:
        RuntimeError: If the user has no home directory.
    """
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "issp_keras"


def check_file(path, kind: str):
    """Checks that a regular file exists.

    A device or a pipe may have no end.

    Args:
        path: Path of the file.
        kind: String, the expected kind of file, such as "a .keras file".

    Raises:
        InputError: If there is no such file.
    """
    path = pathlib.Path(path)
    with blame(f"{path}: cannot be read", OSError, ValueError):
        if path.is_dir():
            raise InputError(f"{path}: is a folder, expected {kind}.")
        if not path.exists():
            raise InputError(f"{path}: no such file.")
        check_regular(path)


def check_regular(path):
    """Refuses an existing path of a device or a pipe.

    Raises:
        InputError: If it is one.
    """
    path = pathlib.Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: is a device or a pipe, expected a file.")


@contextlib.contextmanager
def replacing(path) -> Iterator[pathlib.Path]:
    """Yields a path beside `path`, and renames it to `path` at the end.

    If the block fails, an existing file at `path` stays unchanged. Two
    processes must not write the same file at once.

    Raises:
        InputError: If the folder cannot be written, or if `path` is a device or
            a pipe.
    """
    path = pathlib.Path(path)
    with blame(f"{path}: cannot be written", OSError, ValueError):
        partial = path.with_name(f".partial-{path.name}")
        check_regular(path)
    try:
        with blame(f"{path}: cannot be written", OSError):
            yield partial
            _check_before_renaming()
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _check_before_renaming():
    for check in before_renaming:
        check()


@contextlib.contextmanager
def blaming_a_full_disk(folder) -> Iterator[None]:
    """Turns every error of a full disk into an `InputError` about a folder.

    Some libraries raise their own errors, such as TensorFlow's
    `ResourceExhaustedError`.
    """
    try:
        yield
    except Exception as error:
        full = os.strerror(errno.ENOSPC)
        if isinstance(error, InputError) or full not in str(error):
            raise
        raise InputError(f"{folder}: {full}.") from error


@contextlib.contextmanager
def replacing_folder(path, replace=False) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path`, and renames it to `path` at the end.

    If the block fails, the new folder is removed. The next call removes the
    folder of a killed process. Two processes must not write the same folder at
    once.

    Args:
        path: Path of the folder.
        replace: Boolean, whether the new folder may replace an older one. If a
            process is killed between the two renames, the older folder has the
            name `.older-` and its own. Defaults to `False`.

    Raises:
        InputError: If the folder cannot be written.
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".partial-{path.name}")
    older = path.with_name(f".older-{path.name}")
    try:
        with blame(f"{path}: cannot be written", OSError):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            _check_before_renaming()
            if replace and path.exists():
                # A folder can only be renamed if no other one has the name.
                shutil.rmtree(older, ignore_errors=True)
                path.rename(older)
            try:
                partial.rename(path)
            except OSError:
                if replace and older.exists():
                    older.rename(path)
                raise
            if replace:
                shutil.rmtree(older, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path, content):
    """Writes `content` as indented JSON. Infinity and NaN become null."""
    content = json.dumps(finite(content), indent=2, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(content + "\n")


def read_json(path):
    """Reads a JSON file.

    Raises:
        InputError: If the file cannot be read as JSON.
    """
    with blame(f"{path}: cannot be read as JSON", OSError, ValueError):
        check_regular(path)
        return parse_json(pathlib.Path(path).read_text())


def parse_json(text: str | bytes):
    """Parses JSON of unknown origin.

    Raises:
        ValueError: If it is not JSON, or lists are nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("is too deep") from error


def whole_lines(path) -> list[str]:
    """Returns the lines of a text file with their line ends.

    An incomplete last line is left out. A killed process may have written it.
    """
    with pathlib.Path(path).open(newline="") as file:
        return [line for line in file if line.endswith("\n")]


def finite(content):
    """Returns `content` with None for infinity and NaN, as JSON needs."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    is_lost = isinstance(content, float) and not math.isfinite(content)
    return None if is_lost else content


def make_folder(path) -> pathlib.Path:
    """Makes a folder and its parents, and checks that it is writable.

    Raises:
        InputError: If the folder cannot be made or written to.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        # The whole message names a temporary file.
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"{path}: is not a folder that can be written to: {reason}"
        ) from error
    return path
