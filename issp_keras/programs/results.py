"""Tables of the results of trainings."""

import csv
import pathlib
import statistics
from collections.abc import Iterator

from issp_keras import files
from issp_keras.locks import one_at_a_time
from issp_keras.programs import cli

# The values of the entry `outcome` of a result. Results of earlier versions
# have no such entry: their trainings finished.
FINISHED, DIVERGED = "finished", "diverged"

_TYPES = {
    "name": str,
    "seed": int,
    "settings": str,
    "steps": int,
    "weights": int,
    "non_zeros": int | None,
    "cpu_seconds": int | float,
    "scores": dict,
}
# Infinity is null in JSON.
_SCORE_TYPES = {"psnr": int | float | None, "ssim": int | float | None}


def has_diverged(result: dict) -> bool:
    """Whether the training of a result diverged."""
    return result.get("outcome", FINISHED) == DIVERGED


def check(result):
    """Checks that a result has all entries that the tables show.

    Args:
        result: The content of a JSON file.

    Raises:
        KeyError, TypeError: If an entry is missing or has a wrong type.
    """
    _check_types(result, _TYPES)
    for score in result["scores"].values():
        _check_types(score, _SCORE_TYPES)
    is_counted = isinstance(result["non_zeros"], int)
    if not (is_counted or has_diverged(result)):
        raise TypeError("'non_zeros' is null, though its training finished")


def _check_types(entries, types):
    for name, expected in types.items():
        value = entries[name]
        if isinstance(value, bool) or not isinstance(value, expected):
            raise TypeError(f"{name!r} is {value!r}")


def write_results(workdir, get_results, get_unfinished):
    """Writes `results.json`, `results.csv` and `results.md`.

    Args:
        workdir: Path of a folder.
        get_results: Callable that returns a list of dicts, the results of the
            finished trainings.
        get_unfinished: Callable that returns a list of rows of strings about
            the other trainings. The first row is the header. Only `results.md`
            contains them.
    """
    workdir = pathlib.Path(workdir)
    # Other processes may write to this workdir at the same time. The results
    # are read inside, so that older ones never replace newer ones.
    with one_at_a_time(workdir):
        results, unfinished = get_results(), get_unfinished()
        tables = [table(results)] if results else []
        if len(unfinished) > 1:
            tables.append(unfinished)
        files.write_json(workdir / "results.json", results)
        with files.replacing(workdir / "results.md") as partial:
            partial.write_text(
                "\n".join(
                    cli.markdown_table(header, rows) for header, *rows in tables
                )
            )
        with (
            files.replacing(workdir / "results.csv") as partial,
            partial.open("w", newline="") as file,
        ):
            csv.writer(file).writerows(each_training(results))


def table(results) -> list[list[str]]:
    """Returns the header, then one row of strings for each name.

    PSNR (dB) and SSIM are means over the seeds that did not diverge. The
    number after PSNR is half the difference between the largest and the
    smallest value.
    """
    sets = list(dict.fromkeys(s for r in results for s in r["scores"]))
    rows = [["", "weights", "non-zeros", "steps", *sets, "seeds", "CPU time"]]
    for name in dict.fromkeys(result["name"] for result in results):
        own = [result for result in results if result["name"] == name]
        diverged = sum(map(has_diverged, own))
        # Prefer a result that did not diverge, since it has zeros.
        first = min(own, key=has_diverged)
        row = [
            name,
            f"{first['weights']:,}",
            "" if has_diverged(first) else f"{first['non_zeros']:,}",
            f"{first['steps']:,}",
        ]
        for data in sets:
            scores = [r["scores"][data] for r in own if data in r["scores"]]
            row.append(_cell(scores) if scores or not diverged else DIVERGED)
        seeds = f"{len(own)}, {diverged} {DIVERGED}" if diverged else len(own)
        minutes = statistics.mean(r["cpu_seconds"] for r in own) / 60
        rows.append([*row, str(seeds), f"{minutes:.0f} min"])
    return rows


def each_training(results) -> Iterator[list]:
    """Yields the header, then a row for each training and test set.

    A training without scores has one row, with empty strings for them.
    """
    columns = ("name", "seed", "steps", "weights", "non_zeros", "cpu_seconds")
    yield [*columns, "data", "psnr", "ssim", "outcome"]
    for result in results:
        own = [result[column] for column in columns]
        if not result["scores"]:
            outcome = DIVERGED if has_diverged(result) else FINISHED
            yield [*own, "", "", "", outcome]
        for data, score in result["scores"].items():
            yield [*own, data, score["psnr"], score["ssim"], FINISHED]


def _cell(scores):
    scores = [s for s in scores if None not in (s["psnr"], s["ssim"])]
    if not scores:
        return ""
    psnr = [score["psnr"] for score in scores]
    ssim = statistics.mean(score["ssim"] for score in scores)
    spread = f" ± {(max(psnr) - min(psnr)) / 2:.2f}" if len(psnr) > 1 else ""
    return f"{statistics.mean(psnr):.2f}{spread} / {ssim:.4f}"
