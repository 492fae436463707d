"""The command `issp export`."""

import dataclasses

from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.network import load
from issp_keras.programs import cli
from issp_keras.programs.commands.export import run
from issp_keras.tflite.benchmarking.latency import latencies

_HEADER = (
    "",
    "bytes",
    "gzip",
    "zip",
    "max error",
    "PSNR",
    "drop",
    "latency",
    "kernels sparse",
    "run sparse (ARM64)",
)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One line of the table.

    Attributes:
        name: String, precision and encoding.
        file: String, its path.
        bytes: Integer, its size.
        gzip_bytes: Integer, after gzip.
        zip_bytes: Integer, in an APK.
        floor_bytes: Float, a lower bound for the bytes of its constants.
        max_error: Float, the largest error of an output in 0..1.
        psnr: Float, PSNR in dB.
        drop: Float, PSNR in dB that it loses against the Keras model.
        latency_ms: Float, median wall time of one inference.
        sparse_kernels: Integer, number of kernels stored without zeros.
        kernels: Integer, number of all kernels.
        sparse_layers: Dict, how many layers stock XNNPACK runs sparse on each
            platform.
    """

    name: str
    file: str
    bytes: int
    gzip_bytes: int
    zip_bytes: int
    floor_bytes: float
    max_error: float
    psnr: float
    drop: float
    latency_ms: float
    sparse_kernels: int
    kernels: int
    sparse_layers: dict[str, int]


def main(argv):
    flag = flags.FLAGS
    network = load(argv[1])
    options = {
        "data": flag.data,
        "calibration": flag.calibration or None,
        "data_dir": flag.data_dir,
        "height": flag.height,
        "width": flag.width,
        "input": flag.input,
        "tolerance": flag.tolerance,
        "ranges": flag.ranges,
        "upsampling": flag.upsampling,
    }
    if flag.all:
        _write_all(network, options)
        return
    with cli.progress_bar("Exporting"):
        exported = network.export(
            flag.output, flag.precision, flag.sparse, **options
        )
    print(exported)


def _write_all(network, options):
    flag = flags.FLAGS
    stem = network.stem
    any_size = cli.image_size(flag.size)
    with cli.progress_bar("Exporting", 1) as progress:
        written, failures = network.export_all(progress=progress, **options)
    if written:
        height, width = written[0].inspection.size or any_size
        with cli.progress_bar("Timing", 1) as progress:
            times = latencies(
                [exported.inspection.path for exported in written],
                height,
                width,
                flag.rounds,
                flag.threads,
                progress,
            )
        rows = [
            _variant(exported, latency)
            for exported, latency in zip(written, times, strict=True)
        ]
        threads = "1 thread" if flag.threads == 1 else f"{flag.threads} threads"
        note = (
            f"PSNR (dB) is on {', '.join(flag.data)}. Drop is the loss against "
            "the Keras model, which has "
            f"{written[0].parity.keras_psnr:.2f} dB. Latency: median of "
            f"{flag.rounds} runs for an LR image of "
            f"{width}x{height} pixels, {threads}, this host."
        )
        _write_table(f"{stem}_variants", rows, note)
    if failures:
        raise InputError("\n  ".join(["some variants failed:", *failures]))


def _variant(exported, latency):
    about, parity = exported.inspection, exported.parity
    encoding = "sparse" if exported.sparse else "dense"
    return Variant(
        f"{exported.precision} {encoding}",
        about.path,
        about.bytes,
        about.gzip_bytes,
        about.zip_bytes,
        about.floor_bytes,
        parity.max_error,
        parity.psnr,
        parity.drop,
        latency,
        about.weights.sparse_kernels,
        about.weights.kernels,
        about.sparse_layers,
    )


def _write_table(stem, rows, note):
    cells = [
        [
            row.name,
            *(
                f"{size:,}"
                for size in (row.bytes, row.gzip_bytes, row.zip_bytes)
            ),
            f"{row.max_error:.1e}",
            f"{row.psnr:.2f}",
            f"{row.drop:z.3f}",
            f"{row.latency_ms:.1f} ms",
            f"{row.sparse_kernels} of {row.kernels}",
            str(row.sparse_layers["ARM64"]),
        ]
        for row in rows
    ]
    cli.print_table(_HEADER, cells)
    print(note)
    rows = [dataclasses.asdict(row) for row in rows]
    files.write_json(f"{stem}.json", {"note": note, "variants": rows})
    with files.replacing(f"{stem}.md") as partial:
        partial.write_text(cli.markdown_table(_HEADER, cells) + f"\n{note}\n")
    print(f"Wrote {stem}.json and {stem}.md.")


if __name__ == "__main__":
    run()
