"""A benchmark as tables, for a terminal and for files."""

import csv
import dataclasses
import json
import pathlib

from issp_keras import files
from issp_keras.programs import cli
from issp_keras.tflite.benchmarking.columns import profiles
from issp_keras.tflite.benchmarking.columns import tables
from issp_keras.tflite.benchmarking.plots import picture
from issp_keras.tflite.benchmarking.rows import Row


@dataclasses.dataclass(frozen=True)
class Result:
    """A benchmark.

    Attributes:
        settings: Dict, what was measured, where and how.
        rows: List of `Row`.
        notes: List of sentences that explain the tables.
    """

    settings: dict
    rows: list[Row]
    notes: list[str]


def show(result: Result):
    """Prints the tables, the profile of the fastest row, and the notes."""
    for header, cells in [*tables(result.rows), *profiles(result.rows)[:1]]:
        cli.print_table(header, cells)
    for note in result.notes:
        print(note)


def write(path, result: Result):
    """Writes a file in the format that its suffix says."""
    FORMATS[pathlib.Path(path).suffix.lower()](path, result)


def _write_json(path, result):
    files.write_json(
        path,
        {
            "settings": result.settings,
            "rows": [dataclasses.asdict(row) for row in result.rows],
            "notes": result.notes,
        },
    )


def _write_csv(path, result):
    rows = [_flat(dataclasses.asdict(row)) for row in result.rows]
    columns = dict.fromkeys(column for row in reversed(rows) for column in row)
    with (
        files.replacing(path) as partial,
        partial.open("w", newline="") as file,
    ):
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _write_markdown(path, result):
    found = [*tables(result.rows), *profiles(result.rows)]
    parts = [cli.markdown_table(*table) for table in found]
    parts += [f"{note}\n" for note in result.notes]
    settings = json.dumps(result.settings, indent=2)
    parts.append(f"```json\n{settings}\n```\n")
    with files.replacing(path) as partial:
        partial.write_text("\n".join(parts))


def _write_picture(path, result):
    with files.replacing(path) as partial:
        picture(result.rows).save(partial, "PNG")


FORMATS = {
    ".json": _write_json,
    ".csv": _write_csv,
    ".md": _write_markdown,
    ".png": _write_picture,
}


def _flat(row):
    """The numbers and strings of nested dicts in one dict, without lists."""
    found = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= {f"{key}.{k}": v for k, v in _flat(value).items()}
        elif value is not None and not isinstance(value, list):
            found[key] = value
    return found
