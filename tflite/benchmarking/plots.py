"""A picture of a benchmark: latency against zeros, PSNR against latency."""

import dataclasses
import math

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import labels

# Drawn larger and made smaller, edges become smooth.
_FINE = 3
_WIDTH, _HEIGHT = 560, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 58, 56
# Less looks like more than it is.
_LEAST_DB = 0.2
_INK, _GREY, _GRID = "#222222", "#666666", "#e4e4e4"
# Of the files, in turn.
_COLOURS = (
    "#1f77b4",
    "#e6550d",
    "#2ca02c",
    "#9467bd",
    "#8c564b",
    "#d62794",
    "#17a2b8",
    "#a08a00",
)
_RADIUS = 5
_LINE = 15
_KEY_LINE = 18


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


@dataclasses.dataclass(frozen=True)
class Point:
    """A row in the picture.

    Attributes:
        number: Integer, by which the key names it.
        name: String.
        colour: String, that of its file.
        row: `Row`.
    """

    number: int
    name: str
    colour: str
    row: Row


def picture(rows: list[Row]) -> PIL.Image.Image:
    """Draws both panels, and a key below.

    Rows without latency are no points; those without a finite PSNR, of
    networks that make no error, are in the first panel alone.

    Args:
        rows: List of `Row`.

    Returns:
        RGB image, 1120 pixels wide. Each file has a colour; what a delegate
        computes is a diamond.
    """
    points = _points(rows)
    times = [point.row.latency_ms or 1.0 for point in points]
    finite = [point for point in points if math.isfinite(point.row.psnr)]
    latency = log_axis("latency in ms, log scale", times)
    zeros = percent_axis("zeros in kernels, %")
    psnr = linear_axis(
        "PSNR in dB on Y", [of.row.psnr for of in finite] or [0.0], _LEAST_DB
    )
    canvas = _Canvas(math.ceil(len(points) / 2))
    canvas.panel(
        0,
        "Latency against sparsity",
        zeros,
        latency,
        [
            (of, 100 * (of.row.sparsity or 0), of.row.latency_ms)
            for of in points
        ],
    )
    canvas.panel(
        _WIDTH,
        "PSNR against latency",
        latency,
        psnr,
        [(of, of.row.latency_ms, of.row.psnr) for of in finite],
    )
    canvas.legend(2 * _WIDTH - _RIGHT, 20)
    canvas.key(points)
    return canvas.image()


def _points(rows):
    timed = [
        (name, row)
        for name, row in zip(labels(rows), rows, strict=True)
        if row.latency_ms
    ]
    files = list(dict.fromkeys(row.file for _, row in timed))
    return [
        Point(i + 1, name, _COLOURS[files.index(row.file) % len(_COLOURS)], row)
        for i, (name, row) in enumerate(timed)
    ]


class _Canvas:
    """What is drawn on, in pixels of the finished picture."""

    def __init__(self, lines):
        self._size = 2 * _WIDTH, _HEIGHT + _KEY_LINE * lines + 12
        self._large = PIL.Image.new(
            "RGB", tuple(_FINE * n for n in self._size), "white"
        )
        self._draw = PIL.ImageDraw.Draw(self._large)
        self._fonts = {
            size: PIL.ImageFont.load_default(size * _FINE)
            for size in (11, 12, 15)
        }

    def image(self):
        return self._large.resize(self._size, PIL.Image.Resampling.LANCZOS)

    def legend(self, right, y):
        """Says what markers mean."""
        for text, is_diamond in (("with a delegate", True), ("TFLite", False)):
            right -= self._fonts[11].getlength(text) / _FINE
            self._text((right, y), text, _GREY, 11, "lm")
            self._marker(right - 10, y, _GREY, is_diamond)
            right -= 32

    def key(self, points):
        """Names the points, in two columns below the panels."""
        lines = math.ceil(len(points) / 2)
        for i, point in enumerate(points):
            column, line = divmod(i, lines)
            x = column * _WIDTH + _LEFT
            y = _HEIGHT + _KEY_LINE * (line + 0.5)
            self._marker(x, y, point.colour, point.row.delegate)
            text = f"{point.number}  {point.name}"
            room = _WIDTH - _LEFT - _RIGHT
            self._text((x + 12, y), self._short(text, room), _INK, 11, "lm")

    def panel(self, left, title, x, y, points):
        """Draws axes, and points as (`Point`, x, y).

        What a file takes with a delegate and without is joined by a line.
        """
        self._axes(left, title, x, y)
        places = [(of, *self._place(left, x, y, *at)) for of, *at in points]
        taken = [_around(px, py) for _, px, py in places]
        for of, px, py in places:
            for other, qx, qy in places:
                if other.row.delegate and other.row.file == of.row.file:
                    self._line((px, py, qx, qy), of.colour)
                    taken += [
                        _around(
                            px + (qx - px) * i / 40, py + (qy - py) * i / 40
                        )
                        for i in range(40)
                    ]
        for of, px, py in places:
            self._marker(px, py, of.colour, of.row.delegate)
        for of, px, py in places:
            taken.append(
                self._name(left, str(of.number), px, py, of.colour, taken)
            )

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

    def _short(self, text, room):
        """As much of a text as there is room for, from its end."""
        font = self._fonts[11]
        if font.getlength(text) <= room * _FINE:
            return text
        head, _, tail = text.partition("  ")
        while font.getlength(f"{head}  …{tail}") > room * _FINE:
            tail = tail[1:]
        return f"{head}  …{tail}"

    def _line(self, ends, colour):
        self._draw.line([_FINE * v for v in ends], colour, _FINE)

    def _text(self, at, text, colour, size, anchor):
        at = [_FINE * v for v in at]
        self._draw.text(at, text, colour, self._fonts[size], anchor)


def _around(x, y):
    return x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS


def _along(x, y, to_x, to_y, count=40):
    return [
        _around(x + (to_x - x) * i / count, y + (to_y - y) * i / count)
        for i in range(count)
    ]


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
