"""Regions of Markdown files that a program fills with tables and sentences.

A region begins with the line `<!-- PROGRAM: NAME -->`, and ends with the line
`<!-- end -->`.
"""

import pathlib
import re
from collections.abc import Callable
from collections.abc import Mapping

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame

_END = re.compile(r"^<!-- end -->$", re.MULTILINE)


class Regions:
    """The regions of one program.

    Args:
        program: String, the first word of the regions.
        makers: Dict from the names of the regions to functions. Each takes the
            figures of the program, and returns Markdown.
    """

    def __init__(self, program: str, makers: Mapping[str, Callable]):
        self._program = program
        self._makers = makers
        self._begin = re.compile(rf"^<!-- {program}: (.*?) -->$", re.MULTILINE)

    def write(self, figures, paths: list) -> list:
        """Fills the regions of Markdown files.

        Args:
            figures: The figures of the program.
            paths: List of paths. A file without regions stays as it is.

        Returns:
            List of the paths of the files that were written.

        Raises:
            InputError: If a file cannot be read, or a region is not usable.
        """
        texts = {path: _text(path) for path in paths}
        filled = {path: self.fill(texts[path], figures, path) for path in paths}
        changed = [path for path in paths if filled[path] != texts[path]]
        for path in changed:
            with files.replacing(path) as partial:
                partial.write_text(filled[path])
        return changed

    def check(self, paths: list):
        """Checks the regions of Markdown files.

        Args:
            paths: As in `write`.

        Raises:
            InputError: Likewise.
        """
        for path in paths:
            self._split(_text(path), path)

    def fill(self, text: str, figures, path) -> str:
        """Returns a text with filled regions.

        Args:
            text: String, the content of a Markdown file.
            figures: The figures of the program.
            path: Path of the Markdown file, for errors.

        Raises:
            InputError: If a region has another name, or no end.
        """
        before, regions = self._split(text, path)
        parts = [before]
        for name, after in regions:
            made = self._makers[name](figures).strip()
            parts.append(f"<!-- {self._program}: {name} -->\n\n{made}\n\n")
            parts.append(after)
        return "".join(parts)

    def _split(self, text, path):
        """Returns the text before the regions, and names with the texts after.

        Each text after a region begins with the region's last line.
        """
        before, *rest = self._begin.split(text)
        regions = []
        for name, after in zip(rest[::2], rest[1::2]):
            if name not in self._makers:
                raise InputError(
                    f"{path}: has a region '{name}', expected one of "
                    f"{', '.join(self._makers)}."
                )
            end = _END.search(after)
            if not end:
                raise InputError(
                    f"{path}: its region '{name}' has no end, "
                    "expected the line <!-- end --> after it."
                )
            regions.append((name, after[end.start() :]))
        return before, regions


def _text(path):
    files.check_file(path, "a Markdown file")
    with blame(f"{path}: cannot be read", OSError, ValueError):
        return pathlib.Path(path).read_text()
