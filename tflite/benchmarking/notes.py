"""The notes below the tables: what was measured, where and how."""

import datetime

from issp_keras import host
from issp_keras.tflite.benchmarking.adb import Device
from issp_keras.tflite.benchmarking.columns import short
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import labels
from issp_keras.version import __version__

_NOTE = (
    "PSNR (dB) and SSIM on Y: mean over {data}. Latency: {latency} of {runs} "
    "for an LR image of {width}x{height} pixels, {threads}, "
    "{where}. Init: time to load the file and to plan. "
    "First: time of the first inference. CPU: CPU time of {clock}. FPS and "
    "MP/s: images and megapixels per second at the HR size of "
    "{hr_width}x{hr_height}. Memory: growth of a separate process from before "
    "the file is loaded to after the first inference. "
    "Ratio: latency divided by the latency of {first}."
)
_PROTOCOL_NOTE = (
    "The protocol is {name}: one image after another, at least {rounds} "
    "images and {seconds:g} s for each row, and the p90 as the latency. The "
    "images are noise instead of its photographs. This is not an official "
    "result."
)


def settings_of(
    scale: int,
    rows: list[Row],
    protocol: Protocol,
    data: list[str],
    threads: int,
    device: Device | None = None,
) -> dict:
    """The settings and the machine of a benchmark.

    Args:
        scale: Integer, the magnification.
        rows: List of `Row`. The first one is that of bicubic interpolation.
        protocol: `Protocol`.
        data: List of strings, the test sets of PSNR and SSIM.
        threads: Integer.
        device: `Device`, or None for this host.
    """
    return {
        "data": data,
        "scale": scale,
        "lr_height": protocol.height,
        "lr_width": protocol.width,
        "rounds": protocol.rounds,
        "least_seconds": protocol.seconds,
        "protocol": protocol.name,
        "threads": threads,
        "target": "adb" if device else "host",
        "machine": device.describe() if device else host.describe(),
        "ratios_to": rows[1].file,
        "date": datetime.datetime.now(datetime.UTC).isoformat(" ", "seconds"),
        "issp_keras": __version__,
    }


def notes_of(
    settings: dict, rows: list[Row], protocol: Protocol, device: Device | None
) -> list[str]:
    """What was measured and how, and which row is the fastest.

    Args:
        settings: Dict, as a benchmark writes it.
        rows: List of `Row`. The first one is that of bicubic interpolation.
        protocol: `Protocol`.
        device: `Device`, or None for this host.
    """
    found = [_measured(settings, rows, protocol, device), _fastest(rows)]
    if protocol.name:
        found.append(_PROTOCOL_NOTE.format(**vars(protocol)))
    return found


def _measured(settings, rows, protocol, device):
    machine = settings["machine"]
    one = settings["threads"] == 1
    runs = sorted({row.timing.runs for row in rows[1:] if row.timing})
    return _NOTE.format(
        data=", ".join(settings["data"]),
        latency="median"
        if protocol.percent == 50
        else f"{protocol.percent}th percentile",
        runs="1 run" if runs == [1] else f"{' or '.join(map(str, runs))} runs",
        height=protocol.height,
        width=protocol.width,
        threads="1 thread" if one else f"{settings['threads']} threads",
        where=machine.get("model", "the device") if device else "this host",
        clock="the thread" if one else "all threads",
        hr_height=settings["scale"] * protocol.height,
        hr_width=settings["scale"] * protocol.width,
        first=labels(rows)[1],
    )


def _fastest(rows):
    timed = list(zip(labels(rows), rows, strict=True))[1:]
    name, best = min(timed, key=lambda of: of[1].latency_ms)
    return f"The fastest is {name}: {short(best.latency_ms)} ms."
