"""The page of `issp-benchmark --report`."""

import math

from issp_keras import report
from issp_keras.tflite.benchmarking.columns import profiles
from issp_keras.tflite.benchmarking.columns import short
from issp_keras.tflite.benchmarking.columns import tables
from issp_keras.tflite.benchmarking.rows import timed
from issp_keras.tflite.programs.tables import Result

# The least range of the PSNR axis. A smaller one would exaggerate differences.
_LEAST_DB = 0.2
_LATENCY = "latency in ms, log scale"
_PROFILE = "The layers of this row that take the delegate the most time."
_TITLES = {
    "Quality, size and latency": (
        "PSNR (dB) and SSIM are on Y (luma); higher is better. A useful "
        "network is better than bicubic interpolation. The share of all "
        "weights follows the number of non-zeros."
    ),
    "Times": (
        "In milliseconds. Init: time to load the file. First: the first "
        "inference. The other columns are for all other inferences: half of "
        "them take at most p50, 90 % at most p90."
    ),
    "Speed and memory": (
        "The ratio is the latency divided by the latency of the first file; "
        "below 1 is faster. FPS and MP/s are images and megapixels per second."
    ),
}


def page(result: Result, facts: list[tuple[str, str]]) -> report.Page:
    """Makes the page.

    Args:
        result: `Result`.
        facts: List of pairs: the command, the machine and so on.
    """
    rows = result.rows
    sections = [
        report.Section(title, [report.table(header, cells), note])
        for (title, note), (header, cells) in zip(
            _TITLES.items(), tables(rows), strict=True
        )
    ]
    sections[1:1] = [report.Section("Plots", _plots(rows))]
    slowest = [
        block
        for header, cells in profiles(rows)
        for block in (report.table(header, cells), _PROFILE)
    ]
    if slowest:
        sections.append(report.Section("Slowest layers", slowest))
    sections.append(report.Section("How it was measured", result.notes))
    return report.Page(
        kind="issp_keras · benchmark",
        title=_title(rows),
        lead="Each file has its own row. With a delegate, a file has one row "
        "without it and one with it.",
        figures=_figures(rows),
        sections=sections,
        facts=[*_device(result.settings), *facts],
    )


def _title(rows):
    files = len({row.file for row in rows if row.file})
    return f"{files} TFLite file{'s' * (files != 1)}, compared"


def _figures(rows):
    found = [(name, row) for _, name, _, row in timed(rows)]
    name, fastest = min(found, key=lambda of: of[1].latency_ms)
    best_name, best = max(found, key=lambda of: of[1].psnr)
    small_name, small = min(found, key=lambda of: of[1].bytes)
    return [
        report.Figure(f"{short(fastest.latency_ms)} ms", "least latency", name),
        report.Figure(f"{best.psnr:.2f} dB", "highest PSNR", best_name),
        report.Figure(
            f"{small.bytes / 1000:.1f} kB", "smallest file", small_name
        ),
    ]


def _plots(rows):
    quality = [
        point
        for point in _points(rows, lambda row: (row.latency_ms, row.psnr))
        if math.isfinite(point.y)
    ]
    zeros = _points(
        rows, lambda row: (100 * (row.sparsity or 0), row.latency_ms)
    )
    drawn = [
        report.scatter(
            "Quality against latency",
            quality,
            report.axis_for(_LATENCY, [p.x for p in quality], is_log=True),
            report.axis_for(
                "PSNR in dB on Y", [p.y for p in quality], least=_LEAST_DB
            ),
        ),
        report.scatter(
            "Latency against zeros",
            zeros,
            report.Axis("zeros in kernels, %", -6, 106),
            report.axis_for(_LATENCY, [p.y for p in zeros], is_log=True),
        ),
    ]
    return [
        report.side_by_side(*drawn),
        report.key(zeros),
        "In the first plot, better networks are higher, and faster networks "
        "are further to the left. In the second plot, faster networks are "
        "lower. A line joins the rows of one file. A diamond marks a row with "
        "a delegate.",
    ]


def _points(rows, place):
    return [
        report.Point(number, name, *place(row), file, bool(row.delegate))
        for number, name, file, row in timed(rows)
    ]


def _device(settings):
    """The phone, if the files were timed on one."""
    if settings.get("target", "host") == "host":
        return []
    machine = settings["machine"]
    return [("Device", ", ".join(str(of) for of in machine.values() if of))]
