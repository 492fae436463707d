"""The page of `issp compare --report`."""

import pathlib
import statistics

from issp_keras import report
from issp_keras.programs.results import DIVERGED
from issp_keras.programs.results import each_training
from issp_keras.programs.results import has_diverged
from issp_keras.programs.results import table

# The smallest range of an axis, so that small differences do not look large.
_LEAST_DB = 0.2
_NOTHING = "No training is done yet."


def page(
    results: list[dict],
    unfinished: list[list[str]],
    workdir,
    facts: list[tuple[str, str]],
) -> report.Page:
    """Makes the page.

    Args:
        results: List of dicts, the content of `results.json`.
        unfinished: List of rows of strings about the other trainings. The first
            row is the header.
        workdir: Path of the folder of the trainings.
        facts: List of pairs of strings, facts about the run.
    """
    names = list(dict.fromkeys(result["name"] for result in results))
    sets = list(dict.fromkeys(s for r in results for s in r["scores"]))
    header, *left = unfinished
    sections = [
        ("Results", _results(results) if results else [_NOTHING]),
        *([("Plots", _plots(results, sets))] if sets else []),
        *([("Each training", _trainings(results))] if results else []),
        *([("Not finished", [report.table(header, left)])] if left else []),
    ]
    return report.Page(
        kind="issp_keras · comparison",
        title=f"{len(names)} way{'s' * (len(names) != 1)} to train, compared",
        lead="Each way is one row. Rows with several seeds have the mean over "
        "the trainings that did not diverge.",
        figures=_figures(results, sets, len(left)),
        sections=[report.Section(*section) for section in sections],
        facts=[("Folder", str(pathlib.Path(workdir))), *facts],
    )


def _figures(results, sets, left):
    diverged = sum(map(has_diverged, results))
    found = [
        report.Figure(
            f"{len(results) - diverged} of {len(results) + left}",
            "trainings finished",
            f"{diverged} {DIVERGED}" if diverged else "none diverged",
        )
    ]
    for data in sets[:3]:
        means = {
            name: statistics.mean(values)
            for name, values in _psnr(results, data).items()
            if values
        }
        best = max(means, key=lambda name: means[name])
        found.append(
            report.Figure(f"{means[best]:.2f} dB", f"best on {data}", best)
        )
    return found


def _results(results):
    header, *rows = table(results)
    return [
        report.table(header, rows),
        "PSNR in dB and SSIM: means over the seeds that did not diverge. The "
        "number after ± is half the difference between the largest and the "
        "smallest PSNR. Non-zeros are the remaining weights.",
    ]


def _plots(results, sets):
    return [
        report.side_by_side(*(_plot(results, data) for data in sets)),
        "PSNR of each way: the dot is the mean over its seeds, and the bar "
        "goes from the smallest to the largest value. Further to the right is "
        "better. A cross is a training that diverged: it has no score.",
    ]


def _plot(results, data):
    psnr = _psnr(results, data)
    lines = [
        report.Dot(name, values, _note(results, name, values))
        for name, values in psnr.items()
    ]
    axis = report.axis_for(
        "PSNR in dB",
        [value for values in psnr.values() for value in values],
        least=_LEAST_DB,
    )
    return report.dots(data, lines, axis)


def _psnr(results, data):
    """Returns a dict from names to the PSNR values on a test set."""
    found: dict[str, list[float]] = {}
    for result in results:
        values = found.setdefault(result["name"], [])
        # JSON has null for infinity.
        if (psnr := result["scores"].get(data, {}).get("psnr")) is not None:
            values.append(psnr)
    return found


def _note(results, name, values):
    own = [result for result in results if result["name"] == name]
    if not values:
        return DIVERGED if any(map(has_diverged, own)) else "no score"
    finished = next(r for r in own if not has_diverged(r))
    zeros = 1 - finished["non_zeros"] / max(1, finished["weights"])
    lost = sum(map(has_diverged, own))
    also = f", {lost} {DIVERGED}" if lost else ""
    return f"{statistics.mean(values):.2f} dB, {zeros:.1%} zeros{also}"


def _trainings(results):
    header, *rows = each_training(results)
    return [
        report.table(
            [name.replace("_", " ") for name in header],
            [list(map(_text, row)) for row in rows],
        ),
        "A row for each training and test set. A training that diverged has "
        "one row.",
        report.hint("Click a column heading to sort by that column."),
    ]


def _text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
