"""Kills commands at random times, and checks the files that they leave.

    python tests/killed_commands.py --kills=50 --output=killed_commands.json

Each command of `COMMANDS` first runs undisturbed. Then it is killed at random
times, and at last runs to its end. After each kill, every file must be absent,
or complete. After the last run, there must be the same files as without kills.
The kills are SIGKILL, SIGTERM, and a full disk, as in `killed_trainings.py`.
`--kills` is their number for each command.
"""

import collections
import csv
import dataclasses
import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable

import keras
import killing
import numpy as np
import PIL.Image

from issp_keras import models
from issp_keras.data import open_prepared
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.tflite import export
from issp_keras.tflite import inspect

_SCALE = 2
# What a run measures, so that it differs between two runs.
_MEASURED = ("seconds", "latency_ms")
_TIMES = re.compile(
    r"[\d.,]+ (ms|s|seconds)\b"
    # The time of day, and a column of seconds in a table of a page.
    r"|[\d-]+ [\d:]+ UTC"
    r'|data-value="[\d.]+">\d\.\d\d<'
)
# The next run replaces or removes files of this name.
_PARTIAL = ".partial-"
# Commands import these when they need them.
_IMPORTED_LATE = (
    "tensorflow",
    "issp_keras.models",
    "issp_keras.tflite.variants",
)
_PNG_END = b"IEND\xaeB`\x82"
# A command that ends before the kill is not counted.
_MOST_RUNS = 3


@dataclasses.dataclass(frozen=True)
class Command:
    """A command to kill.

    Args:
        module: String, the module of its program.
        words: Callable that takes the folder of the inputs and that of the
            outputs. It returns the arguments.
        prepare: Callable that takes the same, and writes what must be in the
            folder of the outputs.
        is_once: Boolean, whether the command refuses to replace its outputs.
    """

    module: str
    words: Callable
    prepare: Callable = lambda inputs, outputs: None
    is_once: bool = False


def _upscale(suffix):
    def words(inputs, outputs):
        return [
            f"--model={inputs / 'model'}{suffix}",
            f"--output={outputs / 'large'}",
            f"--compare={outputs / 'compare.html'}",
            inputs / "photographs",
            inputs / "deep.png",
        ]

    return Command("issp_keras.programs.upscale", words)


COMMANDS = {
    "issp upscale, .keras": _upscale(".keras"),
    "issp upscale, .tflite": _upscale(".tflite"),
    "issp export --all": Command(
        "issp_keras.tflite.programs.export",
        lambda inputs, outputs: [
            "--all",
            "--rounds=1",
            f"--data={inputs / 'photographs'}",
            f"--calibration={inputs / 'photographs'}",
            "--ranges=min_max",
            "--tolerance=99",
            outputs / "model.keras",
        ],
        lambda inputs, outputs: shutil.copy(inputs / "model.keras", outputs),
    ),
    "issp prepare": Command(
        "issp_keras.programs.prepare",
        lambda inputs, outputs: [
            f"--scale={_SCALE}",
            inputs / "photographs",
            outputs / "prepared",
        ],
        is_once=True,
    ),
    "issp evaluate": Command(
        "issp_keras.programs.evaluate",
        lambda inputs, outputs: [
            f"--model={inputs / 'model.keras'}",
            f"--data={inputs / 'photographs'}",
            f"--output={outputs / 'scores.json'}",
            f"--comparison={outputs / 'comparison.png'}",
            f"--report={outputs / 'report.html'}",
        ],
    ),
}


