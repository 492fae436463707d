"""Damages files of every kind that is read, and watches what reads them.

    python tests/hostile_files.py --inputs=10000 --output=hostile_files.json
    python tests/hostile_files.py --kind=png --kind=tiff --seed=3

A reader takes a file, or refuses it with an `InputError`. Everything else is a
finding: another error, a crash, more than 10 seconds, or more than 2 GB. The
files behind findings are kept in the folder of `--keep`.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import random
import re
import resource
import select
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

MOST_SECONDS = 10
MOST_BYTES = 2 << 30
# TFLite trusts its files, and some files crash it and programs that use it.
TFLITE_ENDS = "TFLite alone ends too"
# A process first imports all libraries, and makes the files to damage.
_START_SECONDS = 300
# A new process reads the next files after this many.
_MOST_FILES = 5000
_SIDE = 12


# Damage.


def damaged(random, content, others):
    """Returns the content of a file with one to four changes.

    Args:
        random: `random.Random`.
        content: Bytes.
        others: List of bytes, files to take pieces from.
    """
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        change = random.choice(_CHANGES)
        change(random, content, others)
    return bytes(content)


def _flip(random, content, others):
    if content:
        at = random.randrange(len(content))
        content[at] ^= 1 << random.randrange(8)


def _set_number(random, content, others):
    number = random.choice((0, 1, 0x7F, 0x80, 0xFF, -1, 1 << 31, (1 << 31) - 1))
    size = random.choice((1, 2, 4, 8))
    at = random.randrange(len(content) + 1)
    order = random.choice(("little", "big"))
    raw = (number % (1 << 8 * size)).to_bytes(size, order)
    content[at : at + size] = raw


def _cut(random, content, others):
    del content[random.randrange(len(content) + 1) :]


def _remove(random, content, others):
    first, last = _piece(random, content)
    del content[first:last]


def _repeat(random, content, others):
    first, last = _piece(random, content)
    content[first:first] = content[first:last]


def _splice(random, content, others):
    other = random.choice(others)
    first, last = _piece(random, other)
    at = random.randrange(len(content) + 1)
    content[at : at + last - first] = other[first:last]


def _insert(random, content, others):
    at = random.randrange(len(content) + 1)
    content[at:at] = random.randbytes(random.choice((1, 4, 64)))


def _piece(random, content):
    first = random.randrange(len(content) + 1)
    return first, min(len(content), first + random.choice((1, 8, 64, 1024)))


_CHANGES = (_flip, _flip, _set_number, _set_number, _cut, _remove, _repeat)
_CHANGES += (_splice, _insert)


def _damaged_zip(random, content, others):
    """Returns a ZIP file in which one member is damaged."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice([*members])
    members[name] = damaged(random, members[name], [*members.values()])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return made.getvalue()


def _damaged_png(random, content, others):
    """Returns a damaged PNG file in which all checksums are right."""
    content = damaged(random, content, others)
    made, at = bytearray(content[:8]), 8
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        chunk = content[at + 4 : at + 8 + size]
        made += struct.pack(">I", size) + chunk
        made += struct.pack(">I", zlib.crc32(chunk))
        at += 12 + size
    return bytes(made) + content[at:]


def _damaged_flatbuffer(random, content, others):
    """Returns a `.tflite` file in which one to three entries are changed."""
    from issp_keras.tflite import flatbuffer

    model = flatbuffer.parse(content, "a file")
    for _ in range(random.choice((1, 1, 3))):
        holder = model
        # Descend, at most until there are no more objects below.
        while below := _objects_of(holder):
            holder = random.choice(below)
            if random.random() < 0.1:
                break
        _set_entry(random, holder)
    try:
        return flatbuffer.write(model)
    except Exception:
        # The entry does not fit into its place.
        return damaged(random, content, others)


def _objects_of(holder):
    found = []
    for value in vars(holder).values():
        values = value if isinstance(value, list) else [value]
        found += [of for of in values if hasattr(of, "__dict__")]
    return found


