"""The text of `--help`, made from a docstring and absl's flags."""

import inspect
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator

from absl import flags

_PACKAGE = "issp_keras"
_WIDEST = 28
_ADDED = re.compile(r"^<[^>]*>: |; repeat this option to specify a list.*$")
_FOOT = """\
--helpfull lists all flags, including those of absl. --verbosity=0 shows the
log messages of TensorFlow and other libraries. --version shows the version.
"""


def of(name: str, docstring: str | None, arguments: dict[str, str]) -> str:
    """Returns the help of a program.

    Args:
        name: String, the name of the program.
        docstring: String with three parts: a summary in one line, examples
            indented by four spaces, and details.
        arguments: Dict from positional arguments to descriptions.
    """
    summary, examples, more = _parts(docstring or "")
    blocks = [
        f"Usage: {name} [FLAGS] {' '.join(arguments)}".rstrip(),
        summary,
        _titled("Examples", [f"  {line}" for line in examples]),
        more,
        _titled("Arguments", _rows(list(arguments.items()))),
        _titled("Flags", _rows([(_left(f), _right(f)) for f in own_flags()])),
        _FOOT,
    ]
    return "\n\n".join(block.rstrip() for block in blocks if block) + "\n"


def own_flags() -> Iterator[flags.Flag]:
    """Yields the flags of this program, without those of other packages."""
    for module, of in flags.FLAGS.flags_by_module_dict().items():
        # absl gives the flags of the main module the name of its file.
        if module.split(".")[0] == _PACKAGE or module == sys.argv[0]:
            # Entries of a config are not listed as flags.
            yield from (flag for flag in of if "." not in flag.name)


def completions() -> Iterator[str]:
    """Yields lines for a shell: a flag, a tab, and a description."""
    for flag in own_flags():
        names = [f"--{flag.name}="]
        if flag.boolean:
            names = [f"--{flag.name}", f"--no{flag.name}"]
        yield from (f"{name}\t{about(flag)}" for name in names)
    yield "--help\tShow the flags and examples."


def about(flag: flags.Flag) -> str:
    """Returns the description of a flag in one line."""
    # Remove text that absl adds, since the placeholder already says it.
    return _ADDED.sub("", " ".join(flag.help.split()))


def default_of(flag: flags.Flag) -> str:
    """Returns the default of a flag as text; empty for a required flag."""
    if any("must have a value" in v.message for v in flag.validators):
        return ""
    if flag.boolean and isinstance(flag.default, bool):
        return "yes" if flag.default else "no"
    if flag.default in (None, []):
        return "none"
    if isinstance(flag.default, list):
        return ",".join(map(str, flag.default))
    return str(flag.default)


def placeholder(flag: flags.Flag) -> str:
    """Returns the placeholder for the value of a flag."""
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        return "|".join(choices)
    kinds = {"int": "N", "float": "X", "comma separated list of strings": "A,B"}
    return kinds.get(flag.flag_type(), "TEXT")


def _left(flag):
    short = f"-{flag.short_name}, " if flag.short_name else "    "
    if flag.boolean:
        return f"{short}--[no]{flag.name}"
    return f"{short}--{flag.name}={placeholder(flag)}"


def _right(flag):
    text = about(flag)
    default = default_of(flag)
    # A default that depends on other flags is in the description.
    if default == "none" and "by default" in text:
        return text
    told = f"Default: {default}." if default else "Required."
    return f"{text} {told}"


def _parts(docstring):
    """Returns the summary, the examples and the rest of a docstring."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    examples = [
        line[4:]
        for paragraph in paragraphs
        if paragraph.startswith("    ")
        for line in paragraph.splitlines()
    ]
    others = [p for p in paragraphs[1:] if not p.startswith("    ")]
    return paragraphs[0], examples, "\n\n".join(others)


def _titled(title, lines):
    lines = list(lines)
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _rows(rows):
    """Yields one line for each row, wrapped to the width of a terminal."""
    width = min(_WIDEST, max((len(left) for left, _ in rows), default=0))
    for left, right in rows:
        line = f"  {left:<{width}}  {right}"
        if sys.stdout.isatty():
            yield from textwrap.wrap(
                line,
                shutil.get_terminal_size().columns,
                subsequent_indent=" " * (width + 4),
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            yield line