class Commands(killing.Campaign):
    """Kills commands, and counts what happens.

    Args:
        folder: As in `Campaign`, like the next two.
        ways: Sequence of strings.
        seed: Integer.
        commands: Dict of `Command` by name. Defaults to None, `COMMANDS`.
        only: Sequence of names, the commands to kill. Defaults to all.

    Attributes:
        commands: Dict from names of commands to a `Counter` of kills by way.
        finished: Integer, how many runs after kills were compared.
    """

    def __init__(self, folder, ways, seed, commands=None, only=None):
        commands = commands or COMMANDS
        commands = {name: commands[name] for name in only or commands}
        super().__init__(folder, ways, seed)
        self.commands = collections.defaultdict(collections.Counter)
        self.finished = 0
        self._commands = commands
        self._inputs = folder / "inputs"
        self._outputs = self.disk / "outputs"
        self._seconds = 0.0
        modules = [of.module for of in commands.values()]
        killing.preload(*modules, *_IMPORTED_LATE)

    def run(self, kills):
        """Kills each command so often.

        Yields:
            String, what was done so far.
        """
        make_inputs(self._inputs)
        for name, command in self._commands.items():
            whole = self._run_undisturbed(command)
            while (left := kills - self.commands[name].total()) > 0:
                self._run(name, command, whole, min(left, 3))
                yield f"{name}: {dict(self.commands[name])}"

    def told(self):
        """Returns what happened, as a dict for JSON."""
        return {"kills": self.commands, "finished": self.finished}

    def _run_undisturbed(self, command):
        """Returns the content of the outputs by their paths."""
        self._begin_anew(command)
        begin = time.monotonic()
        self._start(command).finish()
        self._seconds = time.monotonic() - begin
        return contents(self._outputs)

    def _begin_anew(self, command):
        shutil.rmtree(self._outputs, ignore_errors=True)
        self._outputs.mkdir()
        command.prepare(self._inputs, self._outputs)

    def _start(self, command):
        words = command.words(self._inputs, self._outputs)
        return killing.Program(command.module, *words)

    def _run(self, name, command, whole, most):
        # Otherwise the outputs of the last run are there, to be replaced.
        if command.is_once or self.random.random() < 0.5:
            self._begin_anew(command)
        known = whole
        for _ in range(self.random.randint(1, most)):
            way = self.random.choice(self.ways)
            if not self._kill(name, command, way):
                break
            self.commands[name][way] += 1
            if way == "full disk":
                # A table of results then lists those that could be written.
                known = {}
            for what in half_written(self._outputs, known):
                self.find(name, f"{way}: {what}")
        if not (command.is_once and contents(self._outputs) == whole):
            self._finish(name, command)
        for what in differences(self._outputs, whole):
            self.find(name, f"after the last run: {what}")
        self.finished += 1

    def _kill(self, name, command, way):
        """Kills the command while it runs; returns whether it could."""
        for _ in range(_MOST_RUNS):
            if command.is_once:
                shutil.rmtree(self._outputs / "prepared", ignore_errors=True)
            if way == "full disk":
                program = self._fill(command)
            else:
                program = self._start(command)
                self._wait(program)
                program.send(way)
                program.wait()
            if program.process.exitcode != 0:
                self.check_end(name, way, program)
                return True
        return False

    def _wait(self, program):
        """Waits for a random part of the time that a run takes."""
        begin = time.monotonic()
        if program.wait(self.random.uniform(0, self._seconds)) is not None:
            # The machine has become idler.
            self._seconds = time.monotonic() - begin

    def _fill(self, command):
        """Runs the command on a disk that has no room for all its files."""
        sizes = [path.stat().st_size for path in _files(self._outputs)]
        room = self.random.randint(0, max(1 << 16, sum(sizes)))
        with self.full_disk(room):
            program = self._start(command)
            program.wait()
        return program

    def _finish(self, name, command):
        program = self._start(command)
        begin = time.monotonic()
        if program.wait() != 0:
            lines = program.errors.strip().splitlines() or [""]
            self.find(name, f"does not run after kills: {lines[-1]}")
        # The machine may be busier or idler than before.
        self._seconds = (self._seconds + time.monotonic() - begin) / 2


