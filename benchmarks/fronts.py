"""Fronts of quality against time, from the JSON file of `frontier.py`."""

import csv
import dataclasses
import itertools
import math
import pathlib
import statistics
import textwrap
from collections.abc import Iterable

REFERENCE = "EDSR-baseline, dense, not trained"

PUBLISHED = pathlib.Path(__file__).with_name("published.csv")
# Set14 has a grey photograph. Here its grey levels (0..255) are compared, as in
# older papers. Others compare its Y (16..235), which gives more decibels.
GREY_HERE = "levels"
# How the columns of that table begin, by precision.
PREFIXES = {"float32": "", "int8": "int8 "}
_GREY_DB = 20 * math.log10(255 / 219) / 14
# The goal of this project: this gain at each latency up to this one.
_GOAL_DB, LIMIT_MS = 0.15, 30
# Measurements of one latency differ by this share.
_NOISE = 0.01
# Networks whose latencies differ by at most this share count as equally fast.
_EQUAL = 0.05
# Of lines of Markdown.
WIDTH = 120
SIZE, THREADS = "160x90", "1"
# PSNR is the mean of these, since only they are published for all networks.
SETS = {"set5": "Set5", "set14": "Set14"}


@dataclasses.dataclass(frozen=True)
class Point:
    """A network in one form.

    Attributes:
        key: String that no other network has.
        name: String.
        precision: String, "float32" or "int8".
        door: String, "XNNPACK" or "delegate".
        is_sparse: Whether it was trained sparse.
        ms: Float, the latency in milliseconds.
        psnr: Float, mean over the test sets in dB.
        label: String, a short name for a picture.
    """

    key: str
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
            row["key"],
            row["name"],
            precision,
            door,
            row["is_sparse"],
            ms,
            mean(form),
            _label(row, precision),
        )
        for row in rows
        for precision, form in row["forms"].items()
        for door, ms in latencies(form, size, threads).items()
        if "scores" in form
    ]


def _label(row, precision):
    """For example `32x16, 90%`: features, layers and zeros."""
    if row.get("is_bundled"):
        # The name that the commands take.
        return row["name"] + ("_int8" if precision == "int8" else "")
    label = row.get("network", row["name"])
    label = _NAMES.get(label, label.removeprefix("plain_"))
    if not row["is_sparse"]:
        return label + (", branches" if "branches" in row["name"] else "")
    kind = " single" if row["name"].endswith("single weights") else ""
    return f"{label}, {1 - row['non_zeros'] / row['weights']:.0%}{kind}"


# The names of networks that have other names in publications.
_NAMES = {
    "abpn_m4c28": "ABPN-M4C28",
    "abpn_m6c40": "ABPN-M6C40",
    "dipnet": "DIPNet",
    "ecbsr_m4c16": "ECBSR-M4C16",
    "ecbsr_m6c40": "ECBSR-M6C40",
    "edsr": "EDSR-baseline",
    "fsrcnn": "FSRCNN",
}


def mean(form: dict) -> float:
    """The mean PSNR of a form in dB.

    It is the mean of Set5 and Set14 if it has both scores. Otherwise it is the
    mean of all test sets.
    """
    scores = form["scores"]
    names = SETS if SETS.keys() <= scores.keys() else scores
    return statistics.fmean(scores[name]["psnr"] for name in names)


def names_of_sets(rows: list[dict]) -> str:
    """The names of the test sets of `mean`, such as "Set5 and Set14"."""
    forms = [form for row in rows for form in row["forms"].values()]
    scores = [form["scores"] for form in forms if "scores" in form]
    if all(SETS.keys() <= of.keys() for of in scores):
        return " and ".join(SETS.values())
    return "the test sets"


def latencies(form: dict, size: str, threads: str) -> dict[str, float]:
    """The latencies of a form in milliseconds, by runtime.

    Args:
        form: Dict, an entry of "forms" of a row.
        size: String, the LR size, such as "160x90".
        threads: String, the number of threads.
    """
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


