"""Starts and ends programs."""

import contextlib
import importlib
import re
import sys
import types
from typing import Any

from absl import app
from absl import flags

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.extras import needed_by
from issp_keras.programs import interrupts
from issp_keras.programs.cli import help_text
from issp_keras.programs.cli import quiet
from issp_keras.programs.cli.flag_errors import parse_flags
from issp_keras.programs.cli.terminal import starting

# What Keras says at its import.
_UNKNOWN_BACKEND = "Unable to import backend"
_DASHES = "--"
_BACKTICKED = re.compile(r"`(\w+)`")


def run(main, parse_flags=parse_flags, arguments: dict | None = None):
    """Runs `main(argv)` as an absl program.

    `--help` prints the docstring of the module of `main`, its `arguments` and
    its flags. Bad input ends the program with one sentence on stderr and
    status 1. Ctrl-C ends it with one sentence and status 130, and SIGTERM with
    status 143.

    Args:
        main: Callable that takes a list of strings: the name of the program,
            and its positional arguments.
        parse_flags: Callable that takes all words and returns such a list.
            Defaults to absl's flags.
        arguments: Dict from positional arguments to descriptions, such as
            `{"PHOTOGRAPH...": "Files and folders."}`.
    """
    with interrupts.ending_with_the_reader():
        _answer(main, arguments or {})
        _run(main, parse_flags)


def _run(main, parse_flags):
    def guarded(argv):
        given = flags.FLAGS["verbosity"]
        verbosity = given.value if given.present else None
        with quiet.only_ours(interrupts.name(), verbosity):
            return _status(main, argv)

    try:
        app.run(guarded, flags_parser=parse_flags)
    except KeyboardInterrupt as error:
        sys.exit(interrupts.status_of(error))


def load(module: str) -> Any:
    """Imports the program of a command, which may take seconds.

    Ctrl-C ends the process during the import.

    Args:
        module: String, the name of the module.

    Raises:
        InputError: If Keras does not know its backend.
    """
    try:
        with interrupts.ending_at_once(), starting():
            return importlib.import_module(module)
    except ValueError as error:
        if _UNKNOWN_BACKEND not in str(error):
            raise
        raise InputError(f"KERAS_BACKEND: {error}") from error


def _answer(main, arguments):
    """Answers `--help`, `--completions` and `--version`, and exits."""
    words = sys.argv[1:]
    if "--" in words:
        words = words[: words.index("--")]
    if {"--help", "-help", "-h", "-?", "--helpshort"} & {*words}:
        module: types.ModuleType = sys.modules[main.__module__]
        text = help_text.of(interrupts.name(), module.__doc__, arguments)
        print(text, end="")
        sys.exit()
    if "--completions" in words:
        print("\n".join(help_text.completions()))
        sys.exit()
    if "--version" in words:
        from issp_keras import __version__

        print(f"issp_keras {__version__}")
        sys.exit()


def _status(main, argv):
    """Runs `main`; returns the status of the process."""
    try:
        with (
            interrupts.raising(),
            needed_by("this command"),
            as_flags(),
        ):
            main(argv)
    except InputError as error:
        print(f"{interrupts.name()}: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def as_flags(prefix: str = _DASHES):
    """Turns errors about an argument into errors about a flag.

    A program passes its flags to the library under the same names. The block
    turns an `ArgumentError` of the library into an error that names the flag,
    and names other flags in place of other arguments.

    Args:
        prefix: String before the argument's name, for example
            `"--config.teacher."` for entries of a config. Defaults to `"--"`.
    """
    try:
        yield
    except ArgumentError as error:
        problem = error.problem
        if prefix == _DASHES:
            problem = _BACKTICKED.sub(_with_dashes, problem)
        raise InputError(f"{prefix}{error.argument}: {problem}") from error


def _with_dashes(found):
    is_flag = found[1] in flags.FLAGS
    return f"{_DASHES}{found[1]}" if is_flag else found[0]
