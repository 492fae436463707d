"""Tables of the quality and the latency of networks."""

import dataclasses

from issp_keras.data import find_source
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.evaluation import check_scales
from issp_keras.evaluation import evaluate
from issp_keras.metrics import CHANNELS
from issp_keras.tables import Table
from issp_keras.tflite.benchmarking.benchmark import benchmark as measure
from issp_keras.tflite.benchmarking.columns import COLUMNS
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.notes import notes_of
from issp_keras.tflite.benchmarking.notes import settings_of
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import labels
from issp_keras.tflite.choices import check_choice

_SCORES = {
    "photograph": lambda row: row["photograph"],
    "data": lambda row: row["data"],
    "way": lambda row: row["way"],
    "PSNR": lambda row: f"{row['psnr']:.2f}",
    "SSIM": lambda row: f"{row['ssim']:.4f}",
    "seconds": lambda row: f"{row['seconds']:.2f}",
}


def evaluation(networks, data, channels, data_dir, progress) -> Table:
    """Does `LoadedNetwork.evaluate` for a dict of names to networks."""
    check_choice("channels", channels, CHANNELS)
    check_scales(networks)
    scale = next(iter(networks.values())).scale
    sources = {
        source: find_source(source, "held_out", scale, data_dir)
        for source in data
    }
    scores, failures = evaluate(
        {name: of._network for name, of in networks.items()},
        sources,
        channels,
        progress=progress,
    )
    rows = [
        {
            "data": source,
            "photograph": of.name,
            "way": way,
            "psnr": of.psnr,
            "ssim": of.ssim,
            "seconds": of.seconds,
        }
        for source, ways in scores.items()
        for same in zip(*ways.values(), strict=True)
        for way, of in zip(ways, same, strict=True)
    ]
    if not rows:
        raise InputError("\n  ".join(failures))
    note = (
        f"PSNR (dB) and SSIM on {channels.upper()}, without a border of "
        f"{scale} pixels; seconds on this host."
    )
    return Table(rows, _SCORES, [note, *failures])


def benchmark(
    paths, threads, delegate, size, rounds, protocol, data, data_dir, progress
) -> Table:
    """Does `LoadedNetwork.benchmark` for `.tflite` files."""
    asked = _protocol(size, rounds, protocol)
    contest = Contest(paths, asked, threads, delegate)
    rows = measure(contest, data, asked, threads, data_dir, progress)
    settings = settings_of(contest.scale, rows, asked, data, threads)
    first, *others = notes_of(settings, rows, asked, None)
    by_label = dict(zip(labels(rows), rows, strict=True))
    found = [
        {
            "label": label,
            **dataclasses.asdict(row),
            "sparsity": row.sparsity,
            "name": row.name,
        }
        for label, row in by_label.items()
    ]
    columns = {"": lambda row: row["label"]} | {
        head: lambda row, make=make: make(by_label[row["label"]])
        for head, make in COLUMNS.items()
    }
    return Table(found, columns, [first, *contest.notes, *others])


def _protocol(size, rounds, name):
    if name is not None:
        check_choice("protocol", name, PROTOCOLS)
        return PROTOCOLS[name]
    is_pair = isinstance(size, tuple | list) and len(size) == 2
    if not is_pair or not all(isinstance(n, int) and n > 0 for n in size):
        raise ArgumentError(
            "size",
            f"is {size!r}, expected LR height and width in pixels, such as "
            "(128, 128).",
        )
    if not isinstance(rounds, int) or rounds < 1:
        raise ArgumentError(
            "rounds", f"is {rounds!r}, expected a whole number of at least 1."
        )
    return Protocol(*size, rounds)
