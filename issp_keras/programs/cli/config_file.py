"""The flag `--config`, which names a Python file."""

import ast
import contextlib
import importlib.resources
import pathlib
import re
import sys

from absl import flags

from issp_keras.errors import InputError
from issp_keras.extras import needed_by
from issp_keras.programs import interrupts
from issp_keras.programs.cli.flag_errors import parse_flags

_CONFIGS = "issp_keras.configs"
_FLAGS = ("--config", "-config")


def define_config_flag():
    """Defines `--config` and, for each entry, `--config.ENTRY`."""
    # Imported here, since most programs have no config.
    with needed_by("--config"):
        from ml_collections import config_flags

    config_flags.DEFINE_config_file(
        "config",
        None,
        "A Python file, or the name of a config that comes with issp_keras. "
        "Settings follow a colon: swinir_light:scale=2.",
    )


def parse_flags_with_config(argv: list[str]):
    """Parses the flags, including `--config`, which names a Python file."""
    try:
        return parse_flags(_located(argv))
    except Exception as error:
        # Flags report their errors themselves. The config raised this error.
        sys.exit(f"{interrupts.name()}: {_reason(error, argv)}")


def check_config_file():
    """Raises an `InputError` if the file of `--config` does not exist."""
    from ml_collections import config_flags

    path = config_flags.get_config_filename(flags.FLAGS["config"])
    # The text after a colon is an argument for get_config().
    path = path.split(":")[0]
    if not pathlib.Path(path).is_file():
        raise InputError(
            f"--config: {path}: no such file, expected a file or one of the "
            f"configs of issp_keras: {', '.join(sorted(_installed()))}."
        )


def _located(argv):
    """Returns the words of a command with each config name as a path."""
    words = list(argv)
    for i, flag, value in _values(argv):
        words[i] = flag + _path(value)
    return words


def _values(words):
    """Yields the place of each value of `--config`, what precedes it, and it.

    The value may be a word of its own. Then nothing precedes it.
    """
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS:
            continue
        if equals:
            yield i, f"{flag}=", value
        elif i + 1 < len(words):
            yield i + 1, "", words[i + 1]


def _path(value):
    name, colon, setting = value.partition(":")
    if not pathlib.Path(name).is_file():
        name = _installed().get(name.removesuffix(".py"), name)
    return f"{name}{colon}{setting}"


def _installed():
    """Returns a dict from config names to paths, for the package's configs."""
    folder = pathlib.Path(str(importlib.resources.files(_CONFIGS)))
    return {
        path.stem: str(path)
        for path in folder.glob("*.py")
        if "def get_config(" in path.read_text()
    }


def _reason(error, argv):
    """Returns one line; some ml_collections errors hold a traceback."""
    file = _file_of(argv)
    if isinstance(error, SyntaxError):
        # A file that is no text has no line at fault.
        line = f", line {error.lineno}" if error.lineno else ""
        return f"--config: {error.filename or file}{line}: {error.msg}"
    text = str(error.args[0] if error.args else "").strip()
    if isinstance(error, (AttributeError, KeyError)):
        if entry := _unknown_entry(text, argv):
            return entry
        # An error inside another one has added quotes.
        with contextlib.suppress(SyntaxError, ValueError):
            text = str(ast.literal_eval(text))
        text = text.replace("\n", "; ")
    lines = text.splitlines() or [type(error).__name__]
    return f"--config: {file}: {lines[0]}"


def _file_of(argv):
    """Returns the file that `--config` names, without settings."""
    values = (value for _, _, value in _values(argv))
    return next(values, "no file").partition(":")[0]


def _unknown_entry(text, argv):
    """Returns a sentence about a missing entry of the config, or None."""
    # The text is a repr of a repr, so it begins with quotes.
    found = re.match(r"\W*(\w+)", text)
    if not found:
        return None
    name = found[1]
    near = re.search(r'Did you mean "(\w+)"', text)
    flag = re.compile(rf"--?(config\.(?:[\w.]+\.)?){name}\b")
    for place in filter(None, map(flag.match, argv)):
        mend = f"; did you mean --{place[1]}{near[1]}?" if near else "."
        return f"--{place[1]}{name}: no such entry of the config{mend}"
    return None
