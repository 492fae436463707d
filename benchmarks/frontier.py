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
  is always scored here. Scores in `--output` of the same weights are kept,
  unless `--rescore` is given. After each network, all scores are written to
  `*.partial.json` beside `--output`. So a killed call does not lose them: the
  next call keeps these, too.
- Latency: all files take turns in one process. The time is the CPU time of the
  thread. With more threads, each file has its own process, because threads of
  TFLite spin while they wait for work. These processes take turns, too. The
  time is then wall time. All times are medians.
- A dense EDSR-baseline with random weights takes turns with them. The speed of
  networks of other authors (`published.csv`) is given as a multiple of its
  speed.

Writes the JSON file, and beside it a CSV file and a picture of each
magnification. `--page=` names a Markdown file for the tables.
`--documents=` names Markdown files with regions for tables. A region begins
with the line `<!-- frontier: NAME -->`. It ends with the line `<!-- end -->`.
`--only_draw` makes all of these from the JSON file, and needs no network. A
call does not lose figures of an earlier one, unless `--replace` is given.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.tflite.benchmarking.latency import Contender


def child(path, width, height, threads, delegate=None):
    """Runs a file once for each line of stdin, and prints the milliseconds."""
    try:
        contender = Contender(
            path, int(height), int(width), int(threads), delegate
        )
    except InputError as error:
        sys.exit(str(error))
    for _ in sys.stdin:
        contender.forget()
        contender.run()
        print(1000 * contender.seconds, flush=True)


if __name__ == "__main__" and sys.argv[1:2] == ["--child"]:
    # Many children run at the same time. Keras would need too much memory.
    child(*sys.argv[2:])
    sys.exit()

from timing import circumstances  # First, since it chooses the backend.

# isort: split
import datetime
import importlib.metadata
import os
import pathlib
import re

import front_pictures
import front_tables
import fronts
import keras
import trained as trainings
from absl import flags

from issp_keras import files
from issp_keras import host
from issp_keras import models
from issp_keras.data import EMBEDDED
from issp_keras.data import load_pairs
from issp_keras.inference.interpreter import check_threads
from issp_keras.programs import cli
from issp_keras.tflite import Reference
from issp_keras.tflite import delegate as sparse_delegate
from issp_keras.tflite import inspect
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.latency import take_turns
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.export import Conversion

_FOLDER = pathlib.Path(__file__).parent
_OUTPUT = _FOLDER / "frontier_cpu.json"
_PAGE = _FOLDER / "networks" / "README.md"
_DOCUMENTS = [
    _FOLDER.parent / "README.md",
    _FOLDER.parent / "docs" / "guides" / "bundled.md",
    _FOLDER.parent / "docs" / "benchmarks" / "training.md",
]

flags.DEFINE_list(
    "runs", [str(_FOLDER / "networks")], "Folders of `issp-compare`."
)
flags.DEFINE_bool("bundled", True, "Whether to measure bundled networks.")
flags.DEFINE_string("output", str(_OUTPUT), "JSON file for all figures.")
flags.DEFINE_string(
    "page",
    None,
    "Markdown file for the tables. Empty for none. Defaults to "
    "networks/README.md, but with another --output to none.",
)
flags.DEFINE_list(
    "documents",
    None,
    "Markdown files with regions for tables. Defaults to the README, "
    "docs/guides/bundled.md and docs/benchmarks/training.md, but with another "
    "--output to none.",
)
flags.DEFINE_list("sizes", ["160x90", "320x180"], "LR sizes.")
flags.DEFINE_list(
    "threads", ["1", "2"], "Numbers of threads. One thread is always measured."
)
flags.DEFINE_list("score_on", ["set5", "set14"], "Test sets.")
flags.DEFINE_string("data_dir", "data", "Folder of the test sets.")
flags.DEFINE_integer("repeats", 11, "Turns of each file.", lower_bound=1)
flags.DEFINE_bool("rescore", False, "Whether to ignore all earlier scores.")
flags.DEFINE_bool(
    "replace", False, "Whether figures that are not measured again may be lost."
)
flags.DEFINE_bool("only_draw", False, "Whether to measure nothing.")
flags.DEFINE_bool("quick", False, "A tiny reference, to try the program.")

