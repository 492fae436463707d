"""A page in one HTML file, which loads no other file."""

import base64
import dataclasses
import hashlib
import importlib.resources
import pathlib

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.report.markup import Html
from issp_keras.report.markup import element
from issp_keras.report.markup import fragment

_VIEWPORT = "width=device-width, initial-scale=1"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One of the main figures, in large type below the heading.

    Attributes:
        value: String, such as "30.66 dB".
        label: String, the name of the value.
        note: String, in small type.
    """

    value: str
    label: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: String.
        blocks: List of `Html`, or of strings, which become paragraphs.
    """

    title: str
    blocks: list


@dataclasses.dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        kind: String, above the heading.
        title: String, the heading.
        lead: String, a sentence or two below it.
        figures: List of `Figure`.
        sections: List of `Section`.
        facts: List of pairs of strings, facts about the run.
    """

    kind: str
    title: str
    lead: str
    figures: list[Figure]
    sections: list[Section]
    facts: list[tuple[str, str]]

    def render(self) -> str:
        """Returns the text of the HTML file."""
        script = _asset("report.js")
        body = element(
            "body",
            element(
                "main",
                self._header(),
                *map(_section, self.sections),
                _about(self.facts),
            ),
            element("script", Html(script)),
        )
        head = _head(self.title, script)
        return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"

    def write(self, path):
        """Writes the page. No part of a file is left after an error.

        Raises:
            InputError: If the folder cannot be written.
        """
        # A file name may contain bytes that are not text.
        content = self.render().encode("utf-8", "replace")
        with files.replacing(path) as partial:
            partial.write_bytes(content)

    def _header(self):
        figures = [
            element(
                "div",
                element("dt", figure.label),
                element("dd", figure.value),
                element("dd", figure.note, class_="note"),
            )
            for figure in self.figures
        ]
        return element(
            "header",
            element("p", self.kind, class_="kind"),
            element("h1", self.title),
            element("p", self.lead, class_="lead"),
            element("dl", *figures, class_="figures") if figures else None,
        )


def hint(text: str) -> Html:
    """Returns a hint for the reader, hidden in print and without a script."""
    return element("p", text, class_="note hint")


def check_path(path):
    """Checks that a page can be written, before anything is computed.

    Args:
        path: String, the path of the page.

    Raises:
        InputError: If it is a folder, has another suffix than ".html", or if
            its folder cannot be written.
    """
    if pathlib.Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"is {path}, expected a file ending in .html.")
    files.make_folder(pathlib.Path(path).parent)
    if pathlib.Path(path).is_dir():
        raise InputError(f"{path}: is a folder, expected a file.")


def _head(title, script):
    # The browser blocks everything outside this file, for any text in it.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element(
            "meta",
            name="viewport",
            content="width=device-width, initial-scale=1",
        ),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        # Otherwise browsers would request an icon file.
        element("link", rel="icon", href="data:,"),
        element("style", Html(_asset("report.css"))),
    )


def _section(section):
    blocks = [
        block if isinstance(block, Html) else element("p", block, class_="note")
        for block in section.blocks
    ]
    return element("section", element("h2", section.title), *blocks)


def _about(facts):
    items = [
        fragment(element("dt", name), element("dd", value))
        for name, value in facts
    ]
    return element(
        "section",
        element("h2", "What was run, and on what"),
        element("dl", *items, class_="facts"),
    )


def _asset(name):
    folder = importlib.resources.files("issp_keras.report")
    return folder.joinpath(name).read_text(encoding="utf-8")
