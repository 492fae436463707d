"""Fronts of quality against time, from the JSON file of `frontier.py`."""

import csv
import dataclasses
import os
import pathlib
import statistics
from collections.abc import Callable
from collections.abc import Iterable

from issp_keras import files
from issp_keras.inference import find_bundled
from issp_keras.programs import cli

REFERENCE = "EDSR-baseline, dense, not trained"

_PUBLISHED = pathlib.Path(__file__).with_name("published.csv")
# The claim of this project is about latencies up to this one.
_LIMIT_MS = 30
_SIZE, _THREADS = "160x90", "1"
# Colours: dense, sparse, published, bundled.
_DENSE, _SPARSE, _GREY, _BLACK = "#1f77b4", "#e6550d", "#9a9a9a", "#222222"


@dataclasses.dataclass(frozen=True)
class Point:
    """A network in one form.

    Attributes:
        name: String.
        precision: String, "float32" or "int8".
        door: String, "XNNPACK" or "delegate".
        is_sparse: Whether it was trained sparse.
        ms: Float, the latency in milliseconds.
        psnr: Float, mean over the test sets in dB.
        label: String, a short name for a picture.
    """

    name: str
    precision: str
    door: str
    is_sparse: bool
    ms: float
    psnr: float
    label: str = ""


def points(rows: list[dict], size: str, threads: str) -> list[Point]:
    """Lists all forms of all networks that have scores and a latency.

    Args:
        rows: List of dicts, the entry "networks" of the JSON file.
        size: String, the LR size, such as "160x90".
        threads: String, the number of threads.
    """
    return [
        Point(
            row["name"],
            precision,
            door,
            row["is_sparse"],
            ms,
            mean(form),
            _label(row),
        )
        for row in rows
        for precision, form in row["forms"].items()
        for door, ms in _latencies(form, size, threads).items()
        if "scores" in form
    ]


def _label(row):
    """For example `32x16, 90%`: features, layers and zeros."""
    if row.get("is_bundled"):
        return row["name"]
    label = row.get("network", row["name"]).removeprefix("plain_")
    if not row["is_sparse"]:
        return label
    return f"{label}, {1 - row['non_zeros'] / row['weights']:.0%}"


def mean(form: dict) -> float:
    """The mean PSNR of a form over the test sets, in dB."""
    return statistics.fmean(of["psnr"] for of in form["scores"].values())


def _latencies(form, size, threads):
    return form["sizes"].get(size, {}).get("ms", {}).get(threads, {})


def front(of: Iterable[Point]) -> list[Point]:
    """The points that no other point beats, ordered by latency.

    Another point beats a point if it has at least the same PSNR in at most the
    same time.
    """
    found: list[Point] = []
    for point in sorted(of, key=lambda p: (p.ms, -p.psnr)):
        if not found or point.psnr > found[-1].psnr:
            found.append(point)
    return found


def gaps(
    dense: list[Point], sparse: list[Point], limit_ms: float = _LIMIT_MS
) -> list[tuple[float, float]]:
    """How much better the sparse front is than the dense front.

    Args:
        dense: List of `Point`, a front.
        sparse: List of `Point`, a front.
        limit_ms: Float, the largest latency.

    Returns:
        List of pairs: a latency in milliseconds, and the difference in dB
        from this latency on. There is one pair for each latency at which a
        front changes. It begins where both fronts have a network.
    """
    if not dense or not sparse:
        return []
    first = max(dense[0].ms, sparse[0].ms)
    latencies = sorted({of.ms for of in dense + sparse} | {first})
    return [
        (ms, _best(sparse, ms) - _best(dense, ms))
        for ms in latencies
        if first <= ms <= limit_ms
    ]


def _best(of, ms):
    return max(point.psnr for point in of if point.ms <= ms)


def speedups(
    dense: list[Point], sparse: list[Point], limit_ms: float = _LIMIT_MS
) -> list[tuple[Point, Point | None, float]]:
    """How much faster the sparse front reaches the PSNR of dense networks.

    Args:
        dense: List of `Point`, a front.
        sparse: List of `Point`, a front.
        limit_ms: Float, the largest latency of a dense network.

    Returns:
        List of tuples: a dense point, the fastest sparse point with at least
        its PSNR, and the ratio of the latencies. If no sparse point has this
        PSNR, they are None and `0.0`.
    """
    found = []
    for rival in dense:
        if rival.ms > limit_ms:
            continue
        better = [of for of in sparse if of.psnr >= rival.psnr]
        winner = min(better, key=lambda of: of.ms, default=None)
        ratio = rival.ms / winner.ms if winner else 0.0
        found.append((rival, winner, ratio))
    return found


