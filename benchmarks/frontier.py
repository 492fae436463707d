"""Measures quality against time: which network is best at a given latency?

    python benchmarks/frontier.py
    python benchmarks/frontier.py --only_draw

The first command measures the networks in `benchmarks/networks`, and those that
come with the package. `--runs=` names other folders of `issp-compare`. Each
network has four forms: float32 and int8, each in stock TFLite (XNNPACK) and
with the sparse delegate. The delegate declines a network that it does not make
faster. Such a network has only the two stock forms.

- Quality: PSNR and SSIM on Y. A float32 file computes what the trained network
  computes, so it has the scores of the training. The file is scored here on
  other test sets, for example `--score_on=set5,set14,DATA/B100`. The int8 file
  is always scored here. Scores in `--output` of the same weights are kept.
- Latency: all files take turns in one process. The time is the CPU time of the
  thread. With more threads, each file runs in its own process, because threads
  of TFLite spin while they wait for work. The time is then wall time.
- A dense EDSR-baseline with random weights takes turns with them. The speed of
  networks of other authors (`published.csv`) is given as a multiple of its
  speed.

Writes the JSON file, and beside it a CSV file and a picture of each
magnification (`fronts.py`). `--page=` names a Markdown file for the tables.
`--only_draw` makes all of these from the JSON file, and needs no network.
"""

import pathlib
import subprocess
import sys
import tempfile

from timing import circumstances  # First, since it chooses the backend.

# isort: split
import fronts
import keras
import trained as trainings
from absl import flags

from issp_keras import files
from issp_keras import models
from issp_keras.data import EMBEDDED
from issp_keras.data import load_pairs
from issp_keras.programs import cli
from issp_keras.tflite import Reference
from issp_keras.tflite import inspect
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.latency import Contender
from issp_keras.tflite.benchmarking.latency import take_turns
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.export import Conversion

_FOLDER = pathlib.Path(__file__).parent

flags.DEFINE_list(
    "runs", [str(_FOLDER / "networks")], "Folders of `issp-compare`."
)
flags.DEFINE_bool("bundled", True, "Whether to measure bundled networks.")
flags.DEFINE_string(
    "output", str(_FOLDER / "frontier_cpu.json"), "JSON file for all figures."
)
flags.DEFINE_string(
    "page",
    str(_FOLDER / "networks" / "README.md"),
    "Markdown file for the tables. Empty for none.",
)
flags.DEFINE_list("sizes", ["160x90", "320x180"], "LR sizes.")
flags.DEFINE_list("threads", [1, 2], "Numbers of threads.")
flags.DEFINE_list("score_on", ["set5", "set14"], "Test sets.")
flags.DEFINE_string("data_dir", "data", "Folder of the test sets.")
flags.DEFINE_integer("repeats", 11, "Turns of each file.", lower_bound=1)
flags.DEFINE_bool("only_draw", False, "Whether to measure nothing.")
flags.DEFINE_bool("quick", False, "A tiny reference, to try the program.")
# What a child process times: FILE,WIDTH,HEIGHT,THREADS,REPEATS,DELEGATE.
flags.DEFINE_list("child", None, "For this program's own use.")

_PRECISIONS = ("float32", "int8")
_DOORS = {None: "XNNPACK", "sparse": "delegate"}


