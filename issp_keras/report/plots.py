"""Plots as SVG. The page sets their colours, light or dark."""

import dataclasses

from issp_keras.report.axes import Axis
from issp_keras.report.markup import Html
from issp_keras.report.markup import element

# Units of a drawing; on a phone, one is about three quarters of a pixel.
_WIDTH, _HEIGHT = 480, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 50
# Heights of a line of `dots`, and of its axis.
_LINE, _FOOT = 44, 46
# The number of colours of the page.
_COLOURS = 8
# Positions of the numbers of discs (False) and diamonds (True), for series of
# even and odd index. So the numbers of points at one place do not overlap.
_OFFSETS = {False: ((9, -8), (-19, -8)), True: ((9, 17), (-19, 17))}


@dataclasses.dataclass(frozen=True)
class Point:
    """A point of `scatter`.

    Attributes:
        number: Integer, the number beside the point.
        name: String, the name in the key.
        x: Float.
        y: Float.
        series: Integer, from 0. Points of one series have one colour, and a
            line joins them.
        is_diamond: Boolean, whether the marker is a diamond instead of a disc.
    """

    number: int
    name: str
    x: float
    y: float
    series: int = 0
    is_diamond: bool = False


@dataclasses.dataclass(frozen=True)
class Dot:
    """A line of `dots`.

    Attributes:
        name: String.
        values: List of floats. The dot is their mean, and a bar goes from the
            smallest to the largest. It is empty if there is no value.
        note: String, the text at the right.
    """

    name: str
    values: list[float]
    note: str = ""


def scatter(title: str, points: list[Point], x: Axis, y: Axis) -> Html:
    """Draws points with numbers. `key` names the numbers."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    places = {
        point: (
            _between(_LEFT, right, x.place(point.x)),
            _between(bottom, _TOP, y.place(point.y)),
        )
        for point in points
    }
    drawn = [
        *_vertical_grid(x, _LEFT, right, _TOP, bottom),
        *_horizontal_grid(y, right, bottom),
        *_lines(places),
        *(_marker(point, *place) for point, place in places.items()),
        _text(x.label, right, _HEIGHT - 8, "end", "axis"),
        _text(y.label, 0, 14, "start", "axis"),
    ]
    return _figure(title, _HEIGHT, drawn)


def key(points: list[Point]) -> Html:
    """Names the points of `scatter` by their numbers."""
    items = [
        element(
            "li",
            element("span", point.number, class_=f"number {_colour(point)}"),
            element("span", point.name),
        )
        for point in points
    ]
    return element("ul", *items, class_="key")


def dots(title: str, lines: list[Dot], x: Axis) -> Html:
    """Draws a line for each name, with the mean and the spread of its values.

    A name without values has a cross at the left.
    """
    left, right = 12, _WIDTH - 12
    bottom = _LINE * len(lines) + 4
    drawn = list(_vertical_grid(x, left, right, 4, bottom))
    for i, line in enumerate(lines):
        drawn += _dot(line, x, left, right, _LINE * i)
    drawn.append(_text(x.label, right, bottom + _FOOT - 6, "end", "axis"))
    return _figure(title, bottom + _FOOT, drawn)


def side_by_side(*plots: Html) -> Html:
    """Puts plots side by side if the page is wide enough."""
    return element("div", *plots, class_="plots")


def _dot(line, x, left, right, top):
    y = top + 34
    yield _line(left, y, right, y, "track")
    yield _text(line.name, left, top + 20, "start", "name")
    yield _text(line.note, right, top + 20, "end", "tick")
    if not line.values:
        yield element(
            "path", d=f"M{left},{y - 5}l10,10m0,-10l-10,10", class_="lost"
        )
        return
    low, mean, high = (
        _between(left, right, x.place(value))
        for value in (
            min(line.values),
            sum(line.values) / len(line.values),
            max(line.values),
        )
    )
    yield _line(low, y, high, y, "spread")
    yield element("circle", cx=_f(mean), cy=y, r=5, class_="c0")


def _figure(title, height, drawn):
    plot = element(
        "svg",
        *drawn,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=title,
        class_="plot",
    )
    return element("figure", element("figcaption", title), plot)


def _vertical_grid(x, left, right, top, bottom):
    for tick in x.ticks():
        place = _between(left, right, x.place(tick))
        yield _line(place, top, place, bottom, "grid")
        yield _text(f"{tick:g}", place, bottom + 18, "middle", "tick")


def _horizontal_grid(y, right, bottom):
    for tick in y.ticks():
        place = _between(bottom, _TOP, y.place(tick))
        yield _line(_LEFT, place, right, place, "grid")
        yield _text(f"{tick:g}", _LEFT - 8, place + 4, "end", "tick")


def _lines(places):
    of_series: dict[int, list] = {}
    for point, place in places.items():
        of_series.setdefault(point.series, []).append((point, place))
    for found in of_series.values():
        path = " ".join(f"{_f(px)},{_f(py)}" for _, (px, py) in found)
        colour = _colour(found[0][0])
        yield element("polyline", points=path, class_=f"join {colour}")


def _marker(point, x, y):
    right, down = _OFFSETS[point.is_diamond][point.series % 2]
    if point.is_diamond:
        shape = element("path", d=f"M{_f(x)},{_f(y - 7)}l7,7l-7,7l-7,-7z")
    else:
        shape = element("circle", cx=_f(x), cy=_f(y), r=5.5)
    label = _text(point.number, x + right, y + down, "start", "number")
    name = element("title", f"{point.number} {point.name}")
    return element("g", name, shape, label, class_=_colour(point))


def _colour(point):
    return f"c{point.series % _COLOURS}"


def _between(start, end, share):
    return start + share * (end - start)


def _line(x1, y1, x2, y2, kind):
    places = {"x1": _f(x1), "y1": _f(y1), "x2": _f(x2), "y2": _f(y2)}
    return element("line", **places, class_=kind)


def _text(text, x, y, anchor, kind):
    return element(
        "text", text, x=_f(x), y=_f(y), text_anchor=anchor, class_=kind
    )


def _f(number):
    return f"{number:.1f}"
