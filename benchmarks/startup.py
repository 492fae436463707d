"""Measures how long a command takes to answer.

    python benchmarks/startup.py --output=startup.json

Each command runs in its own process, in turns. It is timed from its start to
its end. The commands print help, report an error, or enlarge a small photograph
with a `.tflite` or a `.keras` network. For comparison, Python alone and the
import of Keras are timed too. The first turn may read from the disk, so it does
not count.
"""

import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import PIL.Image
from absl import app
from absl import flags

from issp_keras import files
from issp_keras import host
from issp_keras.inference import bundled_networks

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 7, "Turns of each command.", lower_bound=1)

ISSP = ["-m", "issp_keras.programs.issp"]
# LR pixels of the photograph.
SIDE = 64


def commands():
    """The commands by name. They run in a folder that `prepare` has filled."""
    upscale = [*ISSP, "upscale", "photo.png", "--output=large.png"]
    return {
        "python alone": ["-c", ""],
        "import keras": ["-c", "import keras"],
        "issp --help": [*ISSP, "--help"],
        "issp --version": [*ISSP, "--version"],
        "issp upscale --help": [*ISSP, "upscale", "--help"],
        "issp train --help": [*ISSP, "train", "--help"],
        "an unknown command": [*ISSP, "upscal"],
        "an unknown flag": [*ISSP, "upscale", "--modle=model.keras"],
        "a missing photograph": [*ISSP, "upscale", "no.png"],
        "a missing config": [*ISSP, "train", "--config=no", "--workdir=run"],
        "upscale, .tflite": [*upscale, "--model=model.tflite"],
        "upscale, .tflite, sparse delegate": [
            *upscale,
            "--model=model.tflite",
            "--delegate=sparse",
        ],
        "upscale, .keras": [*upscale, "--model=model.keras"],
    }


def prepare(folder):
    """Makes the photograph and the network."""
    PIL.Image.new("RGB", (SIDE, SIDE), "teal").save(folder / "photo.png")
    network = bundled_networks()[0]
    for file in (network.keras, network.tflite):
        shutil.copyfile(file, folder / f"model{file.suffix}")


def seconds(words, folder):
    """Wall time and CPU time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, check=False
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu}


def measure(folder, repeats):
    """The median times of each command. The commands take turns."""
    found = {name: [] for name in commands()}
    for turn in range(repeats + 1):
        for name, words in commands().items():
            one = seconds(words, folder)
            if turn:
                found[name].append(one)
    return {
        name: {
            f"{clock}_seconds": statistics.median(one[clock] for one in of)
            for clock in ("wall", "cpu")
        }
        for name, of in found.items()
    }


def main(argv):
    flag = flags.FLAGS
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        prepare(folder)
        figures = measure(folder, flag.repeats)
    for name, of in figures.items():
        print(
            f"{name:<36}{of['wall_seconds']:6.2f} s, "
            f"{of['cpu_seconds']:.2f} s of CPU"
        )
    result = {
        **host.describe(),
        "python": sys.version.split()[0],
        "repeats": flag.repeats,
        "commands": figures,
    }
    if flag.output:
        files.write_json(flag.output, result)


if __name__ == "__main__":
    app.run(main)
