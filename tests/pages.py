"""Reads HTML pages for tests."""

import base64
import html.parser
import io
import pathlib

import numpy as np
import PIL.Image

_VOID = {"br", "img", "input", "link", "meta"}


class Parsed(html.parser.HTMLParser):
    """The content of a page. Fails if elements are not closed in order.

    Attributes:
        elements: List of pairs, the tag and a dict of attributes.
        text: String, all text outside of scripts and styles.
    """

    def __init__(self, content: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attributes)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & {*self._open}:
            self.text += data

    def all(self, tag: str, **attributes) -> list[dict]:
        """The attributes of all elements that match, in order."""
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]

    def images(self) -> list[np.ndarray]:
        """The pixels of all images, in order."""
        return [_pixels(found["src"]) for found in self.all("img")]


def read(path) -> Parsed:
    """Reads a page, and checks that it needs no other files."""
    content = pathlib.Path(path).read_bytes()
    assert content.startswith(b"<!DOCTYPE html>\n")
    assert len(content) < 15_000_000
    page = Parsed(content.decode())
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    # Only its own script: no name has injected another one.
    assert len(page.all("script")) == 1
    return page


def _pixels(source):
    start = "data:image/webp;base64,"
    assert source.startswith(start)
    data = base64.b64decode(source.removeprefix(start), validate=True)
    # Lossless WebP.
    assert b"VP8L" in data[:64] or b"ICCP" in data[:64]
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