def published(rows: list[dict], size: str, threads: str) -> list[Point]:
    """Networks of other authors, at the speed that they have here.

    Their scores are published, after a longer training on more photographs.
    Their speed was measured in multiples of EDSR-baseline's.

    Args:
        rows: As in `points`.
        size: String, likewise.
        threads: String, likewise.
    """
    reference = next(
        (
            _latencies(row["forms"]["float32"], size, threads).get("XNNPACK")
            for row in rows
            if row["key"] == REFERENCE and row["scale"] == 4
        ),
        None,
    )
    if reference is None:
        return []
    with _PUBLISHED.open(newline="") as file:
        return [
            Point(
                of["network"],
                "float32",
                "XNNPACK",
                False,
                reference / float(of["times as fast as EDSR-baseline"]),
                (float(of["Set5"]) + float(of["Set14"])) / 2,
                of["network"],
            )
            for of in csv.DictReader(file)
        ]


def write(figures: dict, output: pathlib.Path):
    """Writes the CSV file and the pictures, and prints the tables.

    Args:
        figures: Dict, the content of the JSON file.
        output: Path of the JSON file. The others are beside it.
    """
    rows = figures["networks"]
    with (
        files.replacing(output.with_suffix(".csv")) as partial,
        partial.open("w", newline="") as file,
    ):
        csv.writer(file).writerows(_lines(rows))
    for scale in _scales(rows):
        with files.replacing(_picture(output, scale)) as partial:
            _draw(rows, scale, partial)
    print(f"\n{table(rows)}\n\n{claim(rows)}\n")


def _scales(rows):
    """The magnifications that have a front."""
    return sorted({row["scale"] for row in _alike(rows)}, key=lambda of: -of)


def _alike(rows):
    """Networks that were trained alike. Some bundled networks were not."""
    return [
        row
        for row in rows
        if row["key"] != REFERENCE and not row.get("is_bundled")
    ]


def _picture(output, scale):
    """The path of a picture. That of x4 has the name of the JSON file."""
    suffix = "" if scale == 4 else f"_x{scale}"
    return output.with_name(f"{output.stem}{suffix}.png")


def write_page(figures: dict, page: pathlib.Path, output: pathlib.Path):
    """Writes a page in Markdown with links to all networks.

    Args:
        figures: Dict, the content of the JSON file.
        page: Path of the page.
        output: Path of the JSON file, beside the pictures.
    """
    with files.replacing(page) as partial:
        partial.write_text(page_text(figures, page, output))