def _set_entry(random, holder):
    """Changes one number of an object or of one of its vectors."""
    odd = random.choice((0, 1, 2, 3, 7, 127, -1, -128, 1 << 30))
    names = [
        name
        for name, value in vars(holder).items()
        if isinstance(value, int)
        or (isinstance(value, np.ndarray) and value.size)
    ]
    if not names:
        return
    name = random.choice(names)
    value = getattr(holder, name)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value[random.randrange(value.size)] = np.array(odd).astype(value.dtype)
        odd = value
    setattr(holder, name, odd)


def _damaged_json(random, content, others):
    """Returns a JSON file in which one value is changed."""
    root = [json.loads(content)]
    holder, key = root, 0
    while isinstance(holder[key], (list, dict)) and holder[key]:
        if random.random() < 0.2:
            break
        holder = holder[key]
        keys = holder if isinstance(holder, dict) else range(len(holder))
        key = random.choice([*keys])
    if random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = random.choice(_ODD)
    return json.dumps(root[0] if root else None).encode()


_ODD = (
    None,
    True,
    0,
    -1,
    1e308,
    10**30,
    float("nan"),
    "",
    "../a",
    [],
    {},
    [[]],
)


# Files to damage.


def _image():
    pixels = np.arange(_SIDE * _SIDE * 3).reshape(_SIDE, _SIDE, 3) * 37
    return (pixels % 256).astype(np.uint8)


def _images(format, *modes):
    def seeds(folder):
        import PIL.Image

        made = []
        for mode in ("RGB", "L", *modes):
            file = io.BytesIO()
            image = PIL.Image.fromarray(_image()).convert(mode)
            image.save(file, format)
            made.append(file.getvalue())
        return made

    return seeds


def _deep(suffix, format):
    def seeds(folder):
        from issp_keras import data

        path = folder / f"deep{suffix}"
        data.write_photograph(path, _image().astype(np.uint16) * 257)
        return [path.read_bytes(), *_images(format)(folder)]

    return seeds


def _network():
    import keras

    from issp_keras import models

    keras.utils.set_random_seed(0)
    model = models.edsr(scale=2, features=4, blocks=1)
    for variable in model.trainable_variables:
        values = variable.numpy()
        values[np.abs(values) < 0.1] = 0
        variable.assign(values)
    return model


def _keras_files(folder):
    path = folder / "model.keras"
    _network().save(path)
    return [path.read_bytes()]


@functools.cache
def _tflite_files(folder):
    from issp_keras.tflite import export

    made = []
    for precision in ("float32", "float16", "int8"):
        for sparse in (False, True):
            path = folder / "model.tflite"
            export(_network(), path, precision, sparse, tolerance=99)
            made.append(path.read_bytes())
    return made


def _checkpoints(folder):
    from issp_keras import models

    path = folder / "model.pth"
    models.to_torch(_network(), path)
    return [path.read_bytes()]


def _indices(folder):
    return [(_prepared(folder) / "index.json").read_bytes()]


def _prepared(folder):
    """A folder with one photograph, as `issp prepare` makes it."""
    from issp_keras.data import Pair
    from issp_keras.data import prepare

    made = folder / "prepared"
    if not made.exists():
        pair = Pair("a", _image()[::2, ::2], _image())
        prepare([lambda: pair], 2, made)
    return made


def _results(folder):
    from issp_keras.programs import configuration

    training = _training(folder)
    result = {
        "name": training.name,
        "seed": training.seed,
        "settings": configuration.digest(training.config),
        "outcome": "finished",
        "steps": 10,
        "weights": 9,
        "non_zeros": 3,
        "cpu_seconds": 1.0,
        "channels": "y",
        "scores": {"set5": {"psnr": 30.0, "ssim": 0.9}},
    }
    return [json.dumps(result).encode()]


