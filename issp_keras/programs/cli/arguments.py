"""What a program is given, checked before anything long is imported."""

import pathlib

from issp_keras.data import BENCHMARKS
from issp_keras.data import find_folder
from issp_keras.errors import InputError
from issp_keras.errors import blame


def no_argument(argv: list[str]):
    """Refuses positional arguments.

    Raises:
        InputError: If there is one.
    """
    if len(argv) > 1:
        raise InputError(
            f"expected flags alone. Received: {' '.join(argv[1:])}"
        )


def arguments(argv: list[str], *expected: str) -> list[str]:
    """Returns the positional arguments, one for each that is expected.

    Args:
        argv: List of strings, the program's name first.
        *expected: Strings that name the arguments in the error.

    Raises:
        InputError: If there are fewer or more.
    """
    if len(argv) != 1 + len(expected):
        count = {1: "one argument", 2: "two arguments"}[len(expected)]
        raise InputError(
            f"expected {count}, {' and '.join(expected)}. "
            f"Received: {' '.join(argv[1:]) or 'none'}"
        )
    return argv[1:]


def check_file(path, kind: str):
    """Checks that a file is there.

    Args:
        path: Path of the file.
        kind: String, what is expected, such as "a .keras file".

    Raises:
        InputError: If there is none.
    """
    check_exists(path)
    if pathlib.Path(path).is_dir():
        raise InputError(f"{path}: is a folder, expected {kind}.")


def check_exists(path):
    """Checks that there is a file or a folder.

    Raises:
        InputError: If there is none.
    """
    with blame(f"{path}: cannot be read", OSError, ValueError):
        if not pathlib.Path(path).exists():
            raise InputError(f"{path}: no such file.")


def check_photographs(flag: str, sources: list[str], data_dir: str):
    """Checks that the folders that a flag names are there.

    Args:
        flag: String, the name of the flag.
        sources: List of strings, what it names.
        data_dir: String, the folder of test sets.

    Raises:
        InputError: If one is missing, or there are none.
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


def check_output(path, *suffixes: str, flag: str = "output"):
    """Checks that a file can be written, before anything is computed.

    Args:
        path: Path of the file; None for none.
        *suffixes: Strings, how its name may end; any way without.
        flag: String, the flag that names it.

    Raises:
        InputError: If it cannot.
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


def check_failures(failures: list[str], total: int):
    """Ends a program that went on past photographs it could not use.

    Raises:
        InputError: If there are failures; the message has all of them.
    """
    if len(failures) == total == 1:
        raise InputError(failures[0])
    if failures:
        lines = "\n  ".join(failures)
        raise InputError(
            f"{len(failures)} of {total} photographs failed:\n  {lines}"
        )
