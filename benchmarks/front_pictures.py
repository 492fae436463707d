"""Pictures of quality against time."""

import dataclasses
import itertools
import pathlib
import textwrap

import fronts

from issp_keras import files

# Colours: dense, sparse, published, bundled.
_DENSE, _SPARSE, _GREY, _BLACK = "#1f77b4", "#d94801", "#777777", "#111111"
_MARKERS = {"int8": "D", "float32": "o"}
# Networks of other authors.
_OTHERS = {"int8": "+", "float32": "x"}
# Latencies beyond this one are left out of a picture.
_MOST_MS = 60
_FONT = 9
# A label lies at one of these distances from its point, in points (1/72 inch).
_DISTANCES = (5, 18, 32, 48, 64)
# So many points of the line from a label to its point are tested.
_STEPS = 40


class Picture:
    """What a picture of a magnification shows.

    Attributes:
        own: List of `Point`, networks that were trained alike.
        stars: List of `Point`, the best bundled networks.
        others: List of `Point`, networks of other authors.
        sparse: List of `Point`, the sparse front.
        dense: List of `Point`, the dense front.
        lines: List of tuples: a front, its style, its colour and its label.
        x: Pair of floats, the least and the largest latency.
        y: Pair of floats, the least and the largest PSNR.
    """

    def __init__(self, rows):
        alike = fronts.points(fronts.alike(rows), fronts.SIZE, fronts.THREADS)
        bundled = [row for row in rows if row.get("is_bundled")]
        self.own = fronts.fastest(alike)
        self.stars = fronts.front(
            fronts.points(bundled, fronts.SIZE, fronts.THREADS)
        )
        self.others = fronts.published(rows, fronts.SIZE, fronts.THREADS)
        self.sparse = fronts.front(of for of in self.own if of.is_sparse)
        self.dense = fronts.front(of for of in self.own if not of.is_sparse)
        stock = fronts.front(
            of for of in alike if of.door == "XNNPACK" and not of.is_sparse
        )
        self.lines = [
            (self.sparse, "-", _SPARSE, "sparse front"),
            (self.dense, "-", _DENSE, "dense front"),
            (stock, ":", _DENSE, "dense front in stock TFLite"),
        ]
        if stock == self.dense:
            del self.lines[-1]
        # One network has no front.
        if len({of.key for of in self.own}) == 1:
            self.lines = []
        self.lines = [line for line in self.lines if line[0]]
        self.x, self.y = self._limits()

    def _limits(self):
        latencies = [of.ms for of in self.own + self.stars]
        if not latencies:
            # Nothing was measured at this size.
            return (1, _MOST_MS), (0, 1)
        left = min(latencies) / 1.25
        right = min(1.5 * max(latencies), max(_MOST_MS, 4 * left))
        lowest = next(
            of[0].psnr
            for of in (self.dense, self.sparse, self.stars)
            if of and of[0].ms <= right
        )
        shown = [
            of.psnr
            for of in self.own + self.stars + self.others
            if of.ms <= right and of.psnr >= lowest
        ]
        margin = max(0.07 * (max(shown) - min(shown)), 0.05)
        return (left, right), (min(shown) - margin, max(shown) + margin)

    def has(self, point):
        """Whether a point lies within the picture."""
        return (
            self.x[0] <= point.ms <= self.x[1]
            and self.y[0] <= point.psnr <= self.y[1]
        )

    def note(self) -> str:
        """A sentence about networks that lie outside, or none."""
        outside = [
            f"{of.label} in {of.precision} ({of.ms:.1f} ms, {of.psnr:.2f} dB)"
            for of in self.own + self.stars
            if not self.has(of)
        ]
        outside += [
            f"{of.name} in {of.precision} ({of.ms:.0f} ms, {of.psnr:.2f} dB)"
            for of in self.others
            if not self.has(of)
        ]
        return f"Not in the picture: {', '.join(outside)}." if outside else ""


def picture_path(output: pathlib.Path, scale: int) -> pathlib.Path:
    """The path of a picture. That of x4 has the name of the JSON file."""
    suffix = "" if scale == 4 else f"_x{scale}"
    return output.with_name(f"{output.stem}{suffix}.png")


def draw_all(rows: list[dict], output: pathlib.Path):
    """Draws a picture of each magnification, beside the JSON file.

    Args:
        rows: List of dicts, the entry "networks" of the JSON file.
        output: Path of the JSON file.
    """
    for scale in fronts.scales(rows):
        with files.replacing(picture_path(output, scale)) as partial:
            draw(rows, scale, partial)


