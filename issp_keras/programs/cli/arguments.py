"""Checks of a program's arguments, before any slow import."""

import pathlib

from issp_keras import files
from issp_keras.data import BENCHMARKS
from issp_keras.data import find_folder
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.errors import naming


def no_argument(argv: list[str]):
    """Refuses positional arguments.

    Raises:
        InputError: If there is a positional argument.
    """
    if len(argv) > 1:
        raise InputError(f"expected only flags. Received: {' '.join(argv[1:])}")


def arguments(argv: list[str], *expected: str) -> list[str]:
    """Returns the positional arguments after a check of their number.

    Args:
        argv: List of strings, the program's name first.
        *expected: Strings that name the expected arguments in the error.

    Raises:
        InputError: If there are fewer or more arguments.
    """
    if len(argv) != 1 + len(expected):
        count = {1: "one argument", 2: "two arguments"}[len(expected)]
        raise InputError(
            f"expected {count}, {' and '.join(expected)}. "
            f"Received: {' '.join(argv[1:]) or 'none'}"
        )
    return argv[1:]


def check_exists(path):
    """Checks that a file or a folder exists.

    Raises:
        InputError: If it does not exist.
    """
    with blame(f"{path}: cannot be read", OSError, ValueError):
        if not pathlib.Path(path).exists():
            raise InputError(f"{path}: no such file.")


def check_photographs(flag: str, sources: list[str], data_dir: str):
    """Checks that the folders in a flag exist.

    Args:
        flag: String, the name of the flag.
        sources: List of strings, the value of the flag.
        data_dir: String, the folder of test sets.

    Raises:
        InputError: If a folder is missing, or `sources` is empty.
    """
    if not sources:
        raise InputError(f"--{flag}: is empty, expected photographs.")
    for source in sources:
        try:
            find_folder(source, data_dir)
        except InputError as error:
            if source.lower() not in BENCHMARKS:
                raise
            raise InputError(f"--data_dir: {error}") from error


def check_output(path, *suffixes: str, flag: str = "output", source=None):
    """Checks that a file can be written, before anything is computed.

    Makes the folder of the file if it is missing.

    Args:
        path: Path of the file, or None for no file.
        *suffixes: Strings, the allowed suffixes. Without them, every suffix is
            allowed.
        flag: String, the flag that names the file.
        source: Path of a file that must stay, or None.

    Raises:
        InputError: If the file cannot be written.
    """
    if path is None:
        return
    path = pathlib.Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes)
        raise InputError(
            f"--{flag}: is {path}, expected a file ending in {expected}."
        )
    if path.is_dir():
        raise InputError(f"--{flag}: {path}: is a folder, expected a file.")
    with naming(f"--{flag}"):
        files.check_regular(path)
    if source is not None and path.exists() and path.samefile(source):
        raise InputError(
            f"--{flag}: {path}: is the file that is read, expected another one."
        )
    with naming(f"--{flag}"):
        files.make_folder(path.parent)


def check_failures(failures: list[str], total: int):
    """Ends a program with an error if some photographs failed.

    Raises:
        InputError: If there are failures. The message lists all of them.
    """
    if len(failures) == total == 1:
        raise InputError(failures[0])
    if failures:
        lines = "\n  ".join(failures)
        raise InputError(
            f"{len(failures)} of {total} photographs failed:\n  {lines}"
        )
