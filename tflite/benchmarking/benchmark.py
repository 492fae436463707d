"""Measures quality, size and latency of `.tflite` files."""

from issp_keras.errors import ArgumentError
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.phone import PhoneContest
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import bicubic_row
from issp_keras.tflite.benchmarking.rows import network_row
from issp_keras.tflite.sources import pairs_of


def benchmark(
    contest: Contest | PhoneContest,
    data: list[str],
    protocol: Protocol,
    threads: int = 1,
    data_dir="data",
    progress=lambda done: None,
) -> list[Row]:
    """Measures quality, size and latency of `.tflite` networks.

    Args:
        contest: `Contest` or `PhoneContest`, which times them.
        data: List of strings as for `data.find_source`, for the scores.
        protocol: `Protocol` of the contest.
        threads: Integer, number of threads for the scores.
        data_dir: Path of the folder of test sets.
        progress: Callable that receives the share that is done. The timing
            is half of the work.

    Returns:
        A `Row` for bicubic interpolation, one for each file, and one for each
        file with the delegate, if the delegate takes any part of it.

    Raises:
        InputError: If a photograph cannot be read, or a device fails.
    """
    scale = contest.scale
    # Errors in the data must show before the timing, which takes long.
    pairs = pairs_of(data, "held_out", scale, data_dir)
    if not pairs:
        raise ArgumentError("data", "is empty, expected photographs.")
    entries = contest.measure(lambda done: progress(done / 2))
    hr_pixels = scale * scale * protocol.height * protocol.width
    rows = [bicubic_row(scale, pairs)]
    for i, entry in enumerate(entries):
        progress((1 + i / len(entries)) / 2)
        rows.append(
            network_row(
                entry,
                entries[0],
                pairs,
                hr_pixels,
                threads,
                protocol.percent,
            )
        )
    return rows
