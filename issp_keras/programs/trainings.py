"""The trainings that a config lists, with settings, folders and results."""

import copy
import csv
import functools
import json
import pathlib
import re

import keras
from ml_collections import ConfigDict

from issp_keras import files
from issp_keras.callbacks import count_zeros
from issp_keras.data import find_source
from issp_keras.data import is_prepared
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.errors import naming
from issp_keras.inference import network_path
from issp_keras.locks import FolderLock
from issp_keras.programs import configuration
from issp_keras.programs.results import DIVERGED
from issp_keras.programs.results import FINISHED
from issp_keras.programs.results import check as check_result
from issp_keras.programs.results import has_diverged
from issp_keras.scores import SMALLEST
from issp_keras.scores import score_network

_ENTRIES = ("training", "trainings", "seeds", "score_on", "data_dir")
_BACKEND = "backend.json"
_BROKEN = (KeyError, TypeError, ValueError)


class Training:
    """One of the trainings of a config.

    Attributes:
        name: String, the name in the config.
        seed: Integer.
        config: `ml_collections.ConfigDict`, a config for `issp train`.
        folder: Path of the folder for the training's files.
        label: String, the name with the seed, for messages.
        weights: Integer, the number of weights of the network.
    """

    def __init__(self, name, seed, config, folder, sources):
        self.name = name
        self.seed = seed
        self.config = config
        self.folder = folder
        self.label = f"{name}, seed {seed}"
        self.weights = 0
        self._sources = sources
        self._result = None
        self._lock = FolderLock(folder)

    def result(self) -> dict | None:
        """Returns the result; None until it has scores on all test sets."""
        path = self.folder / "result.json"
        if self._result is None and path.exists():
            result = files.read_json(path)
            with blame(f"{path}: is not a result", *_BROKEN):
                if self._is_whole(result):
                    self._result = result
        return self._result

    def _is_whole(self, result):
        check_result(result)
        if result["settings"] != configuration.digest(self.config):
            return False
        if has_diverged(result):
            return True
        channels = configuration.score_channels(self.config)
        return (
            set(self._sources) <= set(result["scores"])
            # Results of earlier versions have no such entry.
            and result.get("channels", "y") == channels
        )

    def write_result(self, network):
        """Scores the trained network, and writes the result."""
        scale = self.config.network.scale
        channels = configuration.score_channels(self.config)
        scores = {}
        for name, photographs in self._sources.items():
            pairs = (p.read(scale, SMALLEST) for p in photographs)
            score = score_network(network, pairs, channels)
            scores[name] = {"psnr": score.psnr, "ssim": score.ssim}
        self._write(network, FINISHED, channels=channels, scores=scores)

    def write_diverged(self):
        """Writes the result of a training that diverged."""
        network = configuration.network(self.config)
        network = configuration.deployed(self.config, network)
        self._write(network, DIVERGED, non_zeros=None, scores={})

    def _write(self, network, outcome, **entries):
        zeros, weights = count_zeros(network)
        result = {
            "name": self.name,
            "seed": self.seed,
            "settings": configuration.digest(self.config),
            "outcome": outcome,
            "backend": self._backend(),
            "steps": self.config.steps,
            "weights": weights,
            "non_zeros": weights - zeros,
            "cpu_seconds": self._cpu_seconds(),
            **entries,
        }
        files.write_json(self.folder / "result.json", result)

    def note_backend(self):
        """Writes down the backend that trains, since another one may score."""
        if self.steps_done() < self.config.steps:
            path = self.folder / _BACKEND
            files.write_json(path, keras.backend.backend())

    def _backend(self):
        path = self.folder / _BACKEND
        # Trainings of earlier versions have no such file.
        return files.read_json(path) if path.exists() else None

    def take_over(self, known):
        """Uses a known result with the same settings, if there is one.

        The training may have another name in the known results.
        """
        own = configuration.digest(self.config)
        for result in known:
            with blame("--known: is not a list of results", *_BROKEN):
                check_result(result)
            if (
                result["settings"] == own
                and self.result() is None
                and self.lock()
            ):
                named = {**result, "name": self.name}
                files.write_json(self.folder / "result.json", named)
                self.unlock()

    def summary(self) -> str:
        """Returns the result in a few words."""
        result = self.result() or {}
        if has_diverged(result):
            rate = self.config.learning_rate
            return f"{DIVERGED} at a learning rate of {rate:g}"
        scores = result.get("scores", {})
        if not scores:
            return "finished, without test sets"
        return ", ".join(f"{n} {s['psnr']:.2f} dB" for n, s in scores.items())

    def steps_done(self) -> int:
        """Returns the number of steps until the last checkpoint."""
        return len(self._epochs()) * self.config.steps_per_epoch

    def progress(self) -> str:
        """Returns the steps until the last checkpoint, and all steps."""
        return f"{self.steps_done():,} of {self.config.steps:,}"

    def lock(self) -> bool:
        """Locks the training for this process; false if another has it."""
        files.make_folder(self.folder)
        return self._lock.acquire()

    def unlock(self):
        self._lock.release()

    def _epochs(self):
        path = self.folder / "metrics.csv"
        if not path.exists():
            return []
        with blame(f"{path}: is not a readable history", *_BROKEN):
            # Another process may be writing the file.
            return list(csv.DictReader(files.whole_lines(path)))

    def _cpu_seconds(self):
        path = self.folder / "metrics.csv"
        with blame(f"{path}: is not a readable history", *_BROKEN):
            return sum(float(epoch["cpu_seconds"]) for epoch in self._epochs())


