"""The trainings that a config lists: settings, folders, results."""

import copy
import csv
import fcntl
import json
import pathlib
import re
import statistics

from ml_collections import ConfigDict

from issp_keras import cli
from issp_keras import configuration
from issp_keras import files
from issp_keras.callbacks import count_zeros
from issp_keras.data import find_source
from issp_keras.data import is_prepared
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.scores import SMALLEST
from issp_keras.scores import score_network

_ENTRIES = ("training", "trainings", "seeds", "score_on", "data_dir")
_BROKEN = (KeyError, TypeError, ValueError)


class Training:
    """One training of a config's list.

    Attributes:
        name: String, as in the config.
        seed: Integer.
        config: `ml_collections.ConfigDict`, as for `issp-train`.
        folder: Path of the folder for all that it writes.
        label: String, the name with the seed, for messages.
    """

    def __init__(self, name, seed, config, folder, sources):
        self.name = name
        self.seed = seed
        self.config = config
        self.folder = folder
        self.label = f"{name}, seed {seed}"
        self._sources = sources
        self._result = None
        self._lock = None

    def result(self) -> dict | None:
        """The result, None if there is none yet on all test sets."""
        path = self.folder / "result.json"
        if self._result is None and path.exists():
            result = files.read_json(path)
            with blame(f"{path}: is not a result", *_BROKEN):
                is_own = result["settings"] == configuration.digest(self.config)
                if is_own and set(self._sources) <= set(result["scores"]):
                    self._result = result
        return self._result

    def write_result(self, network):
        """Scores the trained network, and writes what there is to know."""
        zeros, weights = count_zeros(network)
        result = {
            "name": self.name,
            "seed": self.seed,
            "settings": configuration.digest(self.config),
            "steps": self.config.steps,
            "weights": weights,
            "non_zeros": weights - zeros,
            "cpu_seconds": self._cpu_seconds(),
            "scores": {},
        }
        scale = self.config.network.scale
        for name, photographs in self._sources.items():
            pairs = (p.read(scale, SMALLEST) for p in photographs)
            score = score_network(network, pairs)
            result["scores"][name] = {"psnr": score.psnr, "ssim": score.ssim}
        files.write_json(self.folder / "result.json", result)

    def take_over(self, known):
        """Takes a result of the same settings from a list of known ones."""
        own = configuration.digest(self.config)
        for result in known:
            with blame("--known: is not a list of results", *_BROKEN):
                is_own = (result["name"], result["settings"]) == (
                    self.name,
                    own,
                )
            if is_own and self.result() is None and self.lock():
                files.write_json(self.folder / "result.json", result)
                self.unlock()

    def summary(self) -> str:
        """The scores of the result in a few words."""
        scores = (self.result() or {}).get("scores", {})
        return ", ".join(f"{n} {s['psnr']:.2f} dB" for n, s in scores.items())

    def steps_done(self) -> int:
        """How many steps the last checkpoint has behind it."""
        return len(self._epochs()) * self.config.steps_per_epoch

    def lock(self) -> bool:
        """Takes the training for this process; false if another one has it."""
        files.make_folder(self.folder)
        lock = (self.folder / ".lock").open("w")
        try:
            # The system gives it back when the process ends, however it does.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def unlock(self):
        self._lock.close()
        self._lock = None

    def _epochs(self):
        path = self.folder / "metrics.csv"
        if not path.exists():
            return []
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _cpu_seconds(self):
        path = self.folder / "metrics.csv"
        with blame(f"{path}: is not a history that can be read", *_BROKEN):
            return sum(float(epoch["cpu_seconds"]) for epoch in self._epochs())


