"""Compares TFLite files: quality, size and latency, here or on a phone.

    issp-benchmark model_dense.tflite model_sparse.tflite --delegate=sparse

Prints tables, beginning with bicubic interpolation, and writes them to
`--output` as JSON, CSV, Markdown and a picture, as the names end:
`--output=results.json,results.png`. With `--delegate`, each file that the
delegate takes has a row without it and one with it. `--report` writes a page
for a browser: the tables, which can be sorted, and plots.

    issp-benchmark --protocol=mlperf-mobile model.tflite

times as MLPerf Mobile does, 960x540 to 1920x1080 pixels.

    issp-benchmark --target=adb model.tflite --benchmark_model=benchmark_model

runs TFLite's own `benchmark_model`, a binary for Android, on a phone, with
the fastest cores, after cooling down, and leaves nothing there; with
`--android_delegate` also with that delegate. Quality is measured here.
"""

import datetime
import pathlib

from absl import flags

import issp_keras
from issp_keras import files
from issp_keras import host
from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tflite.benchmarking import plots
from issp_keras.tflite.benchmarking.adb import Device
from issp_keras.tflite.benchmarking.benchmark import benchmark
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.phone import PhoneContest
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.programs import benchmark_report
from issp_keras.tflite.programs import tables
from issp_keras.tflite.programs.benchmark_notes import notes_of


def main(argv):
    flag = flags.FLAGS
    paths = argv[1:]
    if not paths:
        raise InputError("expected one or more .tflite files. Received: none")
    _check_outputs(flag.output)
    cli.check_page("report", flag.report)
    protocol = _protocol()
    device = _device(protocol)
    if device:
        contest = PhoneContest(
            device,
            paths,
            protocol,
            flag.benchmark_model,
            flag.android_delegate or None,
            flag.threads,
            flag.cool_down,
        )
    else:
        contest = Contest(paths, protocol, flag.threads, flag.delegate or None)
    for path in flag.output or ():
        files.make_folder(pathlib.Path(path).parent)
    with cli.progress_bar("Timing", 1) as progress:
        rows = benchmark(
            contest, flag.data, protocol, flag.threads, flag.data_dir, progress
        )
    settings = _settings(protocol, contest.scale, rows, device)
    first, *others = notes_of(settings, rows, protocol, device)
    notes = [first, *contest.notes, *others]
    result = tables.Result(settings, rows, notes)
    tables.show(result)
    for path in flag.output or ():
        tables.write(path, result)
        print(f"Wrote {path}.")
    if flag.report:
        facts = cli.facts(str(flag.threads))
        cli.write_page(flag.report, benchmark_report.page(result, facts))


def _check_outputs(paths):
    """What is wrong with them must not show after all is measured."""
    for path in map(pathlib.Path, paths or ()):
        if path.suffix.lower() not in tables.FORMATS:
            raise InputError(
                f"--output: is {path}, expected files ending in "
                f"{', '.join(tables.FORMATS)}, with commas between."
            )
        if path.suffix.lower() == ".png":
            plots.check_installed()
        if path.is_dir():
            raise InputError(f"{path}: is a folder, expected a file.")


def _protocol():
    flag = flags.FLAGS
    if flag.protocol is None:
        return Protocol(*cli.image_size(flag.size), flag.rounds)
    for name in ("size", "rounds"):
        if flags.FLAGS[name].present:
            raise InputError(
                f"--{name}: is given, but --protocol={flag.protocol} says it."
            )
    return PROTOCOLS[flag.protocol]


def _device(protocol):
    """The `Device` that `--target` names, or None for this host."""
    flag = flags.FLAGS
    kind, _, serial = flag.target.partition(":")
    if kind not in ("host", "adb") or (kind == "host" and serial):
        raise InputError(
            f"--target: is {flag.target}, expected host, adb or adb:SERIAL."
        )
    for name in ("benchmark_model", "android_delegate"):
        path = getattr(flag, name)
        if path and kind == "host":
            raise InputError(f"--{name}: {path}: is for --target=adb.")
        if path and not pathlib.Path(path).is_file():
            raise InputError(f"--{name}: {path}: no such file.")
    if kind == "host":
        return None
    if flag.delegate:
        raise InputError(
            f"--delegate: is {flag.delegate}, but --target=adb takes a build "
            "for the device, --android_delegate."
        )
    if not flag.benchmark_model:
        raise InputError(
            "--benchmark_model: is not given, expected TFLite's tool of that "
            "name, built for the device's processor."
        )
    if protocol.percent != 50:
        raise InputError(
            f"--protocol: is {protocol.name}, whose result benchmark_model "
            "does not tell: a 90th percentile. Expected --target=host."
        )
    return Device(serial or None)


def _settings(protocol, scale, rows, device):
    flag = flags.FLAGS
    return {
        "data": flag.data,
        "scale": scale,
        "lr_height": protocol.height,
        "lr_width": protocol.width,
        "rounds": protocol.rounds,
        "least_seconds": protocol.seconds,
        "protocol": protocol.name,
        "threads": flag.threads,
        "target": flag.target,
        "machine": device.describe() if device else host.describe(),
        "ratios_to": rows[1].file,
        "date": datetime.datetime.now(datetime.UTC).isoformat(" ", "seconds"),
        "issp_keras": issp_keras.__version__,
    }


def run():
    """Entry point of `issp-benchmark`."""
    cli.define_data_flags()
    cli.define_latency_flags()
    flags.DEFINE_string(
        "delegate",
        None,
        "'sparse' to time also the delegate that leaves out zeros, or the "
        "library of another one.",
    )
    flags.DEFINE_enum(
        "protocol", None, list(PROTOCOLS), "Sizes and runs as others ask."
    )
    flags.DEFINE_list(
        "output",
        None,
        "Files to write the tables to, with commas between: "
        f"{', '.join(tables.FORMATS)}.",
    )
    cli.define_report_flag("the tables and plots")
    flags.DEFINE_string(
        "target", "host", "host, adb, or adb:SERIAL for an Android device."
    )
    flags.DEFINE_string(
        "benchmark_model", None, "TFLite's tool, built for that device."
    )
    flags.DEFINE_string(
        "android_delegate", None, "A delegate library, built for that device."
    )
    flags.DEFINE_float(
        "cool_down", 10, "Seconds of rest of the device before each run.", 0
    )
    cli.run(main)


if __name__ == "__main__":
    run()
