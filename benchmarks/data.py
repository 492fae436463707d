"""Measures how fast training patches are made and photographs resized.

    python benchmarks/data.py --output=data.json

- patches: patches per second of 256x256 high-resolution (HR) and 64x64
  low-resolution (LR) pixels, in batches of 32, from photographs of 2040x1356
  pixels, the size of DIV2K. There are three cases: prepared photographs in
  memory (the page cache), through `tf.data` and through
  `keras.utils.PyDataset`; prepared photographs that are not in memory; and the
  way of BasicSR, which decodes the whole PNG files of LR and HR for each patch,
  in one thread per core. The photographs are mosaics of those in scikit-image.
- resize: a photograph of 2040x1356 pixels to a quarter and back, by
  `imresize` and by Pillow's bicubic filter, on one core.
"""

import os

# Use one core. NumPy reads this when it is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import concurrent.futures
import functools
import itertools
import pathlib
import statistics
import tempfile

from timing import run_parts
from timing import timed

# isort: split
import numpy as np
import PIL.Image
from absl import app
from absl import flags

from issp_keras import data

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 5, "Turns of each candidate.", lower_bound=1)
flags.DEFINE_multi_enum("only", None, ["patches", "resize"], "Parts, else all.")
flags.DEFINE_integer("photographs", 24, "How many.", lower_bound=1)
flags.DEFINE_integer("batches", 64, "Batches in a turn.", lower_bound=1)

HEIGHT, WIDTH = 1356, 2040
SCALE, PATCH, BATCH = 4, 64, 32
# Batches from the disk. There are few, because they fill the page cache.
FROM_DISK = 4


def mosaics(count):
    """Mosaics of 2K, put together from the photographs in scikit-image."""
    rng = np.random.default_rng(0)
    tiles = [
        data.to_rgb(photograph.read(1).hr)
        for split in ("train", "held_out")
        for photograph in data.find_source(data.EMBEDDED, split, 1)
    ]
    for _ in range(count):
        picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        places = itertools.product(range(0, HEIGHT, 339), range(0, WIDTH, 340))
        for y, x in places:
            tile = data.turn(tiles[rng.integers(len(tiles))], rng.integers(4))
            tile = np.pad(tile, ((0, 40), (0, 40), (0, 0)), "symmetric")
            top = rng.integers(tile.shape[0] - 339 + 1)
            left = rng.integers(tile.shape[1] - 340 + 1)
            picture[y : y + 339, x : x + 340] = tile[
                top : top + 339, left : left + 340
            ]
        yield picture


def patches(repeats, count, batches):
    """Patches per second of each way."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pairs = [
            data.make_pair(data.Photograph(f"{i:04}", picture), SCALE)
            for i, picture in enumerate(mosaics(count))
        ]
        for pair in pairs:
            PIL.Image.fromarray(pair.hr).save(folder / f"{pair.name}.png")
            PIL.Image.fromarray(pair.lr).save(folder / f"{pair.name}x4.png")
        readers = [functools.partial(_given, pair) for pair in pairs]
        data.prepare(readers, SCALE, folder / "prepared")
        prepared = data.RandomPatches(
            data.open_prepared(folder / "prepared", SCALE), PATCH, BATCH, 0
        )
        names = [pair.name for pair in pairs]
        del pairs, readers
        # Each turn uses new steps.
        steps = itertools.count()
        candidates = {
            "prepared, tf.data": lambda: _all(
                data.tf_patches(prepared, *_steps(steps, batches))
            ),
            "prepared, PyDataset": lambda: _all(
                data.PatchDataset(prepared, *_steps(steps, batches))
            ),
            "BasicSR's way": lambda: _whole_files(folder, names, next(steps)),
        }
        times = timed(candidates, repeats)
        # Separate from the others, because it empties the page cache.
        os.sync()
        candidates = {
            "prepared, tf.data, from the disk": lambda: _from_disk(
                folder / "prepared",
                data.tf_patches(prepared, *_steps(steps, FROM_DISK)),
            )
        }
        times |= timed(candidates, repeats)
    made = dict.fromkeys(times, batches * BATCH)
    made["prepared, tf.data, from the disk"] = FROM_DISK * BATCH
    made["BasicSR's way"] = BATCH
    result = {}
    for name, seconds in times.items():
        rates = [made[name] / wall for wall in seconds["wall"]]
        result[name] = {
            "patches_per_second": statistics.median(rates),
            "patches_per_cpu_second": statistics.median(
                made[name] / cpu for cpu in seconds["cpu"]
            ),
            "rates": rates,
        }
        print(f"{name}: {result[name]['patches_per_second']:.0f} patches/s")
    return result


def _from_disk(folder, batches):
    """Makes batches of files that are not in memory when it begins."""
    for path in folder.glob("*.bin"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
    _all(batches)


def _given(pair):
    return pair


def _steps(turns, batches):
    first = next(turns) * batches
    return first, first + batches


def _all(batches):
    for i, batch in zip(range(len(batches)), batches):
        del i, batch


def _whole_files(folder, names, step):
    """One batch. For each patch, two whole files are decoded."""
    rng = np.random.default_rng(step)

    def patch(name, y, x, which):
        lr, hr = (
            np.asarray(PIL.Image.open(folder / f"{name}{end}.png"))
            for end in ("x4", "")
        )
        y, x = (int(a * (b - PATCH)) for a, b in zip((y, x), lr.shape))
        lr = lr[y : y + PATCH, x : x + PATCH]
        y, x, size = SCALE * y, SCALE * x, SCALE * PATCH
        hr = hr[y : y + size, x : x + size]
        return [data.turn(a, which).astype(np.float32) / 255 for a in (lr, hr)]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        made = threads.map(
            patch,
            rng.choice(names, BATCH),
            *rng.random((2, BATCH)),
            rng.integers(8, size=BATCH),
        )
        return [np.stack(arrays) for arrays in zip(*made)]


def resize(repeats):
    """Milliseconds of CPU time of each way of resizing."""
    picture = next(mosaics(1))
    small = data.imresize(picture, 1 / SCALE)
    size = (WIDTH // SCALE, HEIGHT // SCALE)
    image, small_image = map(PIL.Image.fromarray, (picture, small))
    bicubic = PIL.Image.Resampling.BICUBIC
    candidates = {
        "to a quarter, imresize": lambda: data.imresize(picture, 1 / SCALE),
        "to a quarter, Pillow": lambda: image.resize(size, bicubic),
        "4 times larger, imresize": lambda: data.imresize(small, SCALE),
        "4 times larger, Pillow": lambda: small_image.resize(
            (WIDTH, HEIGHT), bicubic
        ),
    }
    result = {
        name: {
            "milliseconds": 1000 * statistics.median(seconds["cpu"]),
            "all": [1000 * cpu for cpu in seconds["cpu"]],
        }
        for name, seconds in timed(candidates, repeats).items()
    }
    for name, figures in result.items():
        print(f"{name}: {figures['milliseconds']:.1f} ms")
    return result


def main(argv):
    del argv
    flag = flags.FLAGS
    parts = {
        "patches": lambda: patches(
            flag.repeats, flag.photographs, flag.batches
        ),
        "resize": lambda: resize(flag.repeats),
    }
    run_parts(parts, flag.only, flag.output)


if __name__ == "__main__":
    app.run(main)
