"""Compares TFLite files: quality, size and latency, here or on a phone.

    issp benchmark model_dense.tflite model_sparse.tflite --delegate=sparse
    issp benchmark model.tflite --output=results.json,results.png
    issp benchmark model.tflite --protocol=mlperf-mobile
    issp benchmark model.tflite --target=adb --benchmark_model=benchmark_model

Prints tables, beginning with bicubic interpolation, and writes them to
--output as JSON, CSV, Markdown and a picture, as the names end. With
--delegate, each file that the delegate takes has a row without it and one with
it. --report writes a page for a browser: the tables, which can be sorted, and
plots.

--protocol=mlperf-mobile times as MLPerf Mobile does, 960x540 to 1920x1080
pixels. --target=adb runs TFLite's own benchmark_model, a binary for Android,
on a phone, with the fastest cores, after cooling down, and leaves nothing
there; with --android_delegate also with that delegate. Quality is measured
here.
"""

import pathlib

from absl import flags

from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS

FORMATS = (".json", ".csv", ".md", ".png")


def main(argv):
    flag = flags.FLAGS
    paths = argv[1:]
    if not paths:
        raise InputError("expected one or more .tflite files. Received: none")
    _check_outputs(flag.output)
    _check_protocol(flag)
    _check_target(flag)
    for path in paths:
        cli.check_file(path, "a .tflite file")
    cli.check_photographs("data", flag.data, flag.data_dir)
    cli.check_page("report", flag.report)
    cli.load("issp_keras.tflite.programs.benchmark").main(argv)


def _check_outputs(paths):
    """What is wrong with them must not show after all is measured."""
    for path in map(pathlib.Path, paths or ()):
        if path.suffix.lower() not in FORMATS:
            raise InputError(
                f"--output: is {path}, expected files ending in "
                f"{', '.join(FORMATS)}, with commas between."
            )
        cli.check_output(path)


def _check_protocol(flag):
    if flag.protocol is None:
        cli.image_size(flag.size)
        return
    for name in ("size", "rounds"):
        if flags.FLAGS[name].present:
            raise InputError(
                f"--{name}: is given, but --protocol={flag.protocol} says it."
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
            f"--delegate: is {flag.delegate}, but --target=adb takes a build "
            "for the device, --android_delegate."
        )
    if not flag.benchmark_model:
        raise InputError(
            "--benchmark_model: is not given, expected TFLite's tool of that "
            "name, built for the device's processor."
        )
    if flag.protocol and PROTOCOLS[flag.protocol].percent != 50:
        raise InputError(
            f"--protocol: is {flag.protocol}, whose result benchmark_model "
            "does not tell: a 90th percentile. Expected --target=host."
        )


def run():
    """Entry point of `issp benchmark`."""
    flags.DEFINE_string(
        "delegate",
        None,
        "'sparse' to time also the delegate that leaves out zeros, or the "
        "library of another one.",
        short_name="d",
    )
    flags.DEFINE_enum(
        "protocol", None, list(PROTOCOLS), "Sizes and runs as others ask."
    )
    flags.DEFINE_list(
        "output",
        None,
        "Files to write the tables to, with commas between: "
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
        "benchmark_model", None, "TFLite's tool, built for that device."
    )
    flags.DEFINE_string(
        "android_delegate", None, "A delegate library, built for that device."
    )
    flags.DEFINE_float(
        "cool_down", 10, "Seconds of rest of the device before each run.", 0
    )
    cli.run(main, arguments={"FILE...": "The .tflite files."})


if __name__ == "__main__":
    run()
