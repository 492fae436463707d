"""The program of `issp prepare`."""

import functools
import itertools
import sys

from absl import flags

from issp_keras.data import Pair
from issp_keras.data import find_source
from issp_keras.data import prepare
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.extras import needed_by
from issp_keras.programs import cli
from issp_keras.programs.commands.prepare import run

_TFDS = "tfds:"


def main(argv):
    flag = flags.FLAGS
    *sources, folder = argv[1:]
    counts, readers = zip(
        *(_readers(source, flag.scale, flag.data_dir) for source in sources),
        strict=True,
    )
    total, failures = sum(counts), []
    careful = (
        functools.partial(_read, reader, failures)
        for reader in itertools.chain(*readers)
    )
    try:
        with cli.progress_bar("Photographs", total) as progress:
            prepare(careful, flag.scale, folder, progress)
    except InputError:
        # If all photographs fail, list the reason for each.
        cli.check_failures(sorted(failures), total)
        raise
    count = total - len(failures)
    print(f"Wrote {folder}: {count} photographs, x{flag.scale}.")
    cli.check_failures(sorted(failures), total)


def _read(reader, failures):
    """Calls `reader`. On an error, it adds to `failures` and returns None."""
    try:
        return reader()
    except InputError as error:
        failures.append(str(error))
        return None


def _readers(source, scale, data_dir):
    """Returns the number of photographs of a source, and their readers."""
    if source.startswith(_TFDS):
        return _tfds_readers(source.removeprefix(_TFDS), scale, data_dir)
    photographs = find_source(source, "train", scale, data_dir or "data")
    readers = (functools.partial(p.read, scale) for p in photographs)
    return len(photographs), readers


def _tfds_readers(name, scale, data_dir):
    import tensorflow_datasets as tfds

    # TFDS would draw its progress bars into files too.
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    import issp_keras.data.tfds  # noqa: F401, registers data sets

    with blame(f"{_TFDS}{name}", Exception), needed_by("TFDS"):
        try:
            rows, info = tfds.load(
                name, split="train", data_dir=data_dir, with_info=True
            )
        except AssertionError as error:
            # The message lists the files that users must add by hand.
            raise InputError(f"{_TFDS}{name}: {error}") from error
    rows = enumerate(tfds.as_numpy(rows))
    readers = (functools.partial(_pair, name, i, row, scale) for i, row in rows)
    return info.splits["train"].num_examples, readers


def _pair(name, number, row, scale):
    with blame(f"{_TFDS}{name}: number {number}", KeyError, TypeError):
        lr, hr = row["lr"], row["hr"]
    height, width = (scale * size for size in lr.shape[:2])
    if (height, width) != tuple(n - n % scale for n in hr.shape[:2]):
        raise InputError(
            f"{_TFDS}{name}: number {number} has LR of {lr.shape[1]}x"
            f"{lr.shape[0]} and HR of {hr.shape[1]}x{hr.shape[0]} pixels, "
            f"expected HR {scale} times larger."
        )
    return Pair(f"{number:06}", lr, hr[:height, :width])


if __name__ == "__main__":
    run()
