"""Measures networks with released weights, in float32 and in int8.

    python benchmarks/released.py --checkpoints=ECBSR-M4C16=ECBSR_M4C16_x4.pth

Each entry of `--checkpoints` is a network of `published.csv` and a file with
its weights. The library must know the network (`issp_keras.models.from_torch`).
Writes its PSNR on Set5 and Set14, and its speed for an LR image of 160x90
pixels on one core, into `published.csv`. The speeds are multiples of the speed
of EDSR-baseline in the same run. `python benchmarks/frontier.py --only_draw`
then draws the networks.
"""

import csv
import pathlib
import tempfile

import frontier  # First, since it chooses the backend.

# isort: split
import fronts
import trained as trainings
from absl import flags

from issp_keras import files
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.programs import cli

_SIZE = tuple(map(int, fronts.SIZE.split("x")))

flags.DEFINE_list("checkpoints", [], "Pairs NAME=FILE.")
flags.DEFINE_string("table", str(fronts.PUBLISHED), "CSV file to change.")


def chosen(pairs: list[str], lines: list[dict]) -> dict[str, pathlib.Path]:
    """Returns the checkpoint of each network.

    Args:
        pairs: List of strings, NAME=FILE.
        lines: List of dicts, the lines of the table.

    Raises:
        InputError: If there is no pair, a name is unknown, or a file is
            missing.
    """
    names = [line["network"] for line in lines if line["architecture"]]
    found = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        if name not in names or not path:
            raise InputError(
                f"--checkpoints: is {pair}, expected NAME=FILE with one of the "
                f"names {', '.join(names)}."
            )
        files.check_file(path, "a checkpoint")
        found[name] = pathlib.Path(path)
    if not found:
        raise InputError("--checkpoints: is empty, expected NAME=FILE.")
    return found


def add_figures(line: dict, row: dict, reference: dict):
    """Adds what was measured to a line of the table.

    Args:
        line: Dict, the line. It is changed.
        row: Dict, what `frontier.measure` returns for the network.
        reference: Dict, likewise for EDSR-baseline.
    """
    size, threads = fronts.SIZE, fronts.THREADS
    ms = fronts.latencies(reference["forms"]["float32"], size, threads)
    base = ms["XNNPACK"]
    line["grey as"] = fronts.GREY_HERE
    for precision, prefix in fronts.PREFIXES.items():
        form = row["forms"][precision]
        for name, shown in fronts.SETS.items():
            line[prefix + shown] = f"{form['scores'][name]['psnr']:.2f}"
        found = fronts.latencies(form, size, threads)
        if precision == "float32":
            # The authors' networks are not sparse.
            found = {"XNNPACK": found["XNNPACK"]}
        door = min(found, key=found.__getitem__)
        factor = f"{base / found[door]:.3g}"
        line[f"{prefix}times as fast as EDSR-baseline"] = factor
        if precision == "int8":
            line["int8 runtime"] = door


def _trained(name, line, checkpoint, folder):
    """A checkpoint as a network that `frontier.measure` takes."""
    # An FSRCNN does not tell its magnification.
    options = {"scale": 4} if line["architecture"] == "fsrcnn" else {}
    model = models.from_torch(checkpoint, **options)
    path = folder / f"{name}.keras"
    model.save(path)
    weights = int(line["weights"])
    result = {
        **{"name": name, "seed": 0, "steps": 0, "scores": {}},
        **{"weights": weights, "non_zeros": weights, "settings": name},
    }
    config = {
        "network": {"name": line["architecture"], "scale": 4},
        "sparsity": {"method": "dense"},
    }
    return trainings.Trained(path, result, config)


def main(_):
    flag = flags.FLAGS
    frontier.circumstances()
    table = pathlib.Path(flag.table)
    files.check_file(table, "a CSV file")
    lines = fronts.read_published(table)
    checkpoints = chosen(flag.checkpoints, lines)
    cli.check_photographs("score_on", list(fronts.SETS), flag.data_dir)
    by_name = {line["network"]: line for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        trained = [
            _trained(name, by_name[name], path, folder)
            for name, path in checkpoints.items()
        ]
        scores = frontier.Scores(folder / "scores.json", [])
        *rows, reference = frontier.measure(trained, [_SIZE], [1], scores)
    for row in rows:
        add_figures(by_name[row["name"]], row, reference)
    with files.replacing(table) as partial, partial.open("w", newline="") as to:
        writer = csv.DictWriter(to, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"Wrote {table}.")


if __name__ == "__main__":
    cli.run(main)