def draw(rows: list[dict], scale: int, path: pathlib.Path):
    """Draws PSNR against latency for a magnification.

    Args:
        rows: As in `draw_all`.
        scale: Integer, the magnification.
        path: Path of the PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["scale"] == scale]
    picture = Picture(rows)
    figure = Figure((9.2, 6), 130, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"Quality against time, x{scale}: up and left is better",
        **{"x": 0.01, "horizontalalignment": "left", "fontsize": 13},
    )
    axes = figure.subplots()
    prepare(axes, picture, fronts.names_of_sets(rows))
    _draw_fronts(axes, picture)
    _draw_points(axes, picture)
    _draw_legend(axes, picture)
    note = "\n".join(textwrap.wrap(picture.note(), 140))
    figure.supxlabel(
        note,
        **{"x": 0.01, "horizontalalignment": "left", "fontsize": _FONT},
        color=_GREY,
    )
    # Where the points are is only known after the layout.
    figure.draw_without_rendering()
    draw_labels(axes, picture)
    figure.savefig(path, format="png")


def prepare(axes, picture: Picture, sets: str):
    """Sets the scales and the labels of axes.

    Args:
        axes: Axes of matplotlib.
        picture: `Picture`.
        sets: String, the names of the test sets.
    """
    from matplotlib import ticker

    axes.set_xlabel(
        f"ms for an LR image of {fronts.SIZE} pixels, one core, log scale",
        loc="right",
    )
    axes.set_ylabel(f"PSNR in dB on Y, mean of {sets}")
    axes.grid(color="#ececec")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xscale("log")
    axes.set_xlim(picture.x)
    axes.set_ylim(picture.y)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _draw_fronts(axes, picture):
    """Draws the fronts, and shades where the sparse front is better."""
    for of, style, colour, _ in picture.lines:
        x, y = zip(*_corners(of, picture.x[1]))
        axes.plot(x, y, style, color=colour, linewidth=1.8)
    if picture.lines:
        for of in _gaps(picture):
            low = fronts.best_psnr(picture.dense, of.begin_ms)
            axes.fill_between(
                [of.begin_ms, of.end_ms],
                low,
                max(low, low + of.db),
                **{"color": _SPARSE, "alpha": 0.15, "linewidth": 0},
            )
    if picture.x[0] < fronts.LIMIT_MS < picture.x[1]:
        axes.axvline(
            fronts.LIMIT_MS, color=_GREY, linewidth=0.8, linestyle="--"
        )


def _gaps(picture):
    return fronts.gaps(picture.dense, picture.sparse, picture.x[1])


def _corners(of, right):
    """The corners of a line of steps, up to the right side of a picture."""
    corners = [(of[0].ms, of[0].psnr)]
    for point in of[1:]:
        corners += [(point.ms, corners[-1][1]), (point.ms, point.psnr)]
    return [*corners, (max(right, of[-1].ms), corners[-1][1])]


def _draw_points(axes, picture):
    best = [*picture.sparse, *picture.dense]
    for of in picture.own:
        axes.plot(
            of.ms,
            of.psnr,
            _MARKERS[of.precision],
            color=_SPARSE if of.is_sparse else _DENSE,
            # Others are there, but not in the way.
            alpha=1 if of in best else 0.4,
            markersize=6,
        )
    for of in picture.stars:
        axes.plot(of.ms, of.psnr, "*", color=_BLACK, markersize=10)
    for of in picture.others:
        marker = _OTHERS[of.precision]
        axes.plot(of.ms, of.psnr, marker, color=_GREY, markersize=6)


def _draw_legend(axes, picture):
    """Explains what the picture has, above it, where no points are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(marker, colour, label):
        style = {"marker": marker, "color": colour, "linestyle": ""}
        return Line2D([], [], **style, label=label)

    handles = [
        Line2D([], [], linestyle=style, color=colour, label=label)
        for _, style, colour, label in picture.lines
    ]
    if not handles:
        kinds = {True: ("sparse", _SPARSE), False: ("dense", _DENSE)}
        handles = [
            Patch(color=kinds[of][1], label=kinds[of][0])
            for of in sorted({of.is_sparse for of in picture.own})
        ]
    elif any(of.db > 0 for of in _gaps(picture)):
        shade = {"color": _SPARSE, "alpha": 0.15, "linewidth": 0}
        handles.insert(2, Patch(**shade, label="sparse is better"))
    handles += [
        mark(marker, "#555555", precision)
        for precision, marker in _MARKERS.items()
        if any(of.precision == precision for of in picture.own)
    ]
    beaten = {*picture.own} - {*picture.sparse} - {*picture.dense}
    if picture.lines and any(map(picture.has, beaten)):
        style = {"color": "#555555", "alpha": 0.4, "linestyle": ""}
        handles.append(
            Line2D([], [], marker="o", **style, label="pale: not the best")
        )
    if any(map(picture.has, picture.stars)):
        handles.append(mark("*", _BLACK, "bundled, trained longer"))
    handles += [
        mark(marker, _GREY, f"other authors, dense, {precision}")
        for precision, marker in _OTHERS.items()
        if any(
            picture.has(o) for o in picture.others if o.precision == precision
        )
    ]
    legend = axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1),
        ncols=4,
        frameon=False,
        fontsize=_FONT,
        handletextpad=0.5,
        columnspacing=1.5,
    )
    for handle, text in zip(handles, legend.get_texts()):
        # The shade itself would be too pale for letters.
        is_shade = isinstance(handle, Patch)
        colour = handle.get_facecolor()[:3] if is_shade else handle.get_color()
        text.set_color(colour)