_PRECISIONS = ("float32", "int8")
_DOORS = {None: "XNNPACK", "sparse": "delegate"}
# Threads of XNNPACK spin for some milliseconds after a run.
_REST_SECONDS = 0.02


class Scores:
    """The scores of files by their weights, and a file that keeps them.

    Args:
        partial: Path of the JSON file.
        earlier: List of dicts, the contents of JSON files of earlier calls.
            The last one has the newest scores.
    """

    def __init__(self, partial, earlier):
        self._partial = partial
        self._found = {}
        for content in earlier:
            for row in content["networks"]:
                for precision, form in row["forms"].items():
                    if "scores" in form:
                        self._add(row, precision, form["scores"])

    def _add(self, row, precision, scores):
        of = self._found.setdefault(row.get("digest"), {})
        of.setdefault(precision, {}).update(scores)

    def known(self, row, precision) -> dict:
        """Returns the scores of a network in a precision, by test set."""
        return self._found.get(row["digest"], {}).get(precision, {})

    def keep(self, row):
        """Writes the scores of a network to the file."""
        for precision, form in row["forms"].items():
            self._add(row, precision, form["scores"])
        rows = [
            {
                "digest": digest,
                "forms": {
                    precision: {"scores": scores}
                    for precision, scores in of.items()
                },
            }
            for digest, of in self._found.items()
        ]
        files.write_json(self._partial, {"networks": rows})