def _configs(folder):
    from issp_keras.configs import edsr_small
    from issp_keras.configs import quickstart
    from issp_keras.configs import recipe_search
    from issp_keras.configs import swinir_light

    search = recipe_search.get_config()
    trainings = [search.training] + [
        _merged(search.training, of) for of in search.trainings.values()
    ]
    configs = (quickstart, edsr_small, swinir_light)
    return [
        of.to_json_best_effort().encode()
        for of in [module.get_config() for module in configs] + trainings
    ]


def _workdirs(folder):
    """The `config.json` of a training."""
    from issp_keras.configs import quickstart

    return [quickstart.get_config().to_json_best_effort(indent=2).encode()]


def _merged(config, changes):
    from ml_collections import ConfigDict

    merged = ConfigDict(config.to_dict())
    with merged.unlocked():
        merged.update(changes.to_dict())
    return merged


def _training(folder):
    from issp_keras.configs import quickstart
    from issp_keras.programs.trainings import Training

    return Training("a", 1, quickstart.get_config(), folder, {"set5": []})


# Readers.


def _read_image(path):
    from issp_keras import data

    data.read_photograph(path)


def _read_network(path):
    from issp_keras.inference import load_network

    load_network(path).upscale(_image())


def _run_sparse(path):
    from issp_keras.inference import load_network

    load_network(path, delegate="sparse").upscale(_image())


def _inspect(path):
    from issp_keras import tflite

    str(tflite.inspect(path))


def _encode(path):
    from issp_keras import tflite

    tflite.encode_sparse(path, path.with_name("encoded.tflite"))


def _read_checkpoint(path):
    from issp_keras import models

    models.from_torch(path)


def _read_index(path):
    from issp_keras.data import open_prepared

    folder = _prepared(path.parent)
    (folder / "index.json").write_bytes(path.read_bytes())
    for pair in open_prepared(folder, 2):
        pair.hr[:, :].sum()


def _read_result(path):
    from issp_keras.programs.results import table

    folder = path.with_name("training")
    folder.mkdir(exist_ok=True)
    (folder / "result.json").write_bytes(path.read_bytes())
    result = _training(folder).result()
    if result is not None:
        table([result])


def _check_config(path):
    """Reads a config, as if flags had set its entries."""
    from ml_collections import ConfigDict

    from issp_keras.errors import InputError
    from issp_keras.programs import configuration

    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError("no config") from error
    if not isinstance(content, dict):
        raise InputError("no config")
    config = ConfigDict(content)
    configuration.check(config)
    configuration.check_network(config)
    configuration.sparse_training(config)
    configuration.simulated_int8(config)
    configuration.optimizer(config)
    configuration.digest(config)