def list_trainings(config, workdir) -> list[Training]:
    """The trainings of a config, checked, seed after seed.

    Args:
        config: `ml_collections.ConfigDict`, as for `compare.compare`.
        workdir: Path of a folder, in which each has one.

    Raises:
        InputError: If an entry is missing or not usable, or if photographs to
            score on are missing.
    """
    for entry in _ENTRIES:
        if entry not in config:
            raise InputError(
                f"--config: has no entry '{entry}', expected those of "
                "configs/compare_methods.py."
            )
    trainings = []
    base = config.training.to_dict()
    sources: dict = {}
    for source in config.score_on:
        name = _source_name(source)
        if name in sources:
            raise InputError(
                f"--config.score_on: has two test sets named {name}, expected "
                "different names."
            )
        sources[name] = find_source(
            source, "held_out", config.training.network.scale, config.data_dir
        )
    photographs: set[str] = set()
    # A ConfigDict would list them by the alphabet.
    names = list(json.loads(config.trainings.to_json_best_effort()))
    for seed in config.seeds:
        for name in names:
            settings = _merged(base, config.trainings[name].to_dict())
            settings["seed"] = seed
            settings = ConfigDict(settings)
            configuration.check(settings)
            configuration.check_network(settings)
            configuration.sparse_training(settings)
            configuration.optimizer(settings)
            photographs.update(settings["data"]["train"].split(","))
            folder = re.sub(r"[^\w.-]+", "_", f"{name}-{seed}")
            trainings.append(
                Training(
                    name,
                    seed,
                    settings,
                    pathlib.Path(workdir) / folder,
                    sources,
                )
            )
    for source in photographs:
        if not is_prepared(source.strip()):
            find_source(source.strip(), "train", 1)
    folders = [training.folder for training in trainings]
    for training in trainings:
        if folders.count(training.folder) > 1:
            raise InputError(
                f"--config: {training.folder.name} is the folder of two "
                "trainings, expected names that differ in letters or digits."
            )
        configuration.check_same(
            training.config, training.folder / "config.json"
        )
    return trainings


def write_results(workdir, trainings) -> list[dict]:
    """Writes `results.json`, `.csv` and `.md`; returns the first's content."""
    workdir = pathlib.Path(workdir)
    with (workdir / ".lock").open("w") as lock:
        # Other processes of this workdir may end now too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _write_results(workdir, trainings)


def _write_results(workdir, trainings):
    results = [t.result() for t in trainings if t.result() is not None]
    files.write_json(workdir / "results.json", results)
    header, *rows = table(results)
    with files.replacing(workdir / "results.md") as partial:
        partial.write_text(cli.markdown_table(header, rows))
    with (
        files.replacing(workdir / "results.csv") as partial,
        partial.open("w", newline="") as file,
    ):
        csv.writer(file).writerows(_flat(results))
    return results


def table(results) -> list[list[str]]:
    """Returns rows of strings, the header first: a row for each name.

    PSNR (dB) and SSIM are means over the seeds; behind PSNR stands half the
    difference of the largest and the least.
    """
    sets = list(dict.fromkeys(s for r in results for s in r["scores"]))
    rows = [["", "weights", "non-zeros", "steps", *sets, "seeds", "CPU time"]]
    for name in dict.fromkeys(result["name"] for result in results):
        own = [result for result in results if result["name"] == name]
        row = [
            name,
            f"{own[0]['weights']:,}",
            f"{own[0]['non_zeros']:,}",
            f"{own[0]['steps']:,}",
        ]
        for data in sets:
            scores = [r["scores"][data] for r in own if data in r["scores"]]
            row.append(_cell(scores))
        minutes = statistics.mean(r["cpu_seconds"] for r in own) / 60
        rows.append([*row, str(len(own)), f"{minutes:.0f} min"])
    return rows


def _cell(scores):
    if not scores:
        return ""
    psnr = [score["psnr"] for score in scores]
    ssim = statistics.mean(score["ssim"] for score in scores)
    spread = f" ± {(max(psnr) - min(psnr)) / 2:.2f}" if len(psnr) > 1 else ""
    return f"{statistics.mean(psnr):.2f}{spread} / {ssim:.4f}"


def _flat(results):
    """A row for each training and test set."""
    columns = ("name", "seed", "steps", "weights", "non_zeros", "cpu_seconds")
    yield [*columns, "data", "psnr", "ssim"]
    for result in results:
        for data, score in result["scores"].items():
            own = [result[column] for column in columns]
            yield [*own, data, score["psnr"], score["ssim"]]


def _merged(base, changes):
    """`base` with `changes`, group by group."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            value = _merged(merged[name], value)
        merged[name] = value
    return merged


def _source_name(source):
    """The name of a test set for the table, such as Kodak24."""
    path = pathlib.PurePath(source)
    return path.parent.name if path.name == "HR" else path.name