def measure(trained, sizes, threads, scores) -> list[dict]:
    """Measures networks that have the same magnification.

    Args:
        trained: List of `Trained`.
        sizes: List of pairs, LR width and height.
        threads: List of integers.
        scores: `Scores` of earlier calls. It gets those of this one.

    Returns:
        List of dicts, a row for each network. The last row is the reference,
        which has no scores.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = []
        for of in trained:
            print(f"  {of.result['name']}: export, score", flush=True)
            model = models.load_model(of.path)
            row = {**of.facts(), "forms": {}}
            for precision in _PRECISIONS:
                stem = folder / f"{of.key}_{precision}"
                form = _exported(model, precision, of.scale, sizes, stem)
                known = scores.known(row, precision)
                if precision == "float32":
                    known = {**known, **of.result["scores"]}
                form["scores"] = _scores(model, of.scale, precision, known)
                row["forms"][precision] = form
            scores.keep(row)
            rows.append(row)
            keras.backend.clear_session()
        rows.append(_reference(trained[0].scale, sizes, folder))
        for size in sizes:
            _time(rows, size, threads)
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


def _time(rows, size, threads):
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
    for number in threads:
        if number == 1:
            continue
        runs = [(entry.path, entry.delegate) for entry in entries]
        latencies = in_processes(runs, size, number, repeats)
        for (path, delegate), ms in zip(runs, latencies, strict=True):
            of = files_of[path]["ms"].setdefault(str(number), {})
            of[_DOORS[delegate]] = ms
    for of in files_of.values():
        # The files are temporary.
        del of["path"]


def in_processes(runs, size, threads, repeats) -> list[float]:
    """Times files in turns, each in its own process.

    Args:
        runs: List of pairs: the path of a file, and "sparse" or None.
        size: Pair, LR width and height.
        threads: Integer.
        repeats: Integer, the turns of each file.

    Returns:
        List of floats, the median wall time of each in milliseconds.

    Raises:
        InputError: If a file cannot be run. The processes have ended then.
    """
    with contextlib.ExitStack() as stack:
        children = []
        for path, delegate in runs:
            children.append(Child(path, size, threads, delegate))
            stack.enter_context(children[-1])
            # It is loaded before the next one starts.
            children[-1].run()
        take_turns(children, repeats)
        return [of.ms for of in children]


class Child:
    """A file that runs in its own process, for `take_turns`.

    It is a context manager that ends the process.

    Args:
        path: Path of the file.
        size: Pair, LR width and height.
        threads: Integer.
        delegate: "sparse" or None.
    """

    def __init__(self, path, size, threads, delegate):
        self._path, self._threads = path, threads
        self._times = []
        words = [path, *size, threads, *([delegate] if delegate else [])]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", *map(str, words)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # It is read at the end. TFLite only writes some lines to it.
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        # This waits for the end, and closes the pipes.
        with self._process:
            pass

    def run(self):
        """Runs once, and counts it."""
        answer = b""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"\n")
            answer = self._process.stdout.readline()
        if not answer:
            raise InputError(
                f"{self._path}: cannot be timed with {self._threads} threads: "
                f"{self._reason()}."
            )
        self._times.append(float(answer))
        time.sleep(_REST_SECONDS)

    def forget(self):
        """Forgets the runs that were counted."""
        self._times.clear()

    @property
    def seconds(self) -> float:
        """The total time of the counted runs."""
        return sum(self._times) / 1000

    @property
    def ms(self) -> float:
        """The median of the counted runs in milliseconds."""
        return statistics.median(self._times)

    def _reason(self):
        """Why the process has ended."""
        code = self._process.wait()
        said = self._process.stderr.read().decode(errors="replace").strip()
        if code < 0 or not said:
            return f"its process ends with the status {code}"
        last = said.splitlines()[-1].rstrip(".")
        return last.removeprefix(f"{self._path}: ")


def _by(size):
    return f"{size[0]}x{size[1]}"


def _sizes():
    """The pairs of the flag."""
    found = []
    for text in flags.FLAGS.sizes:
        match = re.fullmatch(r"([1-9][0-9]*)x([1-9][0-9]*)", text)
        if not match:
            raise InputError(
                f"--sizes: is {text}, expected LR width and height in pixels, "
                "such as 160x90."
            )
        found.append((int(match[1]), int(match[2])))
    if not found:
        raise InputError("--sizes: is empty, expected sizes such as 160x90.")
    return list(dict.fromkeys(found))


def _threads():
    """The numbers of the flag, and 1, in ascending order."""
    found = {1}
    for text in flags.FLAGS.threads:
        number = int(text) if re.fullmatch("[0-9]+", text) else text
        check_threads(number)
        found.add(number)
    return sorted(found)


# Entries of a network in the JSON file that other functions need.
_ENTRIES = ("key", "name", "scale", "weights")


def _earlier(path, flag, entries=_ENTRIES):
    """The content of a JSON file of an earlier call."""
    found = files.read_json(path)
    # What Python raises for other content.
    broken = (AttributeError, KeyError, TypeError, ValueError)
    what = f"--{flag}: {path} is not a JSON file that this program has written"
    with blame(what, *broken):
        for row in found["networks"]:
            _check_row(row, entries)
    return found


def _check_row(row, entries):
    """Raises an error for a damaged entry of "networks"."""
    for entry in entries:
        row[entry]
    for form in row["forms"].values():
        if "scores" in form:
            fronts.mean(form)
        for of in form.get("sizes", {}).values():
            for ms in of["ms"].values():
                sum(ms.values())


def _check_replaces(known, trained, sizes, threads):
    """Refuses to replace figures that this call does not measure."""
    flag = flags.FLAGS
    here = {
        "machine": host.describe()["model"],
        "cores": os.cpu_count(),
        "kernels": _kernels(),
    }
    there = {name: known.get(name, of) for name, of in here.items()}
    if there != here:
        raise InputError(
            f"--output: {flag.output} was measured on another machine "
            f"({_listed(there)}, and this is {_listed(here)}); name another "
            "file with --output, or give --replace to replace it."
        )
    keys = {of.key for of in trained}
    rows = [of for of in known["networks"] if of["key"] != fronts.REFERENCE]
    forms = [form for row in rows for form in row["forms"].values()]
    by_size = [of for form in forms for of in form["sizes"].items()]
    numbers = {of for _, found in by_size for of in found["ms"]}
    lost = {
        "networks (--runs, --bundled)": [
            row["name"] for row in rows if row["key"] not in keys
        ],
        "sizes (--sizes)": {of for of, _ in by_size} - {*map(_by, sizes)},
        "numbers of threads (--threads)": numbers - {*map(str, threads)},
        "test sets (--score_on)": {
            of for form in forms for of in form.get("scores", {})
        }
        - {*flag.score_on},
    }
    texts = [
        f"the {what} {', '.join(sorted(of))}" for what, of in lost.items() if of
    ]
    if texts:
        raise InputError(
            f"--output: {flag.output} has figures that this call would lose: "
            f"{' and '.join(texts)}; name another file with --output, or give "
            "--replace to lose them."
        )


def _listed(facts):
    return ", ".join(f"{name}: {of}" for name, of in facts.items())


def _kernels():
    """The kernels of the delegate, which tell what the CPU can do."""
    return sparse_delegate.report(sparse_delegate.load()).kernels


def _provenance():
    """When and with which programs the figures were measured."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": _commit(),
        "ai_edge_litert": importlib.metadata.version("ai-edge-litert"),
        "kernels": _kernels(),
    }


