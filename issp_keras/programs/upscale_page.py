"""The page of `issp upscale --compare=page.html`."""

import pathlib

from issp_keras import report
from issp_keras.data import Photograph
from issp_keras.data import imresize
from issp_keras.data import to_8_bits

# The most photographs on a page, so that none is too small.
_MOST = 30
_HINT = report.hint(
    "Drag over a picture, or use the arrow keys, to move the line. At 1x, one "
    "pixel of the result is one of the page. Where a picture is larger than "
    "its frame, drag the round handle to move the line, and drag or scroll "
    "the picture itself."
)


class Comparisons:
    """Collects photographs before and after, for a page.

    Args:
        count: Integer, the number of photographs. At most 30 of them share the
            bytes of the page.
        scale: Integer, the magnification.
    """

    def __init__(self, count: int, scale: int):
        self._scale = scale
        self._share = report.MOST_BYTES // max(1, min(count, _MOST))
        self._sections: list[report.Section] = []
        self._others: list[str] = []

    def see(self, source, photograph: Photograph, pixels):
        """Adds an upscaled photograph.

        Args:
            source: Path of its file.
            photograph: `Photograph`.
            pixels: Array, the result, `scale` times taller and wider.
        """
        if len(self._sections) == _MOST:
            self._others.append(str(source))
            return
        lr, sr = _middles(photograph.pixels, pixels, self._scale)
        # A page shows grey as RGB, so the grey profile does not fit.
        profile = photograph.icc_profile if lr.ndim == 3 else None
        before, after = report.encode_within(
            [imresize(to_8_bits(lr), self._scale), to_8_bits(sr)],
            self._share,
            profile,
        )
        slider = report.slider(
            _size(pixels.shape[1], pixels.shape[0]),
            {"bicubic": before, "network": after},
            note=_extent(after, pixels),
            zooms=True,
        )
        name = pathlib.Path(source).name
        self._sections.append(report.Section(name, [slider]))

    def page(
        self, model: str, failures: list[str], facts: list[tuple[str, str]]
    ) -> report.Page:
        """Makes the page.

        Args:
            model: String, the path of the network.
            failures: List of sentences about photographs without a result.
            facts: List of pairs of strings, facts about the run.
        """
        sections = list(self._sections)
        if sections:
            sections[0].blocks.append(_HINT)
        if len(sections) == 1:
            # The heading of the page already names the photograph.
            sections = [report.Section("Pictures", sections[0].blocks)]
        if self._others:
            title = f"{len(self._others)} more, without pictures here"
            sections.append(report.Section(title, self._others))
        if failures:
            sections.append(report.Section("Without a result", failures))
        return report.Page(
            kind="issp_keras · before and after",
            title=self._title(),
            lead="Bicubic interpolation is on the left of the line, the "
            "network on the right. Compression changes no pixel.",
            figures=[],
            sections=sections,
            facts=[("Model", model), *facts],
        )

    def _title(self):
        count = len(self._sections) + len(self._others)
        what = f"{count} photographs"
        if count == 1:
            what = self._sections[0].title
        return f"{what}, {self._scale} times larger"


def _middles(lr, sr, scale):
    """Returns the part of a photograph for the page, before and after."""
    size = report.bounded_size(*sr.shape[:2])
    window = report.middle(lr.shape, *(max(1, n // scale) for n in size))
    scaled = tuple(slice(scale * w.start, scale * w.stop) for w in window)
    return lr[window], sr[scaled]


def _size(width, height):
    return f"{width:,} x {height:,} pixels"


def _extent(shown, pixels):
    height, width = pixels.shape[:2]
    if (shown.height, shown.width) == (height, width):
        return ""
    return (
        "To stay small, this page shows only the middle of the photograph, at "
        f"full resolution, {_size(shown.width, shown.height)}. The result file "
        "has the whole photograph."
    )
