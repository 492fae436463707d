"""A picture of a benchmark: latency against zeros, PSNR against latency."""

import math
import warnings

import numpy as np
import PIL.Image

from issp_keras.extras import needed_by
from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import timed

# In pixels: width of the picture, height of the panels and of a legend line.
_WIDTH, _HEIGHT, _LINE = 1120, 420, 20
_DPI = 100
# The least range of the PSNR axis. A smaller one would exaggerate differences.
_LEAST_DB = 0.2
# The most characters of a name in the legend.
_LONGEST = 52
_GREY, _GRID = "#666666", "#e4e4e4"
# Files take these in turn: offset of the number from its marker, and colour.
_OFFSETS = (7, 4), (7, -11), (-15, 4), (-15, -11)
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


def check_installed():
    """Raises a `MissingPackage` if there is no matplotlib to draw with."""
    with needed_by("A picture"):
        import matplotlib  # noqa: F401


def picture(rows: list[Row]) -> PIL.Image.Image:
    """Draws both panels, and a legend below.

    Rows without latency are left out. A network without any error has an
    infinite PSNR and is only in the first panel.

    Args:
        rows: List of `Row`.

    Returns:
        RGB image, 1120 pixels wide. Each file has a colour. Rows with a
        delegate are diamonds.

    Raises:
        MissingPackage: If there is no matplotlib.
    """
    check_installed()
    # Imported late because it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = _points(rows)
    height = _HEIGHT + _LINE * (math.ceil(len(points) / 2) + 1)
    figure = Figure((_WIDTH / _DPI, height / _DPI), _DPI)
    canvas = FigureCanvasAgg(figure)
    zeros, quality = (
        figure.add_axes((x, 1 - 360 / height, 0.42, 300 / height))
        for x in (0.06, 0.56)
    )
    _draw_zeros(zeros, points)
    _draw_quality(quality, points)
    _draw_key(figure, quality, points)
    with warnings.catch_warnings():
        # A name may have letters that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        canvas.draw()
    return PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _points(rows):
    """Rows with a latency: number, name, colour and row of each."""
    return [
        (number, name, _COLOURS[file % len(_COLOURS)], row)
        for number, name, file, row in timed(rows)
    ]


def _draw_zeros(axes, points):
    axes.set_title("Latency against sparsity", loc="left")
    axes.set_xlabel("zeros in kernels, %", loc="right")
    axes.set_ylabel("latency in ms, log scale")
    _draw(axes, points, lambda of: (100 * (of.sparsity or 0), of.latency_ms))
    axes.set_xlim(-6, 106)
    if points:
        _make_log(axes, axes.yaxis)


def _draw_quality(axes, points):
    axes.set_title("Quality against latency", loc="left")
    axes.set_xlabel("latency in ms, log scale", loc="right")
    axes.set_ylabel("PSNR in dB on Y")
    finite = [of for of in points if math.isfinite(of[-1].psnr)]
    _draw(axes, finite, lambda of: (of.latency_ms, of.psnr))
    if finite:
        low, *_, high = sorted([of[-1].psnr for of in 2 * finite])
        room = max(0.12 * (high - low), (_LEAST_DB - (high - low)) / 2)
        axes.set_ylim(low - room, high + room)
        _make_log(axes, axes.xaxis)


def _draw(axes, points, place):
    """Draws points, and joins the points of each file by a line."""
    axes.margins(0.12)
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    places: dict[str, list[tuple[float, float]]] = {}
    for number, _, colour, row in points:
        of_file = places.setdefault(row.file, [])
        of_file.append(place(row))
        axes.plot(*zip(*of_file, strict=True), color=colour, linewidth=1)
        axes.plot(*of_file[-1], _marker(row), color=colour, markersize=9)
        axes.annotate(
            str(number),
            of_file[-1],
            # The numbers of two files at one place must not overlap.
            _OFFSETS[(len(places) - 1) % len(_OFFSETS)],
            textcoords="offset points",
            color=colour,
        )


def _make_log(axes, axis):
    """Makes an axis logarithmic, with a few round numbers at its ticks."""
    from matplotlib import ticker

    set_scale = axes.set_xscale if axis is axes.xaxis else axes.set_yscale
    set_scale("log")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda ms, _: f"{ms:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def _draw_key(figure, axes, points):
    """Adds a legend for the points and one for the markers."""
    from matplotlib.lines import Line2D

    def sample(marker, colour):
        return Line2D([], [], color=colour, marker=marker, linestyle="none")

    axes.legend(
        [sample("o", _GREY), sample("D", _GREY)],
        ["TFLite", "with a delegate"],
        loc="lower right",
        bbox_to_anchor=(1.02, 1),
        ncols=2,
        frameon=False,
        labelcolor=_GREY,
    )
    key = figure.legend(
        [sample(_marker(row), colour) for _, _, colour, row in points],
        [f"{number}  {_short(name)}" for number, name, *_ in points],
        loc="lower left",
        ncols=2,
        frameon=False,
    )
    for text in key.get_texts():
        # A path may contain dollar signs, which mean formulas.
        text.set_parse_math(False)


def _marker(row):
    return "D" if row.delegate else "o"


def _short(name):
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
