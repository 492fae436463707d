"""The command `issp`, and its old names such as `issp-train`."""

import difflib
import importlib
import sys

from issp_keras.extras import MissingPackage
from issp_keras.programs import interrupts
from issp_keras.programs.commands import COMMANDS

_OVERVIEW = """\
Sparse super-resolution for the edge, with Keras 3.

Usage: issp COMMAND [FLAGS] [ARGUMENTS]

Commands:
{commands}

`issp COMMAND --help` shows the flags of a command, and examples.
`issp --version` shows the version."""


def run():
    """Entry point of `issp`, and of old names such as `issp-train`."""
    interrupts.end_at_once()
    name = interrupts.name().removesuffix(".exe").removeprefix("issp-")
    if name not in COMMANDS:
        name = _named()
        sys.argv = [f"issp {name}", *sys.argv[2:]]
    module, _, function = COMMANDS[name].entry.partition(":")
    try:
        getattr(importlib.import_module(module), function)()
    except MissingPackage as error:
        # The import of a command failed before it parsed its arguments.
        sys.exit(f"{interrupts.name()}: {error}")


def _named():
    """Returns the command that the first word names."""
    word, *others = sys.argv[1:] or ["--help"]
    if word == "help" and others:
        word, sys.argv[2] = others[0], "--help"
    if word in _ANSWERS:
        with interrupts.ending_with_the_reader():
            print(_ANSWERS[word]())
        sys.exit()
    if word not in COMMANDS:
        sys.exit(f"issp: {word}: {_nearest(word)}")
    return word


def _overview():
    lines = [
        f"  {name:<12}{command.summary}" for name, command in COMMANDS.items()
    ]
    return _OVERVIEW.format(commands="\n".join(lines))


def _version():
    from issp_keras import __version__

    return f"issp_keras {__version__}"


def _completions():
    return "\n".join(
        f"{name}\t{command.summary}" for name, command in COMMANDS.items()
    )


_ANSWERS = {
    **dict.fromkeys(("help", "--help", "-help", "-h"), _overview),
    **dict.fromkeys(("version", "--version"), _version),
    "--completions": _completions,
}


def _nearest(word):
    if word.startswith("-"):
        return "expected a command before flags; `issp --help` lists commands."
    near = difflib.get_close_matches(word, COMMANDS, 1)
    if near:
        return f"no such command; did you mean `issp {near[0]}`?"
    return f"no such command, expected one of {', '.join(COMMANDS)}."


if __name__ == "__main__":
    run()
