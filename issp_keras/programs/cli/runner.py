"""How a program starts, takes its arguments, and ends."""

import contextlib
import pathlib
import signal
import sys

from absl import app

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError

# What shells say of a program that a signal ends: 128 and its number.
_INTERRUPTED = 128 + signal.SIGINT


def run(main, parse_flags=app.parse_flags_with_usage):
    """Runs `main(argv)` as an absl program.

    Bad input ends the program with one sentence on stderr and status 1, and
    Ctrl-C with one and status 130.
    """

    def guarded(argv):
        name = pathlib.Path(argv[0]).name
        try:
            with as_flags():
                main(argv)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{name}: interrupted.", file=sys.stderr)
            return _INTERRUPTED
        return 0

    app.run(guarded, flags_parser=parse_flags)


@contextlib.contextmanager
def as_flags(prefix: str = "--"):
    """Names the flag where the library names an argument.

    A program gives its flags to the library under the same names. Errors
    about an argument that are raised in the block then name the flag.

    Args:
        prefix: String before the argument's name. Defaults to `"--"`; of
            entries of a config it is such as `"--config.teacher."`.
    """
    try:
        yield
    except ArgumentError as error:
        message = f"{prefix}{error.argument}: {error.problem}"
        raise InputError(message) from error


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