def make_inputs(folder):
    """Writes small photographs, and a network as `.keras` and `.tflite`."""
    photographs = folder / "photographs"
    photographs.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (40, 44, 3), np.uint8)
        write_photograph(photographs / f"{number}.png", pixels)
    deep = rng.integers(0, 1 << 16, (40, 40, 3), np.uint16)
    write_photograph(folder / "deep.png", deep)
    keras.utils.set_random_seed(0)
    model = models.edsr(scale=_SCALE, features=8, blocks=1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            layer.kernel.assign(kernel * (rng.random(kernel.shape) < 0.1))
    model.save(folder / "model.keras")
    export(model, folder / "model.tflite")


# What files hold.


def half_written(folder, whole) -> list[str]:
    """Returns a sentence for each file that a kill left incomplete.

    Files of `_PARTIAL` names are left out.

    Args:
        folder: `pathlib.Path`.
        whole: Dict that `contents` returned for complete outputs.
    """
    found = []
    for path in _files(folder):
        name = str(path.relative_to(folder))
        if _PARTIAL in name:
            continue
        try:
            content = content_of(path)
        except Exception as error:
            found.append(f"{name} is damaged: {error}")
            continue
        if name in whole and content != whole[name]:
            found.append(f"{name} differs")
    return found


def differences(folder, whole) -> list[str]:
    """Returns a sentence for each file that is not as in complete outputs."""
    names = {str(path.relative_to(folder)) for path in _files(folder)}
    return [
        *(f"{name} is missing" for name in sorted(whole.keys() - names)),
        *(f"{name} is left" for name in sorted(names - whole.keys())),
        *half_written(folder, whole),
    ]


def contents(folder):
    """Returns what `content_of` returns, by path, for the files in a folder.

    Files that cannot be read are None.
    """
    found = {}
    for path in _files(folder):
        try:
            content = content_of(path)
        except Exception:
            content = None
        found[str(path.relative_to(folder))] = content
    return found


def content_of(path):
    """Reads a whole file. Returns its content without measured times.

    Raises:
        Exception: If the file is incomplete.
    """
    content = path.read_bytes()
    read = _READERS.get(path.suffix)
    return read(path, content) if read else content


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _read_picture(path, content):
    # Pillow reads a picture without its last bytes, too.
    if not content.endswith(_PNG_END):
        raise InputError("does not end like a PNG file")
    with PIL.Image.open(path) as image:
        return np.asarray(image).tobytes()


def _read_zip(path, content):
    with zipfile.ZipFile(path) as file:
        if bad := file.testzip():
            raise InputError(f"{bad} is damaged")
    return content


def _read_tflite(path, content):
    inspect(path)
    return content


def _read_json(path, content):
    text = _whole_text(content, "\n")
    found = json.loads(text, object_hook=_without_times)
    if path.name == "index.json":
        open_prepared(path.parent, _SCALE)
    return json.dumps(found)


def _without_times(found):
    return {key: of for key, of in found.items() if key not in _MEASURED}


def _read_table(path, content):
    text = _whole_text(content, "\n")
    rows = [*csv.DictReader(text.splitlines())]
    return [{**row, "seconds": None} for row in rows]


def _read_markdown(path, content):
    return _TIMES.sub("", _whole_text(content, "\n"))


def _read_page(path, content):
    return _TIMES.sub("", _whole_text(content, "</html>\n"))


def _whole_text(content, end):
    text = content.decode()
    if not text.endswith(end):
        raise InputError(f"does not end with {end!r}")
    return text


_READERS = {
    ".csv": _read_table,
    ".html": _read_page,
    ".json": _read_json,
    ".keras": _read_zip,
    ".md": _read_markdown,
    ".png": _read_picture,
    ".tflite": _read_tflite,
}


if __name__ == "__main__":
    killing.main(
        Commands,
        __doc__.partition("\n")[0],
        only={"action": "append", "choices": [*COMMANDS]},
    )