def draw_labels(axes, picture: Picture):
    """Writes the labels of all points, after the layout of the axes.

    Args:
        axes: Axes of matplotlib.
        picture: `Picture`.
    """
    labels = _Labels(axes)
    for of in picture.own + picture.stars + picture.others:
        if picture.has(of):
            labels.keep_free(of)
    for of, *_ in picture.lines:
        labels.keep_line_free(_corners(of, picture.x[1]))
    if picture.x[0] < fronts.LIMIT_MS < picture.x[1]:
        labels.keep_line_free([(fronts.LIMIT_MS, of) for of in picture.y])
        where = fronts.Point(
            "", "", "", "", False, fronts.LIMIT_MS, picture.y[0]
        )
        where = dataclasses.replace(
            where, label=f"goal: up to {fronts.LIMIT_MS} ms"
        )
        labels.write(where, _GREY)
    for of in filter(picture.has, picture.stars):
        labels.write(of, _BLACK)
    for of in filter(picture.has, picture.sparse):
        labels.write(of, _SPARSE)
    for of in filter(picture.has, picture.dense):
        labels.write(of, _DENSE, is_above=False)
    for of in filter(picture.has, picture.others):
        labels.write(of, _GREY, is_needed=False)


class _Labels:
    """Writes labels where they cover nothing.

    Args:
        axes: Axes of matplotlib, after their layout.
    """

    # Directions from a point to its label: the free side of a front first.
    _ABOVE = ((-1, 1), (0, 1), (-1, 0), (1, 1), (1, 0), (1, -1), (0, -1))
    _ABOVE += ((-1, -1),)
    # Between neighbouring labels, in points.
    _SPACE = 4

    def __init__(self, axes):
        self._axes = axes
        self._pixels = axes.figure.dpi / 72
        self._inside = axes.get_window_extent()
        self._taken = []

    def keep_free(self, point):
        """Keeps labels away from the marker of a point."""
        self._keep([(point.ms, point.psnr)], 5)

    def keep_line_free(self, corners):
        """Keeps labels away from a line, given by its corners."""
        for ends in itertools.pairwise(corners):
            self._keep(ends, 1.5)

    def _keep(self, of, margin):
        from matplotlib.transforms import Bbox

        pixels = self._axes.transData.transform([*of])
        box = Bbox([pixels.min(0), pixels.max(0)])
        self._taken.append(box.padded(margin * self._pixels))

    def write(self, point, colour, is_above=True, is_needed=True):
        """Writes the label of a point.

        Args:
            point: `Point`.
            colour: String.
            is_above: Whether a place above the point is better than one below.
            is_needed: Whether to write it if it covers something everywhere.
        """
        text = self._text(point, colour, (0, 0))
        box = text.get_window_extent()
        text.remove()
        covered, _, distance, offset = min(
            (self._covered(box, offset), rank, distance, offset)
            for rank, (distance, offset) in enumerate(
                self._places(is_above, box)
            )
        )
        if covered and not is_needed:
            return
        # A label that is far away has a line to its point.
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7}
        is_far = distance > _DISTANCES[0]
        inches = tuple(of / self._pixels for of in offset)
        self._text(point, colour, inches, line if is_far else None)
        # Labels on one line need some space between them.
        space = self._SPACE * self._pixels
        self._taken.append(box.translated(*offset).padded(space, self._pixels))

    def _text(self, point, colour, offset, line=None):
        text = self._axes.annotate(
            point.label,
            (point.ms, point.psnr),
            offset,
            textcoords="offset points",
            verticalalignment="center",
            horizontalalignment="center",
            color=colour,
            fontsize=_FONT,
            arrowprops=line,
        )
        text.set_in_layout(False)
        return text

    def _places(self, is_above, box):
        """Yields distances, and offsets of a label in pixels."""
        for distance in _DISTANCES:
            for side, height in self._ABOVE:
                # Corners are nearer, since both directions add up.
                near = 0.5 if side and height else 1
                away = near * distance * self._pixels
                x = side * (away + box.width / 2)
                y = height * (away + box.height / 2)
                yield distance, (x, y) if is_above else (-x, -y)

    def _covered(self, box, offset):
        """How much a label covers, in pixels. `box` is that at its point."""
        label = box.translated(*offset)
        covered = sum(_common(label, other) for other in self._taken)
        # It is worse to be cut off than to cover something.
        covered += 100 * (box.width * box.height - _common(label, self._inside))
        # The line from its point may cross other labels and points.
        middle = (box.x0 + box.width / 2, box.y0 + box.height / 2)
        for step in range(_STEPS // 4, _STEPS):
            x, y = (m + o * step / _STEPS for m, o in zip(middle, offset))
            covered += sum(
                of.contains(x, y) and not of.contains(*middle)
                for of in self._taken
            )
        return round(covered, 3)


def _common(box, other):
    """The area that two boxes have in common."""
    width = min(box.x1, other.x1) - max(box.x0, other.x0)
    height = min(box.y1, other.y1) - max(box.y0, other.y0)
    return max(width, 0) * max(height, 0)