@dataclasses.dataclass(frozen=True)
class Gap:
    """A range of latencies in which neither front changes.

    Attributes:
        begin_ms: Float, its first latency in milliseconds.
        end_ms: Float, its last latency.
        db: Float, how much better the sparse front is.
    """

    begin_ms: float
    end_ms: float
    db: float

    @property
    def width(self) -> float:
        """Its width on a log scale."""
        return math.log(self.end_ms / self.begin_ms)


def gaps(
    dense: list[Point], sparse: list[Point], limit_ms: float = LIMIT_MS
) -> list[Gap]:
    """How much better the sparse front is than the dense front.

    Args:
        dense: List of `Point`, a front.
        sparse: List of `Point`, a front.
        limit_ms: Float, the largest latency.

    Returns:
        List of `Gap`, ordered by latency. They begin where both fronts have a
        network, and end at the largest latency.
    """
    if not dense or not sparse:
        return []
    first = max(dense[0].ms, sparse[0].ms)
    changes = {of.ms for of in dense + sparse if first < of.ms < limit_ms}
    edges = [first, *sorted(changes), limit_ms]
    return [
        Gap(begin, end, best_psnr(sparse, begin) - best_psnr(dense, begin))
        for begin, end in itertools.pairwise(edges)
        if begin < end
    ]


def best_psnr(of: Iterable[Point], ms: float) -> float:
    """The best PSNR of points up to a latency, in dB."""
    return max(point.psnr for point in of if point.ms <= ms)