def list_trainings(config, workdir) -> list[Training]:
    """Returns the checked trainings of a config, ordered by seed.

    Args:
        config: `ml_collections.ConfigDict`, see `compare.compare`.
        workdir: Path of a folder. Each training has a folder in it.

    Raises:
        InputError: If an entry is missing or not usable, or if photographs for
            training or for the scores are missing.
    """
    _check_entries(config)
    # Trainings may have different scales, and then different LR files.
    sources = functools.cache(functools.partial(_sources, config))
    names = training_names(config)
    trainings = []
    for seed in config.seeds:
        for name in names:
            settings = _settings(config, name, seed)
            folder = re.sub(r"[^\w.-]+", "_", f"{name}-{seed}")
            path = pathlib.Path(workdir) / folder
            of_scale = sources(settings.network.scale)
            trainings.append(Training(name, seed, settings, path, of_scale))
    _check_photographs(trainings)
    _check_folders(trainings)
    _check_parts(trainings)
    return trainings


def training_names(config) -> list[str]:
    """Returns the names of the trainings in the order of the config."""
    # A ConfigDict would sort the names alphabetically.
    return list(json.loads(config.trainings.to_json_best_effort()))


def step_costs(trainings: list[Training]) -> dict[Training, float]:
    """Returns the relative cost of a step of each training.

    It is the number of weights times the number of LR pixels, since SR networks
    use most weights once for each pixel.
    """
    return {
        of: of.weights
        * of.config.data.batch_size
        * of.config.data.patch_size**2
        for of in trainings
    }


def _check_entries(config):
    for entry in _ENTRIES:
        if entry not in config:
            raise InputError(
                f"--config: has no entry '{entry}', expected the entries of "
                "configs/compare_methods.py."
            )
    groups = {"training": config.training, "trainings": config.trainings}
    if isinstance(config.trainings, ConfigDict):
        for name in config.trainings:
            groups[f"trainings.{name}"] = config.trainings[name]
    for entry, group in groups.items():
        if not isinstance(group, ConfigDict):
            raise InputError(
                f"--config.{entry}: is {group!r}, expected a group."
            )
    for entry in config:
        configuration.check_known(entry, entry, _ENTRIES)
    for entry in ("seeds", "score_on"):
        if not isinstance(config[entry], (tuple, list)):
            raise InputError(
                f"--config.{entry}: is {config[entry]!r}, expected a tuple."
            )
    for seed in config.seeds:
        if not configuration.is_seed(seed):
            raise InputError(
                f"--config.seeds: has {seed!r}, expected {configuration.SEED}."
            )
    for source in config.score_on:
        if not isinstance(source, str):
            raise InputError(
                f"--config.score_on: has {source!r}, expected the name of a "
                "test set or the path of a folder."
            )
    for entry in ("seeds", "trainings"):
        if not len(config[entry]):
            raise InputError(
                f"--config.{entry}: is empty, expected at least one."
            )
    if len({*config.seeds}) < len(config.seeds):
        raise InputError(
            f"--config.seeds: is {config.seeds!r}, expected different seeds."
        )


def _sources(config, scale):
    """Returns a dict from test sets to their photographs for a scale."""
    sources: dict = {}
    for source in config.score_on:
        name = _source_name(source)
        if name in sources:
            raise InputError(
                f"--config.score_on: has two test sets named {name}, expected "
                "different names."
            )
        with naming("--config.score_on"):
            photographs = find_source(
                source, "held_out", scale, config.data_dir
            )
            for photograph in photographs:
                photograph.check_size(scale, SMALLEST)
        sources[name] = photographs
    return sources


def _source_name(source):
    """Returns the name of a test set for the table, such as Kodak24."""
    path = pathlib.PurePath(source)
    return path.parent.name if path.name == "HR" else path.name


def _settings(config, name, seed):
    """Returns the checked config of one training."""
    changes = config.trainings[name].to_dict()
    settings = ConfigDict(_merged(config.training.to_dict(), changes))
    settings["seed"] = seed
    configuration.check(settings)
    configuration.check_network(settings)
    configuration.sparse_training(settings)
    configuration.simulated_int8(settings)
    configuration.optimizer(settings)
    return settings


def _check_photographs(trainings):
    for split in ("train", "held_out"):
        photographs = {
            source.strip()
            for training in trainings
            for source in training.config.data[split].split(",")
        }
        for source in filter(None, photographs):
            if not is_prepared(source):
                with naming(f"--config.training.data.{split}"):
                    find_source(source, split, 1)


def _check_parts(trainings):
    """Checks what only shows when the parts of the trainings are built."""
    networks: dict = {}
    for training in trainings:
        config = training.config
        key = config.network.to_json_best_effort(sort_keys=True)
        with naming(training.name):
            if key not in networks:
                networks[key] = configuration.network(config)
            configuration.check_sparse(config, networks[key])
            configuration.begin_pretrained(config, networks[key])
            if (teacher := config.get("teacher")) is not None:
                with naming("--config.teacher.model"):
                    path = network_path(teacher.model)
                    files.check_file(path, "a network")
        training.weights = networks[key].count_params()
    keras.backend.clear_session()


def _check_folders(trainings):
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


def _merged(base, changes):
    """Returns `base` with `changes`, merged group by group."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            value = _merged(merged[name], value)
        merged[name] = value
    return merged
