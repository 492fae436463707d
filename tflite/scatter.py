"""A picture of a benchmark: latency against zeros, PSNR against latency."""

import dataclasses
import math

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from issp_keras.tflite.rows import Row
from issp_keras.tflite.rows import labels

# Drawn larger and made smaller, edges become smooth.
_FINE = 3
_WIDTH, _HEIGHT = 560, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 58, 56
# Less looks like more than it is.
_LEAST_DB = 0.2
_INK, _GREY, _GRID = "#222222", "#666666", "#e4e4e4"
_COLOURS = {
    "float32": "#1f77b4",
    "float16": "#2ca02c",
    "int8": "#e6550d",
}
_RADIUS = 5
_LINE = 15


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis of a panel.

    Attributes:
        title: String.
        low: Float, the value at its beginning.
        high: Float, the value at its end.
        ticks: List of floats.
        is_log: Whether equal ratios take equal room.
    """

    title: str
    low: float
    high: float
    ticks: list[float]
    is_log: bool

    def place(self, value: float) -> float:
        """Where a value is, from 0 to 1."""
        if self.is_log:
            value, low, high = map(math.log, (value, self.low, self.high))
            return (value - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


def linear_axis(title: str, values: list[float], least: float) -> Axis:
    """An axis of at least some length, with round ticks, around values."""
    low, high = min(values), max(values)
    room = max(0.12 * (high - low), (least - (high - low)) / 2)
    low, high = low - room, high + room
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= max(k for k in (1, 2, 5) if 3 * k * step <= high - low)
    first, last = math.ceil(low / step), math.floor(high / step)
    ticks = [round(i * step, 10) for i in range(first, last + 1)]
    return Axis(title, low, high, ticks, False)


def percent_axis(title: str) -> Axis:
    """An axis of 0 to 100 %."""
    return Axis(title, -6, 106, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0], False)


def log_axis(title: str, values: list[float]) -> Axis:
    """A logarithmic axis around some positive values."""
    low, high = min(values) / 1.25, max(values) * 1.25
    decades = range(
        math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    )
    for digits in ((1,), (1, 2, 5), (1, 1.2, 1.5, 1.8, 2, 2.5, 3, 4, 5, 6, 8)):
        ticks = [float(f"{d}e{e}") for e in decades for d in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return Axis(title, low, high, ticks, True)


def picture(rows: list[Row]) -> PIL.Image.Image:
    """Draws both panels; rows without latency are no points.

    Args:
        rows: List of `Row`.

    Returns:
        RGB image of 1120x420 pixels. Colours are precisions; what a delegate
        computes is a diamond.
    """
    named = [
        (name, row)
        for name, row in zip(labels(rows), rows, strict=True)
        if row.latency_ms
    ]
    times = [float(row.latency_ms or 0) for _, row in named]
    zeros_of = [100 * (row.sparsity or 0) for _, row in named]
    latency = log_axis("latency in ms, log scale", times)
    zeros = percent_axis("zeros in kernels, %")
    quality = [row.psnr for _, row in named]
    psnr = linear_axis("PSNR in dB on Y", quality, _LEAST_DB)
    canvas = _Canvas()
    canvas.panel(
        0,
        "Latency against sparsity",
        zeros,
        latency,
        [(*of, *at) for of, *at in zip(named, zeros_of, times, strict=True)],
    )
    canvas.panel(
        _WIDTH,
        "PSNR against latency",
        latency,
        psnr,
        [(*of, at, of[1].psnr) for of, at in zip(named, times, strict=True)],
    )
    canvas.legend(2 * _WIDTH - _RIGHT, 20)
    return canvas.image()


class _Canvas:
    """What is drawn on, in pixels of the finished picture."""

    def __init__(self):
        self._large = PIL.Image.new(
            "RGB", (2 * _WIDTH * _FINE, _HEIGHT * _FINE), "white"
        )
        self._draw = PIL.ImageDraw.Draw(self._large)
        self._fonts = {
            size: PIL.ImageFont.load_default(size * _FINE)
            for size in (11, 12, 15)
        }

    def image(self):
        size = 2 * _WIDTH, _HEIGHT
        return self._large.resize(size, PIL.Image.Resampling.LANCZOS)

    def legend(self, right, y):
        """Says what markers mean."""
        for text, is_diamond in (("with a delegate", True), ("TFLite", False)):
            right -= self._fonts[11].getlength(text) / _FINE
            self._text((right, y), text, _GREY, 11, "lm")
            self._marker(right - 10, y, _GREY, is_diamond)
            right -= 32

    def panel(self, left, title, x, y, points):
        """Draws axes, and points as (name, row, x, y)."""
        self._axes(left, title, x, y)
        places = [
            (name, row, *self._place(left, x, y, *at))
            for name, row, *at in points
        ]
        taken = [
            (px - _RADIUS, py - _RADIUS, px + _RADIUS, py + _RADIUS)
            for _, _, px, py in places
        ]
        for name, row, px, py in places:
            colour = _COLOURS.get(row.precision, _GREY)
            self._marker(px, py, colour, row.delegate)
            taken.append(self._name(left, name, px, py, colour, taken))

    def _place(self, left, x, y, x_value, y_value):
        width = _WIDTH - _LEFT - _RIGHT
        height = _HEIGHT - _TOP - _BOTTOM
        return (
            left + _LEFT + width * x.place(x_value),
            _HEIGHT - _BOTTOM - height * y.place(y_value),
        )

    def _axes(self, left, title, x, y):
        right, bottom = left + _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        for tick in x.ticks:
            at, _ = self._place(left, x, y, tick, y.low)
            self._line((at, _TOP, at, bottom), _GRID)
            self._text((at, bottom + 6), f"{tick:g}", _GREY, 11, "ma")
        for tick in y.ticks:
            _, at = self._place(left, x, y, x.low, tick)
            self._line((left + _LEFT, at, right, at), _GRID)
            self._text((left + _LEFT - 8, at), f"{tick:g}", _GREY, 11, "rm")
        self._line((left + _LEFT, _TOP, left + _LEFT, bottom), _INK)
        self._line((left + _LEFT, bottom, right, bottom), _INK)
        self._text((left + _LEFT, 12), title, _INK, 15, "la")
        self._text((left + 12, 36), y.title, _GREY, 12, "la")
        self._text((right, bottom + 26), x.title, _GREY, 12, "ra")

    def _marker(self, x, y, colour, is_diamond):
        if is_diamond:
            r = 1.35 * _RADIUS
            corners = (x - r, y), (x, y - r), (x + r, y), (x, y + r)
            self._draw.polygon(
                [(_FINE * a, _FINE * b) for a, b in corners], colour
            )
        else:
            box = x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS
            self._draw.ellipse([_FINE * v for v in box], colour)

    def _name(self, left, name, x, y, colour, taken):
        """Writes a name where it covers least; returns its box."""
        width = self._fonts[11].getlength(name) / _FINE
        inside = left + _LEFT, _TOP, left + _WIDTH - _RIGHT + 16, _HEIGHT
        inside = (*inside[:3], _HEIGHT - _BOTTOM)
        choices = []
        for distance in range(4):
            for side in (1, -1):
                for up in (0, -1, 1):
                    cx = x + side * (10 + width / 2)
                    cy = y + up * _LINE * distance
                    choices.append(_box(cx, cy, width))
            for up in (-1, 1):
                cy = y + up * _LINE * (1 + distance)
                choices.append(_box(x, cy, width))
        box = min(choices, key=lambda box: _covered(box, taken, inside))
        self._text((box[0], (box[1] + box[3]) / 2), name, colour, 11, "lm")
        return box

    def _line(self, ends, colour):
        self._draw.line([_FINE * v for v in ends], colour, _FINE)

    def _text(self, at, text, colour, size, anchor):
        at = [_FINE * v for v in at]
        self._draw.text(at, text, colour, self._fonts[size], anchor)


def _box(x, y, width):
    return x - width / 2, y - _LINE / 2, x + width / 2, y + _LINE / 2


def _covered(box, taken, inside):
    """The area of a box that is taken, or outside."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(_overlap(box, of) for of in taken) + area - _overlap(box, inside)


def _overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)
