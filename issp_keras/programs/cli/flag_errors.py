"""Errors about flags, each in one sentence."""

import difflib
import re
import sys

from absl import flags

from issp_keras.programs import interrupts
from issp_keras.programs.cli import help_text

_ILLEGAL = re.compile(r"flag --([\w.]+)=(.*?): (.*)", re.DOTALL)
_MISSING = re.compile(r"Missing value for flag -*([\w.]+)")
_TRACEBACK = "Traceback (most recent call last)"
_REQUIRED = re.compile(r"flag --([\w.]+)=None: Flag .* must have a value")


def parse_flags(argv: list[str]) -> list[str]:
    """Parses all words; returns the program's name and its arguments.

    A bad flag ends the program.
    """
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        sys.exit(f"{interrupts.name()}: {sentence(error)}")


def sentence(error: flags.Error) -> str:
    """Returns a sentence about the problem and the expected value."""
    if isinstance(error, flags.UnrecognizedFlagError):
        return _unknown(error.flagname)
    text = str(error)
    if match := _REQUIRED.match(text):
        about = help_text.about(flags.FLAGS[match[1]])
        return f"--{match[1]}: is missing. {about}"
    if match := _MISSING.match(text):
        return f"{_dashed(match[1])}: has no value, expected a value."
    if match := _ILLEGAL.match(text):
        return _illegal(*match.groups())
    return text.strip().splitlines()[0]


def _unknown(name):
    near = difflib.get_close_matches(name, flags.FLAGS, 1, 0.7)
    mend = f"did you mean {_dashed(near[0])}?" if near else "--help lists all."
    return f"{_dashed(name)}: no such flag; {mend}"


def _dashed(name):
    return f"--{name}" if len(name) > 1 else f"-{name}"


def _illegal(name, value, reason):
    parser = getattr(flags.FLAGS[name], "parser", None)
    choices = getattr(parser, "enum_values", None)
    if choices:
        return f"--{name}: is {value}, expected one of {', '.join(choices)}."
    expected = getattr(parser, "syntactic_help", "")
    if expected:
        return f"--{name}: is {value}, expected {expected}."
    return f"--{name}: is {value}: {_problem(reason)}"


def _problem(reason):
    """Returns one line. The reason of a traceback is in its last line."""
    if "get_config() takes 0 positional arguments" in reason:
        return "expected no colon, since this config takes no setting."
    lines = reason.strip().splitlines()
    return lines[-1 if _TRACEBACK in reason else 0].strip()