def _check_workdir(path):
    from issp_keras.configs import quickstart
    from issp_keras.programs import configuration

    configuration.check_same(quickstart.get_config(), path)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of file, and its reader.

    Attributes:
        suffix: String, the ending of its name.
        seeds: Callable that takes a folder, and returns a list of bytes.
        read: Callable that takes a path.
        ways: Tuple of callables that damage a file, like `damaged`.
    """

    suffix: str
    seeds: Callable
    read: Callable
    ways: tuple[Callable, ...] = (damaged,)


_TFLITE = (damaged, _damaged_flatbuffer)
KINDS = {
    "png": Kind(
        ".png", _deep(".png", "PNG"), _read_image, (damaged, _damaged_png)
    ),
    "tiff": Kind(".tiff", _deep(".tiff", "TIFF"), _read_image),
    "jpeg": Kind(".jpg", _images("JPEG"), _read_image),
    "webp": Kind(".webp", _images("WEBP", "RGBA"), _read_image),
    "bmp": Kind(".bmp", _images("BMP"), _read_image),
    "prepared": Kind(".json", _indices, _read_index, (damaged, _damaged_json)),
    "result": Kind(".json", _results, _read_result, (damaged, _damaged_json)),
    "config": Kind(".json", _configs, _check_config, (_damaged_json,)),
    "workdir": Kind(
        ".json", _workdirs, _check_workdir, (damaged, _damaged_json)
    ),
    "pth": Kind(
        ".pth", _checkpoints, _read_checkpoint, (damaged, _damaged_zip)
    ),
    "keras": Kind(
        ".keras", _keras_files, _read_network, (damaged, _damaged_zip)
    ),
    "tflite": Kind(".tflite", _tflite_files, _read_network, _TFLITE),
    "tflite_delegate": Kind(".tflite", _tflite_files, _run_sparse, _TFLITE),
    "tflite_inspect": Kind(".tflite", _tflite_files, _inspect, _TFLITE),
    "tflite_encode": Kind(".tflite", _tflite_files, _encode, _TFLITE),
}


# The process that reads.


def work(jobs, folder):
    """Reads damaged files, and prints a line of JSON for each of them.

    Args:
        jobs: List of [kind, seed, first, last], numbers of files.
        folder: Path of a folder to write to.
    """
    with contextlib.redirect_stdout(sys.stderr):
        seeds = {name: _seeds(name, folder) for name, *_ in jobs}
        # A first call makes each reader import its libraries.
        for name, content in seeds.items():
            outcome(KINDS[name], content[0], folder)
    _limit_memory()
    _forget_peak()
    _say("ready")
    for name, seed, first, last in jobs:
        for number in range(first, last):
            content = make_file(name, seeds[name], seed, number)
            found = outcome(KINDS[name], content, folder)
            if _peak_bytes() > MOST_BYTES:
                sys.exit("more memory than 2 GB")
            _say([name, number, found])


def _seeds(name, folder):
    """Returns the contents to damage. The first process saves them for all."""
    from issp_keras import files

    kept = folder / "seeds" / name
    if not kept.exists():
        with files.replacing_folder(kept) as made:
            for number, content in enumerate(KINDS[name].seeds(folder)):
                (made / f"{number:03}").write_bytes(content)
    return [path.read_bytes() for path in sorted(kept.iterdir())]


def make_file(name, seeds, seed, number):
    """Returns the damaged file of a number. It is always the same."""
    chance = random.Random(f"{name} {seed} {number}")
    way = chance.choice(KINDS[name].ways)
    return way(chance, chance.choice(seeds), seeds)


def outcome(kind, content, folder):
    """Returns "taken", "refused", or what went wrong and where."""
    from issp_keras.errors import InputError

    path = folder / f"input{kind.suffix}"
    path.write_bytes(content)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            kind.read(path)
    except InputError as error:
        return "refused" if str(error).strip() else "an empty sentence"
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(at.filename).name}:{at.lineno}"
        return f"{type(error).__name__} at {where}"
    return "taken"


def _say(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _peak_bytes():
    """The most memory since `_forget_peak`.

    `getrusage` is no use: a process inherits the peak of its parent.
    """
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


def _forget_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def _limit_memory():
    """Limits how much more memory the process can get."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 2 * MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


# The process that watches.