def _commit():
    """The commit of this repository, or None if it is unknown."""
    try:
        return subprocess.run(
            ["git", "-C", str(_FOLDER), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _measured(output, known):
    """Measures all networks, and writes the JSON file."""
    flag = flags.FLAGS
    # Errors show before anything is measured.
    if flag.quick and output.resolve() == _OUTPUT.resolve():
        raise InputError(
            "--quick: would replace the figures of the repository, expected "
            "another file as --output."
        )
    sizes, threads = _sizes(), _threads()
    cli.check_photographs("score_on", flag.score_on, flag.data_dir)
    files.make_folder(output.parent)
    trained = trainings.find(flag.runs)
    if flag.bundled:
        trained += trainings.bundled()
    if known and not flag.replace:
        _check_replaces(known, trained, sizes, threads)
    partial = output.with_name(f"{output.stem}.partial.json")
    earlier = [known] if known else []
    if partial.exists():
        earlier.append(_earlier(partial, "output", ()))
    scores = Scores(partial, [] if flag.rescore else earlier)
    found = {**circumstances(), **_provenance()}
    found["networks"] = [
        row
        for scale in sorted({of.scale for of in trained})
        for row in measure(
            [of for of in trained if of.scale == scale], sizes, threads, scores
        )
    ]
    files.write_json(output, found)
    partial.unlink(missing_ok=True)
    return found


def _targets(output):
    """The page, or None, and the documents."""
    flag = flags.FLAGS
    # The files of the repository only show the figures of the repository.
    is_ours = output.resolve() == _OUTPUT.resolve()
    page = flag.page
    if page is None and is_ours:
        page = str(_PAGE)
    documents = flag.documents
    if documents is None:
        documents = [str(of) for of in _DOCUMENTS] if is_ours else []
    return page, documents


def main(_):
    flag = flags.FLAGS
    output = pathlib.Path(flag.output)
    cli.check_output(output, ".json")
    page, documents = _targets(output)
    cli.check_output(page or None, ".md", flag="page")
    front_tables.REGIONS.check(documents)
    if flag.only_draw and not output.exists():
        raise InputError(
            f"--only_draw: {output}: no such file, expected the JSON file of "
            "an earlier call."
        )
    known = _earlier(output, "output") if output.exists() else {}
    if not flag.only_draw:
        known = _measured(output, known)
    rows = known["networks"]
    front_tables.write_csv(known, output.with_suffix(".csv"))
    front_pictures.draw_all(rows, output)
    print(f"\n{front_tables.table(rows)}\n\n{fronts.claim(rows)}\n")
    print(f"Wrote {output}, and its table and picture.")
    if page:
        stored = [pathlib.Path(of) for of in flag.runs]
        front_tables.write_page(known, pathlib.Path(page), output, stored)
        print(f"Wrote {page}.")
    for path in front_tables.REGIONS.write(known["networks"], documents):
        print(f"Wrote {path}.")


if __name__ == "__main__":
    cli.run(main)