def speedups(
    dense: list[Point], sparse: list[Point], limit_ms: float = LIMIT_MS
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


def read_published(path: pathlib.Path | None = None) -> list[dict]:
    """Returns the lines of the table of networks of other authors.

    Args:
        path: Path of the CSV file. Defaults to `PUBLISHED`.
    """
    with (path or PUBLISHED).open(newline="") as file:
        return list(csv.DictReader(file))


def published(rows: list[dict], size: str, threads: str) -> list[Point]:
    """Networks of other authors, at the speed that they have here.

    Their weights were released after another training. The time of a network
    that was measured here, too, is the measured one. The others were measured
    once in multiples of EDSR-baseline's speed. Networks whose int8 file was
    measured are there twice.

    Args:
        rows: As in `points`.
        size: String, likewise.
        threads: String, likewise.
    """
    return [point for point, _ in published_lines(rows, size, threads)]


def published_lines(
    rows: list[dict], size: str, threads: str
) -> list[tuple[Point, dict]]:
    """Pairs of a point of `published` and its line of the CSV file."""
    measured, reference = {}, None
    for row in rows:
        if row["scale"] != 4:
            continue
        for precision, form in row["forms"].items():
            for door, ms in latencies(form, size, threads).items():
                # The reference is not trained, which does not change its time.
                if row["key"] == REFERENCE:
                    reference = ms
                    measured.setdefault(("edsr", precision, door), ms)
                elif not row["is_sparse"]:
                    measured[row.get("network"), precision, door] = ms
    if reference is None:
        return []
    found = []
    for line in read_published():
        for precision, prefix in PREFIXES.items():
            if not line[f"{prefix}Set5"]:
                continue
            door = line["int8 runtime"] if prefix else "XNNPACK"
            own = measured.get((line["architecture"], precision, door))
            factor = float(line[f"{prefix}times as fast as EDSR-baseline"])
            psnr = statistics.fmean(
                float(line[prefix + of]) for of in SETS.values()
            )
            if line["grey as"] != GREY_HERE:
                psnr -= _GREY_DB / 2
            name = line["network"]
            point = Point(
                *(name, name, precision, door, False),
                *(own or reference / factor, psnr),
                name + (", int8" if prefix else ""),
            )
            found.append((point, {**line, "is_measured": own is not None}))
    return found


def scales(rows: list[dict]) -> list[int]:
    """The magnifications that have a front, the largest first."""
    return sorted({row["scale"] for row in alike(rows)}, key=lambda of: -of)


def alike(rows: list[dict]) -> list[dict]:
    """Networks that were trained alike.

    Bundled networks and those that had a teacher were trained longer.
    """
    return [
        row
        for row in rows
        if row["key"] != REFERENCE
        and not (row.get("is_bundled") or row.get("has_teacher"))
    ]


def claim(rows: list[dict]) -> str:
    """What the fronts say about sparse networks, in sentences."""
    return "\n\n".join(
        text
        for scale in scales(rows)
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
        [row for row in alike(rows) if row["scale"] == scale], SIZE, THREADS
    )
    dense = front(of for of in found if not of.is_sparse and of.door in doors)
    sparse = front(of for of in found if of.is_sparse)
    ranges = gaps(dense, sparse)
    if not ranges:
        return ""
    begin, end = _short(ranges[0].begin_ms), _short(ranges[-1].end_ms)
    paragraphs = [
        f"**Against dense networks {where}** (x{scale}, {begin} to {end} ms): "
        f"{_summary(ranges)}{_alone(dense, sparse)}"
    ]
    for rival, winner, ratio in speedups(dense, sparse):
        best = "no sparse network has its PSNR"
        if winner:
            best = (
                f"{winner.name} ({winner.precision}), with at least its PSNR, "
                f"{_relative(ratio)}"
            )
        paragraphs.append(
            f"- {rival.name} ({rival.precision}, {rival.ms:.1f} ms, "
            f"{rival.psnr:.2f} dB): {best}."
        )
    first, *others = [
        textwrap.fill(of, WIDTH, subsequent_indent=2 * " " * (of[0] == "-"))
        for of in paragraphs
    ]
    return "\n".join([first, "", *others])


def _relative(ratio):
    """How fast a network is that is `ratio` times as fast as another one."""
    if max(ratio, 1 / ratio) <= 1 + _EQUAL:
        return f"is as fast, within {100 * _EQUAL:.0f} %"
    if ratio >= 1:
        return f"is {ratio:.2f} times as fast"
    return f"takes {1 / ratio:.2f} times as long"


def _summary(ranges):
    """What ranges of latencies say, each weighted by its width."""
    # The ends of a narrow range may be in another order in a new measurement.
    wide = [of for of in ranges if of.end_ms > (1 + _NOISE) * of.begin_ms]
    differences = [of.db for of in wide or ranges]
    whole = sum(of.width for of in ranges)
    reached = sum(of.width for of in ranges if of.db >= _GOAL_DB) / whole
    return (
        f"the gain is {min(differences):+.2f} to {max(differences):+.2f} dB. "
        # A hundredth may decide whether it reaches the goal.
        f"Its median is {median(ranges):+.3f} dB, on a log scale of the "
        f"latency. The goal of {_GOAL_DB:+} dB is reached in "
        f"{100 * reached:.0f} % of the range."
    )


def median(ranges: list[Gap]) -> float:
    """The median difference in dB, by the widths of the ranges.

    Args:
        ranges: List of `Gap`, not empty.
    """
    half = sum(of.width for of in ranges) / 2
    for of in sorted(ranges, key=lambda of: of.db):
        half -= of.width
        if half <= 0:
            break
    return of.db


def _alone(dense, sparse):
    """Says where only one of the fronts has a network."""
    kinds = sorted([(dense[0].ms, "dense"), (sparse[0].ms, "sparse")])
    (begin, kind), (end, _) = kinds
    if _short(begin) == _short(end):
        return ""
    return (
        f" From {_short(begin)} to {_short(end)} ms, there are only {kind} "
        "networks."
    )


def _short(ms):
    return f"{ms:.1f}".removesuffix(".0")


def fastest(of: Iterable[Point]) -> list[Point]:
    """The fastest runtime of each network in each precision."""
    found: dict[tuple[str, str], Point] = {}
    for point in sorted(of, key=lambda p: p.ms):
        found.setdefault((point.key, point.precision), point)
    return list(found.values())