class Watch:
    """Runs processes that read, one after the other.

    Args:
        keep: Path of the folder for files that cause findings, or None.
    """

    def __init__(self, keep=None):
        self.keep = keep
        self.counts = collections.defaultdict(collections.Counter)
        self.findings = []

    def run(self, jobs):
        """Lets processes read all files of jobs, like `work`."""
        jobs = [list(job) for job in jobs]
        with tempfile.TemporaryDirectory() as folder:
            while jobs:
                self._run_once(jobs, pathlib.Path(folder))
                while jobs and jobs[0][2] >= jobs[0][3]:
                    del jobs[0]

    def _run_once(self, jobs, folder):
        part = _first(jobs, _MOST_FILES)
        command = [sys.executable, __file__, "--work", json.dumps(part)]
        errors = folder / "stderr"
        with (
            errors.open("wb") as stderr,
            subprocess.Popen(
                [*command, str(folder)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                # `select` does not see lines that Python has read ahead.
                bufsize=0,
            ) as process,
        ):
            if _line(process, _START_SECONDS) != "ready":
                process.kill()
                raise RuntimeError(errors.read_text(errors="replace")[-2000:])
            for job, done in zip(jobs, part, strict=False):
                name, seed, first, last = done
                for number in range(first, last):
                    said = _line(process, MOST_SECONDS)
                    outcome = said[2] if said else self._end(process, errors)
                    if not said and _tflite_ends(name, folder):
                        outcome = TFLITE_ENDS
                    job[2] = number + 1
                    self._count(name, seed, number, outcome, folder)
                    if not said:
                        return

    def _end(self, process, errors):
        """Ends a process that prints no more. Returns what was wrong."""
        code = process.poll()
        if code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # It may be ending by itself.
                code = process.wait(1)
        if code is None:
            process.kill()
            return f"takes longer than {MOST_SECONDS} s"
        last = errors.read_text(errors="replace").strip().splitlines()[-1:]
        return " ".join([f"ends with {code}:", *last])

    def _count(self, name, seed, number, outcome, folder):
        self.counts[name][outcome] += 1
        if outcome in ("taken", "refused", TFLITE_ENDS):
            return
        self.findings.append(
            {"kind": name, "seed": seed, "number": number, "what": outcome}
        )
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            suffix = KINDS[name].suffix
            content = (folder / f"input{suffix}").read_bytes()
            (self.keep / f"{name}_{seed}_{number}{suffix}").write_bytes(content)


def _tflite_ends(name, folder):
    """Whether TFLite by itself crashes or hangs with the present file."""
    suffix = KINDS[name].suffix
    if suffix != ".tflite":
        return False
    path = folder / f"input{suffix}"
    command = [sys.executable, "-c", _TFLITE_ALONE, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode < 0


_TFLITE_ALONE = f"""
import sys
import numpy as np
from ai_edge_litert import interpreter as litert
try:
    stock = litert.Interpreter(sys.argv[1])
    (image,) = stock.get_input_details()
    stock.resize_tensor_input(image["index"], (1, {_SIDE}, {_SIDE}, 3))
    stock.allocate_tensors()
    shape = stock.get_input_details()[0]["shape"]
    stock.set_tensor(image["index"], np.zeros(shape, image["dtype"]))
    stock.invoke()
except Exception:
    pass
"""


def _first(jobs, most):
    """The first files of jobs, at most `most`."""
    part = []
    for name, seed, first, last in jobs:
        count = min(last - first, most)
        part.append([name, seed, first, first + count])
        most -= count
        if not most:
            break
    return part


def _line(process, seconds):
    """The next line of a process, read as JSON, or None if there is none."""
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    # The process writes whole lines at once.
    line = process.stdout.readline() if ready else b""
    return json.loads(line) if line.endswith(b"\n") else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", action="append", choices=[*KINDS])
    parser.add_argument("--inputs", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.work:
        jobs, folder = flags.work
        work(json.loads(jobs), pathlib.Path(folder))
        return
    watch = Watch(flags.keep)
    seconds = {}
    for name in flags.kind or KINDS:
        begin = time.perf_counter()
        watch.run([[name, flags.seed, 0, flags.inputs]])
        seconds[name] = round(time.perf_counter() - begin, 1)
        counts = watch.counts[name]
        print(f"{name}: {dict(counts)} in {seconds[name]} s", flush=True)
    if flags.output:
        made = {
            "inputs": flags.inputs,
            "seed": flags.seed,
            "seconds": seconds,
            "outcomes": watch.counts,
            "findings": watch.findings,
        }
        flags.output.write_text(json.dumps(made, indent=2) + "\n")
    sys.exit(bool(watch.findings))


if __name__ == "__main__":
    main()
