"""Kills trainings at random times, and compares what they become.

    python tests/killed_trainings.py --kills=200 --output=killed_trainings.json

Each training runs once to its end. Then it runs in another folder. There it is
killed and started again until it ends. Both must have the same weights,
optimizer and tables. The kills are SIGKILL, SIGTERM, and a full disk. A full
disk needs Linux, and the right to mount a small file system. The seed chooses
the kills and when they come, but the speed of the machine decides which step
they hit.
"""

import argparse
import collections
import contextlib
import csv
import io
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

import h5py
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
}
WAYS = ("SIGKILL", "SIGTERM", "full disk")
_DISK_BYTES = 24 << 20
# It imports TensorFlow and compiles first.
_MOST_SECONDS = 300


class Campaign:
    """Kills trainings, and counts what happens.

    Args:
        folder: Path of an empty folder.
        ways: Sequence of strings of `WAYS`.
        seed: Integer, of the random times.

    Attributes:
        kills: `Counter` of kills by way.
        trainings: Integer, how many killed trainings were compared.
        findings: List of dicts with what was wrong.
    """

    def __init__(self, folder, ways, seed):
        self.kills = collections.Counter()
        self.trainings = 0
        self.findings = []
        self._folder = folder
        self._ways = ways
        self._random = random.Random(seed)
        self._seconds = 0.2
        (folder / "config.py").write_text(_CONFIG)
        self._make_photographs()

    def run(self, name, most):
        """Kills one training until it ends, at most `most` times.

        Args:
            name: String, a key of `TRAININGS`.
            most: Integer.
        """
        whole = self._folder / "whole" / name
        if not whole.exists():
            begin = time.monotonic()
            lines = self._end(self._start(name, whole))
            seconds = time.monotonic() - begin
            # Most of it is the start; an epoch is much shorter.
            self._seconds = seconds / max(1, 4 * len(lines))
        killed = self._folder / "disk" / "killed"
        shutil.rmtree(killed, ignore_errors=True)
        for _ in range(most):
            way = self._random.choice(self._ways)
            if not self._kill(name, killed, way):
                break
            self.kills[way] += 1
        if not (killed / "model.keras").exists():
            self._end(self._start(name, killed))
        self.trainings += 1
        for what in differences(whole, killed):
            self._find(name, what)

    def _make_photographs(self):
        rng = np.random.default_rng(0)
        photographs = self._folder / "photographs"
        photographs.mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (40, 44, 3), np.uint8)
            write_photograph(photographs / f"{number}.png", pixels)
        pairs = load_pairs(str(photographs), "train", 2)
        prepare(
            [lambda of=of: of for of in pairs], 2, self._folder / "prepared"
        )

    def _start(self, name, workdir):
        photographs = self._folder / "photographs"
        config = {
            **_TINY,
            "data.train": photographs,
            "data.held_out": photographs,
            **TRAININGS[name],
        }
        if config["data.train"] == "prepared":
            config["data.train"] = self._folder / "prepared"
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "issp_keras.programs.train"),
                f"--config={self._folder / 'config.py'}",
                f"--workdir={workdir}",
                *(f"--config.{key}={of}" for key, of in config.items()),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _end(self, process):
        """Lets a training end. Returns the lines that it printed."""
        output, errors = process.communicate(timeout=_MOST_SECONDS)
        if process.returncode:
            raise RuntimeError(errors)
        return output.splitlines()

    def _kill(self, name, workdir, way):
        """Starts and kills a training; returns whether it was still running."""
        process = self._start(name, workdir)
        epochs = self._random.choice((0, 0, 1, 1, 2, 3))
        _wait_for_lines(process, epochs)
        longest = self._seconds if epochs else 40 * self._seconds
        time.sleep(self._random.uniform(0, longest))
        if way == "full disk":
            ballast = self._folder / "disk" / "ballast"
            _fill(ballast)
            try:
                _, errors = process.communicate(timeout=_MOST_SECONDS)
            finally:
                ballast.unlink()
        else:
            process.send_signal(signal.Signals[way])
            _, errors = process.communicate(timeout=_MOST_SECONDS)
        if process.returncode == 0:
            return False
        expected = {"SIGKILL": (-9,), "SIGTERM": (143, -15), "full disk": (1,)}
        if process.returncode not in expected[way]:
            self._find(name, f"{way}: ends with {process.returncode}")
        if "Traceback" in errors:
            last = errors.strip().splitlines()[-1]
            self._find(name, f"{way}: a traceback that ends with {last}")
        for what in unreadable(workdir):
            self._find(name, f"{way}: {what}")
        return True

    def _find(self, name, what):
        self.findings.append({"training": name, "what": what})
        print(f"{name}: {what}", file=sys.stderr, flush=True)


def _wait_for_lines(process, count):
    """Waits until a training has told of so many epochs, or has ended."""
    while count:
        ready, _, _ = select.select([process.stdout], [], [], _MOST_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            return
        count -= line.startswith("Step ")


def _fill(path):
    """Writes a file until the disk has no room."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))


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


@contextlib.contextmanager
def small_disk(folder):
    """Mounts a small disk where it can; yields whether it could."""
    folder.mkdir()
    size = f"size={_DISK_BYTES}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "issp", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", folder], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file")
    flags = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with small_disk(folder / "disk") as is_small:
            ways = WAYS if is_small else WAYS[:2]
            campaign = Campaign(folder, ways, flags.seed)
            for name in itertools.cycle(TRAININGS):
                left = flags.kills - campaign.kills.total()
                if left <= 0:
                    break
                campaign.run(name, min(left, 8))
                print(f"{name}: {dict(campaign.kills)}", flush=True)
    made = {
        "kills": campaign.kills,
        "trainings": campaign.trainings,
        "findings": campaign.findings,
        "hours": round((time.monotonic() - begin) / 3600, 2),
    }
    if flags.output:
        flags.output.write_text(json.dumps(made, indent=2) + "\n")
    print(json.dumps(made, indent=2))
    sys.exit(bool(campaign.findings))


if __name__ == "__main__":
    main()