def page_text(figures: dict, page: pathlib.Path, output: pathlib.Path) -> str:
    """The text of the page; see `write_page`."""
    rows = figures["networks"]

    def link(path):
        return os.path.relpath(path.resolve(), page.resolve().parent)

    def name(row):
        of = file_of(row, page.parent)
        label = f"`{row['name']}`" if row.get("is_bundled") else row["name"]
        return f"[{label}]({link(of)})" if of else label

    parts = [_INTRODUCTION.format(machine=figures["machine"])]
    bundled = [row for row in rows if row.get("is_bundled")]
    if bundled:
        parts += [_BUNDLED, table(bundled, name)]
    for scale in _scales(rows):
        own = [row for row in _alike(rows) if row["scale"] == scale]
        steps = sorted({row["steps"] for row in own})
        parts += [
            f"## x{scale}, trained alike",
            f"![PSNR against milliseconds]({link(_picture(output, scale))})",
            _ALIKE.format(steps=" or ".join(f"{of:,}" for of in steps)),
            table(own, name),
            claim(own),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """# Networks, their quality and their speed

`python benchmarks/frontier.py` writes this page. Do not edit it.

PSNR is the mean of the test sets in dB, on Y. The times are CPU times of one
core ({machine}) for an LR image of 160x90 pixels. "+ delegate" is the sparse
delegate of issp_keras. The other times are those of XNNPACK. A missing time
means that the delegate leaves the network to XNNPACK. The sizes are those of
the compressed int8 files. The names are links to the networks as `.keras`
files. `issp export` makes `.tflite` files from them."""

_BUNDLED = """## Networks that come with the package

`issp upscale --model=` and `issp_keras.load` take these names.
[Bundled networks](../../docs/guides/bundled.md) tells how they were made."""

_ALIKE = """All these networks were trained alike: {steps} steps, the same
photographs and the same learning rate. "Blocks" means zeros in blocks of 4
input channels."""


def file_of(row: dict, folder: pathlib.Path) -> pathlib.Path | None:
    """The `.keras` file of a network, or None if it is not stored.

    Args:
        row: Dict, an entry of "networks" of the JSON file.
        folder: Path of the folder of stored networks.
    """
    if row.get("is_bundled"):
        network = find_bundled(row["name"])
        return network.keras if network else None
    path = folder / row["key"] / "model.keras"
    return path if path.exists() else None


def _lines(rows):
    """The header and one line for each form, size and number of threads."""
    sets = list(
        dict.fromkeys(
            name
            for row in rows
            for form in row["forms"].values()
            for name in form.get("scores", {})
        )
    )
    yield [
        *("name", "network", "scale", "is_sparse", "seed", "steps"),
        *("weights", "non_zeros", "precision", "bytes", "gzip_bytes"),
        *(f"{name} {metric}" for name in sets for metric in ("psnr", "ssim")),
        *("size", "multiply_adds", "sparse_multiply_adds", "threads"),
        *("runtime", "ms", "memory_bytes"),
    ]
    for row in rows:
        facts = [
            row.get(key, "")
            for key in ("name", "network", "scale", "is_sparse", "seed")
            + ("steps", "weights", "non_zeros")
        ]
        for precision, form in row["forms"].items():
            scores = [
                form.get("scores", {}).get(name, {}).get(metric, "")
                for name in sets
                for metric in ("psnr", "ssim")
            ]
            sizes = [form["bytes"], form["gzip_bytes"]]
            for size, of in form["sizes"].items():
                macs = [of["multiply_adds"], of["sparse_multiply_adds"]]
                for threads, doors in of["ms"].items():
                    for door, ms in doors.items():
                        memory = of.get("memory_bytes", {}).get(door)
                        yield [
                            *(*facts, precision, *sizes, *scores, size),
                            *(*macs, threads, door, ms, memory),
                        ]


def table(
    rows: list[dict], name: Callable[[dict], str] = lambda row: row["name"]
) -> str:
    """A table of networks in Markdown, ordered by their best latency.

    The latency is that of the main size with one thread.

    Args:
        rows: List of dicts, entries of "networks" of the JSON file.
        name: Callable that makes the first cell of a row.
    """
    header = ["network", "scale", "zeros", "non-zeros", "PSNR float32"]
    header += ["PSNR int8", "file", "float32", "+ delegate"]
    header += ["int8", "+ delegate"]
    lines = []
    for row in rows:
        forms = row["forms"]
        ms = {
            (precision, door): value
            for precision, form in forms.items()
            for door, value in _latencies(form, _SIZE, _THREADS).items()
        }
        if not ms:
            continue
        non_zeros = row.get("non_zeros", row["weights"])
        quality = [
            f"{mean(forms[of]):.2f}" if "scores" in forms.get(of, {}) else ""
            for of in ("float32", "int8")
        ]
        size = forms.get("int8", {}).get("gzip_bytes")
        times = (
            f"{ms[of, door]:.1f} ms" if (of, door) in ms else ""
            for of in ("float32", "int8")
            for door in ("XNNPACK", "delegate")
        )
        cells = [
            *(name(row), f"x{row['scale']}"),
            *(f"{1 - non_zeros / row['weights']:.0%}", f"{non_zeros:,}"),
            *(*quality, f"{size / 1000:.0f} kB" if size else "", *times),
        ]
        lines.append((min(ms.values()), cells))
    return cli.markdown_table(header, [line for _, line in sorted(lines)])


def claim(rows: list[dict]) -> str:
    """What the fronts say about sparse networks, in sentences."""
    return "\n\n".join(
        text
        for scale in _scales(rows)
        for where, doors in _RIVALS.items()
        if (text := _claim(rows, scale, where, doors))
    )


# Where dense networks run that are compared with the sparse networks.
_RIVALS = {
    "in XNNPACK": ("XNNPACK",),
    "in their fastest runtime": ("XNNPACK", "delegate"),
}


def _claim(rows, scale, where, doors):
    found = points(
        [row for row in _alike(rows) if row["scale"] == scale], _SIZE, _THREADS
    )
    dense = front(of for of in found if not of.is_sparse and of.door in doors)
    sparse = front(of for of in found if of.is_sparse)
    differences = [gap for _, gap in gaps(dense, sparse)]
    if not differences:
        return ""
    sentences = [
        f"x{scale}, up to {_LIMIT_MS} ms, against dense networks {where}: the "
        f"sparse front is {min(differences):+.2f} to {max(differences):+.2f} "
        f"dB above the dense front (median "
        f"{statistics.median(differences):+.2f} dB)."
    ]
    for rival, winner, ratio in speedups(dense, sparse):
        best = (
            f"{winner.name} ({winner.precision}) is {ratio:.1f} times as fast "
            "with at least its PSNR"
            if winner
            else "no sparse network has its PSNR"
        )
        sentences.append(
            f"- {rival.name} ({rival.precision}, {rival.ms:.1f} ms, "
            f"{rival.psnr:.2f} dB): {best}."
        )
    return "\n".join(sentences)


def fastest(of: Iterable[Point]) -> list[Point]:
    """The fastest runtime of each network in each precision."""
    found: dict[tuple[str, str], Point] = {}
    for point in sorted(of, key=lambda p: p.ms):
        found.setdefault((point.name, point.precision), point)
    return list(found.values())


def _draw(rows, scale, path):
    """Draws PSNR against latency for a magnification."""
    from matplotlib import ticker
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["scale"] == scale]
    figure = Figure((11.2, 6.4), 100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(f"Quality against time, x{scale}", loc="left")
    axes.set_xlabel(f"ms for a {_SIZE} image, one core, log scale", loc="right")
    axes.set_ylabel("PSNR in dB on Y, mean of the test sets")
    axes.grid(color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    others = published(rows, _SIZE, _THREADS)
    _plot(axes, others, "x", _GREY, "published, dense, trained longer")
    labels = [(of, _GREY) for of in others]
    bundled = [row for row in rows if row.get("is_bundled")]
    stars = front(points(bundled, _SIZE, _THREADS))
    _plot(axes, stars, "*", _BLACK, "bundled networks")
    labels += [(of, _BLACK) for of in stars]
    alike = points(_alike(rows), _SIZE, _THREADS)
    found = fastest(alike)
    kinds = {True: ("sparse", _SPARSE), False: ("dense", _DENSE)}
    for is_sparse, (kind, colour) in kinds.items():
        own = [of for of in found if of.is_sparse == is_sparse]
        for precision, marker in (("float32", "o"), ("int8", "D")):
            of_kind = [of for of in own if of.precision == precision]
            _plot(axes, of_kind, marker, colour, f"{kind}, {precision}")
        best = front(own)
        _step(axes, best, "-", colour, f"{kind} front")
        labels += [(of, colour) for of in best]
    stock = front(
        of for of in alike if of.door == "XNNPACK" and not of.is_sparse
    )
    _step(axes, stock, ":", _DENSE, "dense front in XNNPACK")
    axes.legend(loc="lower right", frameon=False)
    figure.draw_without_rendering()
    _annotate(axes, labels)
    figure.savefig(path, format="png")


def _step(axes, of, style, colour, label):
    axes.step(
        [point.ms for point in of],
        [point.psnr for point in of],
        style,
        where="post",
        color=colour,
        label=label,
    )


def _plot(axes, of, marker, colour, label):
    axes.plot(
        [point.ms for point in of],
        [point.psnr for point in of],
        marker,
        color=colour,
        alpha=1 if marker in "x*" else 0.45,
        label=label,
    )


def _annotate(axes, labels):
    """Labels points. A label that would lie on another label is left out."""
    boxes = []
    # The two fronts have their labels on opposite sides, where there is room.
    places = [("right", -5, 4), ("right", -5, -10)]
    places += [("left", 5, 4), ("left", 5, -10)]
    for point, colour in labels:
        for side, x, y in places if point.is_sparse else places[::-1]:
            text = axes.annotate(
                point.label,
                (point.ms, point.psnr),
                (x, y),
                textcoords="offset points",
                horizontalalignment=side,
                color=colour,
                fontsize=8,
            )
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in boxes):
                boxes.append(box)
                break
            text.remove()
