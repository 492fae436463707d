"""Kills trainings at random times, and compares what they become.

    python tests/killed_trainings.py --kills=200 --output=killed_trainings.json
    KERAS_BACKEND=jax python tests/killed_trainings.py --processes=2

Each training runs once to its end. Then it runs in another folder. There it is
killed and started again until it ends. Both must have the same weights,
optimizer and tables. The kills are SIGKILL, SIGTERM, and a full disk. A full
disk needs Linux, and the right to mount a small file system. With two
processes, a signal hits one of them or both. The seed chooses the kills and
when they come, but the speed of the machine decides which step they hit.
"""

import collections
import csv
import io
import itertools
import json
import os
import pathlib
import shutil
import socket
import sys
import time
import zipfile

import h5py
import killing
import numpy as np

from issp_keras.data import load_pairs
from issp_keras.data import prepare
from issp_keras.data import write_photograph

_EDSR = pathlib.Path(__file__).parent.parent / "configs" / "edsr_small.py"
# A config with entries that not every config has.
_CONFIG = f"""
import runpy
from ml_collections.config_dict import placeholder

def get_config():
    config = runpy.run_path({str(_EDSR)!r})["get_config"]()
    with config.unlocked():
        config.dtype_policy = "float32"
        config.ema_momentum = placeholder(float)
    return config
"""
_TINY = {
    "steps": 60,
    "steps_per_epoch": 3,
    "network.features": 4,
    "network.blocks": 1,
    "data.patch_size": 8,
    "data.batch_size": 2,
    "sparsity.end_step": 40,
}
# Steps of two processes take longer.
_FEWER_STEPS = {"steps": 24, "sparsity.end_step": 16}
_LATENT = {"sparsity.method": "latent", "sparsity.ramp": "cubic"}
# What differs between the trainings. "prepared" is a prepared folder.
TRAININGS = {
    "ISS-P": {},
    "ISS-P, bfloat16": {"dtype_policy": "mixed_bfloat16"},
    "latent": _LATENT,
    "latent, float16": {**_LATENT, "dtype_policy": "mixed_float16"},
    "latent, prepared": {**_LATENT, "data.train": "prepared"},
    "ISS-R": {"sparsity.method": "iss_r"},
    "SRP, prepared": {"sparsity.method": "srp", "data.train": "prepared"},
    "regrowth": {"sparsity.method": "regrowth", "sparsity.ramp": "cubic"},
    "AC/DC": {"sparsity.method": "ac_dc", "sparsity.ramp": "cubic"},
    "averages": {"ema_momentum": 0.9},
    "dense": {"sparsity.method": "dense"},
}
# What begins the line of an epoch.
_LINE = "Step "
# What a process says if the other one has ended.
_APART = "can no longer compute together"
# A process waits for another one no longer than this after the other's end.
_ALONE_SECONDS = 60


class Trainings(killing.Campaign):
    """Kills trainings, and counts what happens.

    Args:
        folder: As in `Campaign`, like the next two.
        ways: Sequence of strings.
        seed: Integer.
        processes: Integer, how many train together. Defaults to `1`.

    Attributes:
        trainings: Integer, how many killed trainings were compared.
        survivors: `Counter` of the statuses of processes whose other process
            was killed.
    """

    def __init__(self, folder, ways, seed, processes=1):
        super().__init__(folder, ways, seed)
        self.trainings = 0
        self.survivors = collections.Counter()
        self._count = processes
        self._seconds = 0.2
        killing.preload("issp_keras.programs.train")
        (folder / "config.py").write_text(_CONFIG)
        make_photographs(folder)

    def run(self, kills):
        """Kills each training, until there were so many kills.

        Yields:
            String, what was done so far.
        """
        for name in itertools.cycle(TRAININGS):
            left = kills - self.kills.total()
            if left <= 0:
                return
            self._run(name, min(left, 8))
            yield f"{name}: {dict(self.kills)}"

    def told(self):
        """Returns what happened, as a dict for JSON."""
        return {
            "kills": self.kills,
            "trainings": self.trainings,
            "survivors": self.survivors,
        }

    def _run(self, name, most):
        whole = self.folder / "whole" / name
        if not whole.exists():
            begin = time.monotonic()
            started = self._start(name, whole)
            for program in started:
                program.finish()
            seconds = time.monotonic() - begin
            # Most of it is the start; an epoch is much shorter.
            lines = started[0].output.splitlines()
            self._seconds = seconds / max(1, 4 * len(lines))
        killed = self.disk / "killed"
        shutil.rmtree(killed, ignore_errors=True)
        for _ in range(most):
            way = self.random.choice(self.ways)
            if not self._kill(name, killed, way):
                break
            self.kills[way] += 1
        if not (killed / "model.keras").exists():
            for program in self._start(name, killed):
                program.finish()
        self.trainings += 1
        for what in differences(whole, killed):
            self.find(name, what)

    def _start(self, name, workdir):
        photographs = self.folder / "photographs"
        config = {
            **_TINY,
            **(_FEWER_STEPS if self._count > 1 else {}),
            "data.train": photographs,
            "data.held_out": photographs,
            **TRAININGS[name],
        }
        if config["data.train"] == "prepared":
            config["data.train"] = self.folder / "prepared"
        return [
            killing.Program(
                "issp_keras.programs.train",
                f"--config={self.folder / 'config.py'}",
                f"--workdir={workdir}",
                *(f"--config.{key}={of}" for key, of in config.items()),
                *together,
            )
            for together in _flags_of_processes(self._count)
        ]

    def _kill(self, name, workdir, way):
        """Starts and kills a training; returns whether it was still running."""
        started = self._start(name, workdir)
        epochs = self.random.choice((0, 0, 1, 1, 2, 3))
        started[0].wait_for_lines(epochs, _LINE)
        longest = self._seconds if epochs else 40 * self._seconds
        time.sleep(self.random.uniform(0, longest))
        hit = self._hit(started, way)
        if all(program.process.exitcode == 0 for program in started):
            return False
        for program in hit:
            # One of two processes may have finished before, or may have seen
            # the end of the other one before its own signal.
            if program.process.exitcode != 0 and not (
                len(hit) > 1 and _APART in program.errors
            ):
                self.check_end(name, way, program)
        for program in started:
            if program not in hit:
                self._check_survivor(name, way, program)
        for what in unreadable(workdir):
            self.find(name, f"{way}: {what}")
        return True

    def _hit(self, started, way):
        """Kills some processes, and waits for all. Returns the killed ones."""
        if way == "full disk":
            with self.full_disk():
                started[0].wait()
                _wait_for_survivors(started[1:])
            return started[:1]
        # One of them, or all.
        hit = self.random.choice([*([one] for one in started), started])
        for program in hit:
            program.send(way)
        for program in hit:
            program.wait()
        _wait_for_survivors([one for one in started if one not in hit])
        return hit

    def _check_survivor(self, name, way, program):
        """Notes a wrong end of a process whose other process was killed."""
        status = program.process.exitcode
        # A process may have finished. JAX ends a process with SIGABRT if it
        # misses process 0. SIGKILL: it had to be killed, since JAX waits long
        # for a process that is missing.
        if status not in (0, 1, -6, -9):
            self.find(name, f"{way}: the other process ends with {status}")
        if status == 1 and (
            _APART not in program.errors or "Traceback" in program.errors
        ):
            self.find(name, f"{way}: the other process does not say why")
            print(program.errors, file=sys.stderr, flush=True)
        self.survivors[str(status)] += 1


