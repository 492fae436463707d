"""Starts programs, kills them, and collects what was wrong.

`killed_trainings.py` and `killed_commands.py` use it.
"""

import argparse
import atexit
import collections
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import time

from issp_keras.programs import interrupts

WAYS = ("SIGKILL", "SIGTERM", "full disk")
# The status of a program that is killed in each way. SIGTERM may come before
# the program handles it.
STATUSES = {"SIGKILL": (-9,), "SIGTERM": (143, -15), "full disk": (1,)}
_DISK_BYTES = 24 << 20
_BLOCK = 1 << 12
# The machine may be busy.
MOST_SECONDS = 600
# A program takes seconds to import. So one process imports all of them, and
# forks for each run. A kill then hits what a program does.
_forks = multiprocessing.get_context("forkserver")


def preload(*modules):
    """Lets later programs start without the time that these imports take.

    Args:
        *modules: Strings, such as `"issp_keras.programs.train"`.
    """
    _forks.set_forkserver_preload([__name__, *modules])
    # The first program waits for the imports.
    first = _forks.Process()
    first.start()
    first.join()


class Program:
    """A program that runs like `python -m MODULE ARGUMENTS`.

    Args:
        module: String.
        *arguments: Its arguments.

    Attributes:
        process: `multiprocessing.Process`.
    """

    def __init__(self, module, *arguments):
        self._streams = [
            tempfile.NamedTemporaryFile()  # noqa: SIM115, this object keeps it
            for _ in range(2)
        ]
        words = [module, *map(str, arguments)]
        paths = [stream.name for stream in self._streams]
        self.process = _forks.Process(target=_run, args=(words, paths))
        self.process.start()

    @property
    def output(self):
        """String, what it has printed."""
        return pathlib.Path(self._streams[0].name).read_text()

    @property
    def errors(self):
        """String, what it has printed on stderr."""
        text = pathlib.Path(self._streams[1].name).read_bytes()
        return text.decode(errors="replace")

    def wait(self, seconds=MOST_SECONDS):
        """Returns its status, or None if it has not ended in time."""
        self.process.join(seconds)
        return self.process.exitcode

    def finish(self):
        """Waits until it has ended well.

        Raises:
            RuntimeError: If it fails.
        """
        if self.wait() != 0:
            self.process.kill()
            raise RuntimeError(f"{self.process.exitcode}: {self.errors}")

    def wait_for_lines(self, count, beginning):
        """Waits until so many lines have a beginning, or it has ended."""
        until = time.monotonic() + MOST_SECONDS
        while self.process.is_alive() and time.monotonic() < until:
            lines = self.output.splitlines()
            if sum(line.startswith(beginning) for line in lines) >= count:
                return
            time.sleep(0.01)

    def send(self, way):
        """Sends the signal of this name, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.Signals[way])


def _run(words, paths):
    # As the command `issp` does.
    interrupts.end_at_once()
    for number, path in enumerate(paths, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    module = words[0]
    sys.modules.pop(module, None)
    sys.argv = words
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # Python does this at its end, but `multiprocessing` does not. JAX
        # then waits for the other processes.
        atexit._run_exitfuncs()


class Campaign:
    """What the campaigns share.

    Args:
        folder: Path of an empty folder.
        ways: Sequence of strings of `WAYS`.
        seed: Integer, of the random times.

    Attributes:
        kills: `Counter` of kills by way.
        findings: List of dicts with what was wrong.
    """

    def __init__(self, folder, ways, seed):
        self.kills = collections.Counter()
        self.findings = []
        self.folder = folder
        self.disk = folder / "disk"
        self.ways = ways
        self.random = random.Random(seed)

    def find(self, name, what):
        """Notes that something was wrong."""
        self.findings.append({"name": name, "what": what})
        print(f"{name}: {what}", file=sys.stderr, flush=True)

    def check_end(self, name, way, program):
        """Notes a wrong status and a traceback of a killed program."""
        if program.process.exitcode not in STATUSES[way]:
            self.find(name, f"{way}: ends with {program.process.exitcode}")
        lines = program.errors.strip().splitlines() or [""]
        if any(line.startswith("Traceback") for line in lines):
            self.find(name, f"{way}: a traceback that ends with {lines[-1]}")
            print(program.errors, file=sys.stderr, flush=True)
        elif way == "full disk" and "No space left" not in program.errors:
            self.find(name, f"{way}: does not say so, but {lines[-1]!r}")

    @contextlib.contextmanager
    def full_disk(self, room=0):
        """Fills the small disk while the block runs.

        Args:
            room: Integer, the bytes to leave, rounded to blocks.
        """
        ballast = self.disk / "ballast"
        with (
            contextlib.suppress(OSError),
            ballast.open("wb", buffering=0) as file,
        ):
            while True:
                file.write(bytes(_BLOCK))
        size = ballast.stat().st_size
        os.truncate(ballast, max(0, size - room // _BLOCK * _BLOCK))
        try:
            yield
        finally:
            ballast.unlink()


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


def main(make_campaign, description, **more_flags):
    """Runs a campaign, prints what it made, and exits with 1 for findings.

    Args:
        make_campaign: Callable that takes a folder, ways and a seed, and the
            values of further flags. It returns a campaign, whose method
            `run(kills)` yields a line now and then. `told()` returns a dict.
        description: String.
        **more_flags: Dicts of arguments for `add_argument`, by flag.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--way", action="append", choices=WAYS, help="all by default"
    )
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file")
    for flag, settings in more_flags.items():
        parser.add_argument(f"--{flag}", **settings)
    flags = parser.parse_args()
    more = {flag: getattr(flags, flag) for flag in more_flags}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with small_disk(folder / "disk") as is_small:
            ways = flags.way or (WAYS if is_small else WAYS[:2])
            campaign = make_campaign(folder, ways, flags.seed, **more)
            for line in campaign.run(flags.kills):
                print(line, flush=True)
    made = {
        **campaign.told(),
        "findings": campaign.findings,
        "hours": round((time.monotonic() - begin) / 3600, 2),
    }
    if flags.output:
        flags.output.write_text(json.dumps(made, indent=2) + "\n")
    print(json.dumps(made, indent=2))
    sys.exit(bool(campaign.findings))
