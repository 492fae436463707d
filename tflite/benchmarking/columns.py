"""The columns of the tables of a benchmark."""

import functools

from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import labels

# How many layers of a profile are printed. The JSON file has all.
_SLOWEST = 10
_LONGEST = 48


def tables(rows: list[Row]) -> list[tuple[list[str], list[list[str]]]]:
    """The header and the cells of each table."""
    named = list(zip(labels(rows), rows, strict=True))
    timed = [(name, row) for name, row in named if row.timing]
    return [
        _table(_QUALITY, named),
        _table(_LATENCY, timed),
        _table(_SPEED, timed),
    ]


def profiles(rows: list[Row]) -> list[tuple[list[str], list[list[str]]]]:
    """Tables of the slowest layers, one for each row with a delegate.

    The fastest row is the first.
    """
    named = zip(labels(rows), rows, strict=True)
    profiled = [
        (name, row)
        for name, row in named
        if row.delegate and row.delegation and row.delegation.profile
    ]
    profiled.sort(key=lambda of: of[1].latency_ms or 0)
    return [_profile(name, row.delegation) for name, row in profiled]


def short(ms: float) -> str:
    """Milliseconds with three digits, or with one decimal from 100 ms on."""
    return f"{ms:.1f}" if ms >= 99.95 else f"{ms:#.3g}"


def _table(columns, named):
    return ["", *columns], [
        [name, *(_cell(make, row) for make in columns.values())]
        for name, row in named
    ]


def _cell(make, row):
    """The text of a cell, which is empty if a figure is missing."""
    try:
        return make(row)
    except (AttributeError, TypeError):
        return ""


_QUALITY = {
    "PSNR": lambda row: f"{row.psnr:.2f}",
    "SSIM": lambda row: f"{row.ssim:.4f}",
    "non-zeros": lambda row: (
        f"{row.weights.nonzeros:,} ({1 - row.sparsity:.0%})"
    ),
    "file": lambda row: f"{row.bytes / 1000:.1f} kB",
    "gzip": lambda row: f"{row.gzip_bytes / 1000:.1f} kB",
    "latency": lambda row: f"{short(row.latency_ms)} ms",
}
_LATENCY = {
    "init ms": lambda row: short(row.timing.init_ms),
    "first ms": lambda row: short(row.timing.first_ms),
    "p50 ms": lambda row: short(row.timing.p50_ms),
    "p90 ms": lambda row: short(row.timing.p90_ms),
    "p95 ms": lambda row: short(row.timing.p95_ms),
    "mean ms": lambda row: short(row.timing.mean_ms),
    "std ms": lambda row: short(row.timing.std_ms),
    "CPU ms": lambda row: short(row.timing.cpu_ms),
}
_SPEED = {
    "ratio": lambda row: f"{row.ratio:.2f}",
    "FPS": lambda row: f"{row.fps:.1f}",
    "MP/s": lambda row: f"{row.megapixels_per_second:.2f}",
    "memory": lambda row: f"{row.timing.memory_bytes / 1e6:.1f} MB",
    "delegated": lambda row: f"{row.delegation.nodes:d} nodes",
}


COLUMNS = {
    head: functools.partial(_cell, make)
    for head, make in {**_QUALITY, **_LATENCY, **_SPEED}.items()
}


def _profile(name, delegation):
    """The slowest layers of a delegate."""
    total = sum(layer.ms for layer in delegation.profile)
    slowest = sorted(delegation.profile, key=lambda layer: -layer.ms)
    has_blocks = any(layer.blocks is not None for layer in slowest)
    rows = [
        [
            layer.name.split(";")[0][-_LONGEST:],
            f"{layer.ms:.3f}",
            f"{layer.ms / total:.0%}" if total else "",
            "" if layer.nonzeros is None else f"{layer.nonzeros:,}",
            *[_blocks(layer)] * has_blocks,
            f"{layer.width}x{layer.height}" if layer.width else "",
        ]
        for layer in slowest[:_SLOWEST]
    ]
    blocks = ["blocks of 4"] * has_blocks
    return [name, "ms", "share", "non-zeros", *blocks, "pixels"], rows


def _blocks(layer):
    if layer.blocks is None:
        return ""
    return f"{layer.blocks:,} of {layer.dense_blocks:,}"
