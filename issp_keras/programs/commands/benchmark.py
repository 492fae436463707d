"""Compares TFLite files: quality, size and latency, here or on a phone.

    issp benchmark model_dense.tflite model_sparse.tflite --delegate=sparse
    issp benchmark model.tflite --output=results.json,results.png
    issp benchmark model.tflite --protocol=mlperf-mobile
    issp benchmark model.tflite --target=adb --benchmark_model=benchmark_model
    issp benchmark x4_fast x4_fast_int8 --delegate=sparse

Prints tables. Their first row is bicubic interpolation. --output writes the
tables to files; the suffix of a file makes it JSON, CSV, Markdown or a picture.
With --delegate, each file that the delegate supports has one row without it
and one row with it. --report writes a page for a browser with sortable tables
and plots.

--protocol=mlperf-mobile times the files as MLPerf Mobile does, from 960x540 to
1920x1080 pixels. --target=adb runs TFLite's benchmark_model, a binary for
Android, on a phone. It uses the fastest cores, waits until the phone has
cooled down, and removes its files from the phone. With --android_delegate, it
also times this delegate. Quality is always measured on this machine.

FILE may be the name of a network that comes with issp_keras, as in the last
example (`issp models` lists them).
"""

import pathlib

from absl import flags

from issp_keras.errors import InputError
from issp_keras.inference import network_path
from issp_keras.programs import cli
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS

FORMATS = (".json", ".csv", ".md", ".png")


def main(argv):
    flag = flags.FLAGS
    paths = [str(network_path(path)) for path in argv[1:]]
    if not paths:
        raise InputError("expected one or more .tflite files. Received: none")
    _check_outputs(flag.output)
    _check_protocol(flag)
    _check_target(flag)
    for path in paths:
        cli.check_file(path, "a .tflite file")
    cli.check_photographs("data", flag.data, flag.data_dir)
    cli.check_page("report", flag.report)
    cli.load("issp_keras.tflite.programs.benchmark").main([argv[0], *paths])


def _check_outputs(paths):
    """Checks the output files before the measurement."""
    for path in map(pathlib.Path, paths or ()):
        if path.suffix.lower() not in FORMATS:
            raise InputError(
                f"--output: is {path}, expected files ending in "
                f"{', '.join(FORMATS)}, separated by commas."
            )
        cli.check_output(path)


def _check_protocol(flag):
    if flag.protocol is None:
        cli.image_size(flag.size)
        return
    for name in ("size", "rounds"):
        if flags.FLAGS[name].present:
            raise InputError(
                f"--{name}: is given, but --protocol={flag.protocol} sets it."
            )


def _check_target(flag):
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
        return
    if flag.delegate:
        raise InputError(
            f"--delegate: is {flag.delegate}, but --target=adb needs "
            "--android_delegate, a build for the device."
        )
    if not flag.benchmark_model:
        raise InputError(
            "--benchmark_model: is not given, expected the path of TFLite's "
            "benchmark_model, built for the device's processor."
        )
    if flag.protocol and PROTOCOLS[flag.protocol].percent != 50:
        raise InputError(
            f"--protocol: is {flag.protocol}, which needs a 90th percentile, "
            "but benchmark_model does not report it. Expected --target=host."
        )


def run():
    """Entry point of `issp benchmark`."""
    flags.DEFINE_string(
        "delegate",
        None,
        "Also time a delegate: 'sparse' for the sparse delegate of issp_keras, "
        "which skips zeros, or the path of another delegate library.",
        short_name="d",
    )
    flags.DEFINE_enum(
        "protocol", None, list(PROTOCOLS), "A benchmark's sizes and runs."
    )
    flags.DEFINE_list(
        "output",
        None,
        "Files for the tables, separated by commas, ending in "
        f"{', '.join(FORMATS)}.",
        short_name="o",
    )
    cli.define_report_flag("the tables and plots")
    cli.define_data_flags()
    cli.define_latency_flags()
    flags.DEFINE_string(
        "target", "host", "host, adb, or adb:SERIAL for an Android device."
    )
    flags.DEFINE_string(
        "benchmark_model", None, "TFLite's benchmark_model for the device."
    )
    flags.DEFINE_string(
        "android_delegate", None, "A delegate library for the device."
    )
    flags.DEFINE_float(
        "cool_down", 10, "Seconds that the device rests before each run.", 0
    )
    cli.run(main, arguments={"FILE...": "The .tflite files."})


if __name__ == "__main__":
    run()