def _wait_for_survivors(programs):
    for program in programs:
        if program.wait(_ALONE_SECONDS) is None:
            program.send("SIGKILL")
            program.wait()


def _flags_of_processes(count):
    """Returns the flags of each process that trains together with others."""
    if count == 1:
        return [[]]
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    return [
        [
            f"--processes={count}",
            f"--coordinator=localhost:{port}",
            f"--process_id={index}",
        ]
        for index in range(count)
    ]


def make_photographs(folder):
    """Writes the folders `photographs` and `prepared`."""
    rng = np.random.default_rng(0)
    photographs = folder / "photographs"
    photographs.mkdir()
    for number in range(3):
        pixels = rng.integers(0, 256, (40, 44, 3), np.uint8)
        write_photograph(photographs / f"{number}.png", pixels)
    pairs = load_pairs(str(photographs), "train", 2)
    prepare([lambda of=of: of for of in pairs], 2, folder / "prepared")


def unreadable(workdir) -> list[str]:
    """Returns a sentence for each file of a training that is cut short."""
    found = []
    for path in workdir.glob("[!.]*.keras"):
        try:
            with zipfile.ZipFile(path) as file:
                bad = file.testzip()
        except zipfile.BadZipFile as error:
            bad = error
        if bad:
            found.append(f"{path.name} is damaged: {bad}")
    path = workdir / "config.json"
    if path.exists():
        try:
            json.loads(path.read_text())
        except ValueError as error:
            found.append(f"{path.name} is damaged: {error}")
    return found


def differences(one, other) -> list[str]:
    """Returns a sentence for each difference between two finished trainings."""
    found = []
    for name in ("model.keras", "checkpoint.keras"):
        first, second = _arrays(one / name), _arrays(other / name)
        if first.keys() != second.keys():
            found.append(f"{name} has other arrays")
        found += [
            f"{name}: {key} differs"
            for key in first.keys() & second.keys()
            if not np.array_equal(first[key], second[key], equal_nan=True)
        ]
    for name in ("metrics.csv", "sparsity.csv"):
        if _rows(one / name) != _rows(other / name):
            found.append(f"{name} differs")
    for part in ("", "train", "validation"):
        folder = pathlib.Path("tensorboard", part)
        if _scalars(one / folder) != _scalars(other / folder):
            found.append(f"{folder} differs")
    return found


def _arrays(path):
    found = {}
    with zipfile.ZipFile(path) as content:
        weights = io.BytesIO(content.read("model.weights.h5"))

    def add(name, of):
        if isinstance(of, h5py.Dataset):
            found[name] = of[()]

    with h5py.File(weights) as file:
        file.visititems(add)
    return found


def _rows(path):
    if not path.exists():
        # A dense training has no table of sparsity.
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.pop("cpu_seconds", None)
    return rows


def _scalars(folder):
    """Returns the last number of each tag and step in TensorBoard's files."""
    paths = sorted(folder.glob("events*"), key=os.path.getmtime)
    if not paths:
        return {}
    from tensorboard.backend.event_processing import event_file_loader
    from tensorboard.util import tensor_util

    found = {}
    for path in paths:
        for event in event_file_loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                number = tensor_util.make_ndarray(value.tensor)
                is_scalar = number.shape == () and number.dtype != object
                if is_scalar and not value.tag.endswith("cpu_seconds"):
                    found[value.tag, event.step] = number.item()
    return found


if __name__ == "__main__":
    killing.main(
        Trainings,
        __doc__.partition("\n")[0],
        processes={"type": int, "default": 1},
    )