def measure(trained, sizes, earlier) -> list[dict]:
    """Measures networks that have the same magnification.

    Args:
        trained: List of `Trained`.
        sizes: List of pairs, LR width and height.
        earlier: Dict from digests of weights to rows of an earlier call.

    Returns:
        List of dicts, a row for each network. The last row is the reference,
        which has no scores.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = []
        for number, of in enumerate(trained):
            print(f"  {of.result['name']}: export, score", flush=True)
            model = models.load_model(of.path)
            row = {**of.facts(), "forms": {}}
            known = earlier.get(row["digest"], {}).get("forms", {})
            for precision in _PRECISIONS:
                stem = folder / f"{number}_{precision}"
                form = _exported(model, precision, of.scale, sizes, stem)
                found = known.get(precision, {}).get("scores", {})
                if precision == "float32":
                    found = {**found, **of.result["scores"]}
                form["scores"] = _scores(model, of.scale, precision, found)
                row["forms"][precision] = form
            rows.append(row)
            keras.backend.clear_session()
        rows.append(_reference(trained[0].scale, sizes, folder))
        for size in sizes:
            _time(rows, size)
    return rows


def _scores(model, scale, precision, known):
    """The scores on the sets of the flag. Only unknown scores are computed."""
    flag = flags.FLAGS
    unknown = [of for of in flag.score_on if of not in known]
    if unknown:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "any_size.tflite"
            _write(model, precision, scale, None, path)
            found = trainings.scores(path, scale, unknown, flag.data_dir)
        known = {**known, **found}
    return {of: known[of] for of in flag.score_on}


def _exported(model, precision, scale, sizes, stem):
    """Exports a file for each size, and describes it."""
    form = {"sizes": {}}
    for size in sizes:
        path = stem.with_name(f"{stem.name}_{_by(size)}.tflite")
        _write(model, precision, scale, size, path)
        about = inspect(path, size[::-1])
        form["bytes"], form["gzip_bytes"] = about.bytes, about.gzip_bytes
        form["sizes"][_by(size)] = {
            "path": str(path),
            "multiply_adds": about.macs,
            "sparse_multiply_adds": about.sparse_macs,
            "ms": {},
        }
    return form


def _write(model, precision, scale, size, path):
    shape = None if size is None else size[::-1]
    options = {}
    if size is not None:
        # Only its time and its size matter. They do not depend on the ranges,
        # and one photograph is enough to check it.
        pairs = load_pairs(EMBEDDED, "held_out", scale)[:1]
        options["reference"] = Reference(model, pairs)
        options["calibration"] = [pair.lr for pair in pairs]
        options["ranges"] = "min_max"
    conversion = Conversion(model, precision, shape, **options)
    # The loss is a result of this benchmark, so none is too large.
    conversion.write(path, sparse=False, tolerance=float("inf"))


def _reference(scale, sizes, folder):
    keras.utils.set_random_seed(0)
    quick = {"blocks": 1, "features": 8} if flags.FLAGS.quick else {}
    model = models.edsr(scale, **quick)
    form = _exported(model, "float32", scale, sizes, folder / "reference")
    return {
        "key": fronts.REFERENCE,
        "name": fronts.REFERENCE,
        "scale": scale,
        "weights": model.count_params(),
        "forms": {"float32": form},
    }


def _time(rows, size):
    """Adds the latency of each file for images of a size."""
    files_of = {
        form["sizes"][_by(size)]["path"]: form["sizes"][_by(size)]
        for row in rows
        for form in row["forms"].values()
    }
    print(f"  {len(files_of)} files at {_by(size)}", flush=True)
    repeats = flags.FLAGS.repeats
    protocol = Protocol(*size[::-1], repeats)
    entries = Contest(list(files_of), protocol, delegate="sparse").measure()
    for entry in entries:
        of, door = files_of[entry.path], _DOORS[entry.delegate]
        of["ms"].setdefault("1", {})[door] = entry.timing.cpu_ms
        of.setdefault("memory_bytes", {})[door] = entry.timing.memory_bytes
    for threads in map(int, flags.FLAGS.threads):
        if threads == 1:
            continue
        for entry in entries:
            door = _DOORS[entry.delegate]
            files_of[entry.path]["ms"].setdefault(str(threads), {})[door] = (
                _in_a_process(entry.path, size, threads, entry.delegate)
            )
    for of in files_of.values():
        # The files are temporary.
        del of["path"]


def _in_a_process(path, size, threads, delegate):
    arguments = [path, *size, threads, flags.FLAGS.repeats, delegate or ""]
    command = [
        *(sys.executable, __file__),
        f"--child={','.join(map(str, arguments))}",
    ]
    lines = subprocess.check_output(command, text=True).splitlines()
    return float(lines[-1])


def child(path, width, height, threads, repeats, delegate):
    """Prints the median wall time of one file in milliseconds."""
    contender = Contender(
        path, int(height), int(width), int(threads), delegate or None
    )
    take_turns([contender], int(repeats))
    print(contender.timing.latency())


def _by(size):
    return f"{size[0]}x{size[1]}"


def main(_):
    flag = flags.FLAGS
    if flag.child:
        child(*flag.child)
        return
    output = pathlib.Path(flag.output)
    known = files.read_json(output) if output.exists() else {}
    if not flag.only_draw:
        trained = trainings.find(flag.runs)
        if flag.bundled:
            trained += trainings.bundled()
        sizes = [tuple(map(int, size.split("x"))) for size in flag.sizes]
        earlier = {row.get("digest"): row for row in known.get("networks", [])}
        found = circumstances()
        found["networks"] = [
            row
            for scale in sorted({of.scale for of in trained})
            for row in measure(
                [of for of in trained if of.scale == scale], sizes, earlier
            )
        ]
        files.write_json(output, found)
        known = found
    fronts.write(known, output)
    print(f"Wrote {output}, and its table and picture.")
    if flag.page:
        fronts.write_page(known, pathlib.Path(flag.page), output)
        print(f"Wrote {flag.page}.")


if __name__ == "__main__":
    cli.run(main)
