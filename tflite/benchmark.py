"""Compares TFLite files: quality, size and latency on this host.

    issp-benchmark model_dense.tflite model_sparse.tflite

Prints a table, beginning with bicubic interpolation, and writes it to
`--output` as JSON.
"""

import dataclasses
import pathlib
import statistics
import time

import numpy as np
from absl import flags

from issp_keras import cli
from issp_keras import files
from issp_keras.data import find_source
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import load_network
from issp_keras.scores import SMALLEST
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score
from issp_keras.tflite.inspect import inspect
from issp_keras.tflite.inspection import Weights


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: String, what is measured.
        psnr: Float, mean PSNR in dB on Y.
        ssim: Float, mean SSIM on Y.
        weights: `Weights`, or None for what is no network.
        bytes: Integer, size of the file.
        gzip_bytes: Integer, size of the file after gzip.
        latency_ms: Float, median wall time of one inference.
        file: String, the path of the file.
    """

    name: str
    psnr: float
    ssim: float
    weights: Weights | None = None
    bytes: int | None = None
    gzip_bytes: int | None = None
    latency_ms: float | None = None
    file: str | None = None


def latencies(
    paths: list, height: int, width: int, rounds: int, threads: int = 1
) -> list[float]:
    """Times `.tflite` files against each other on this host.

    The files run in turn, round by round, so that a machine that changes its
    speed changes it for all; one round before is not counted.

    Args:
        paths: Paths of the files.
        height: Integer, the LR height in pixels.
        width: Integer, likewise.
        rounds: Integer, at least 1.
        threads: Integer. Defaults to `1`.

    Returns:
        The median wall time of one inference in milliseconds, for each file.

    Raises:
        InputError: If a file takes images of another size only.
    """
    interpreters = [TFLiteInterpreter(path, threads) for path in paths]
    image = np.full((1, height, width, 3), 0.5, np.float32)
    for path, interpreter in zip(paths, interpreters, strict=True):
        if interpreter.size not in (None, (height, width)):
            raise InputError(
                f"{path}: takes {interpreter.size} pixels only, expected "
                f"({height}, {width}), the size to be timed at (--size)."
            )
        interpreter.set_input(image)
    times: list[list[float]] = [[] for _ in interpreters]
    for _ in range(rounds + 1):
        for interpreter, of in zip(interpreters, times, strict=True):
            start = time.perf_counter()
            interpreter.invoke()
            of.append(1000 * (time.perf_counter() - start))
    return [statistics.median(of[1:]) for of in times]


def benchmark(
    paths: list,
    sources: list[str],
    height=128,
    width=128,
    rounds=20,
    threads=1,
    data_dir="data",
) -> list[Row]:
    """Measures quality, size and latency of `.tflite` networks.

    Args:
        paths: Paths of the files.
        sources: List of strings as for `data.find_source`, for the scores.
        height: Integer, the LR height in pixels, for the latency.
        width: Integer, likewise.
        rounds: Integer, timed runs of each file.
        threads: Integer.
        data_dir: Path of the folder of test sets.

    Returns:
        A `Row` for bicubic interpolation, and one for each file.

    Raises:
        InputError: If a file is no network, the files differ in scale, or a
            photograph cannot be read.
    """
    networks = [load_network(path, threads) for path in paths]
    scale = networks[0].scale
    for path, network in zip(paths, networks, strict=True):
        if network.scale != scale:
            raise InputError(
                f"{path}: magnifies {network.scale} times, expected {scale} "
                f"as {paths[0]}."
            )
    pairs = [
        photograph.read(scale, SMALLEST)
        for source in sources
        for photograph in find_source(source, "held_out", scale, data_dir)
    ]
    medians = latencies(paths, height, width, rounds, threads)
    mean = mean_score(bicubic(scale), pairs)
    rows = [Row("bicubic", mean.psnr, mean.ssim)]
    for path, network, latency in zip(paths, networks, medians, strict=True):
        mean = mean_score(network.upscale, pairs)
        about = inspect(path)
        rows.append(
            Row(
                _name(about),
                mean.psnr,
                mean.ssim,
                about.weights,
                about.bytes,
                about.gzip_bytes,
                latency,
                str(path),
            )
        )
    return rows


def _name(about):
    return f"{'sparse' if about.weights.sparse_kernels else 'dense'} TFLite"


def _cells(rows):
    names = [row.name for row in rows]
    for row in rows:
        name = row.name
        if names.count(name) > 1:
            name += f" {pathlib.Path(row.file).stem}"
        cells = [name, f"{row.psnr:.2f}", f"{row.ssim:.4f}"]
        if row.weights is None:
            yield [*cells, "", "", "", ""]
            continue
        share = row.weights.nonzeros / row.weights.count
        yield [
            *cells,
            f"{row.weights.nonzeros:,} ({share:.0%})",
            f"{row.bytes / 1000:.1f} kB",
            f"{row.gzip_bytes / 1000:.1f} kB",
            f"{row.latency_ms:.1f} ms",
        ]


def main(argv):
    flag = flags.FLAGS
    paths = argv[1:]
    if not paths:
        raise InputError("expected one or more .tflite files. Received: none")
    height, width = cli.image_size(flag.size)
    rows = benchmark(
        paths,
        flag.data,
        height,
        width,
        flag.rounds,
        flag.threads,
        flag.data_dir,
    )
    cli.print_table(
        ["", "PSNR", "SSIM", "non-zeros", "file", "gzip", "latency"],
        list(_cells(rows)),
    )
    print(
        f"PSNR (dB) and SSIM on Y: mean over {', '.join(flag.data)}. Latency: "
        f"median of {flag.rounds} runs for an LR image of {width}x{height} "
        f"pixels, {flag.threads} thread(s), this host."
    )
    if flag.output:
        settings = {
            "data": flag.data,
            "lr_height": height,
            "lr_width": width,
            "rounds": flag.rounds,
            "threads": flag.threads,
        }
        rows = [dataclasses.asdict(row) for row in rows]
        files.write_json(flag.output, {"settings": settings, "rows": rows})
        print(f"Wrote {flag.output}.")


def run():
    """Entry point of `issp-benchmark`."""
    cli.define_data_flags()
    cli.define_latency_flags()
    flags.DEFINE_string("output", None, "JSON file to write the table to.")
    cli.run(main)


if __name__ == "__main__":
    run()
