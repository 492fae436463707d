"""The command `issp benchmark`."""

from absl import flags

from issp_keras.programs import cli
from issp_keras.programs.commands.benchmark import run
from issp_keras.tflite.benchmarking import plots
from issp_keras.tflite.benchmarking.adb import Device
from issp_keras.tflite.benchmarking.benchmark import benchmark
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.notes import notes_of
from issp_keras.tflite.benchmarking.notes import settings_of
from issp_keras.tflite.benchmarking.phone import PhoneContest
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.programs import benchmark_report
from issp_keras.tflite.programs import tables


def main(argv):
    flag = flags.FLAGS
    paths = argv[1:]
    if any(path.lower().endswith(".png") for path in flag.output or ()):
        plots.check_installed()
    protocol = _protocol()
    device = _device()
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
    with cli.progress_bar("Timing and scoring", 1) as progress:
        rows = benchmark(
            contest, flag.data, protocol, flag.threads, flag.data_dir, progress
        )
    settings = settings_of(
        contest.scale, rows, protocol, flag.data, flag.threads, device
    )
    settings["target"] = flag.target
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


def _protocol():
    flag = flags.FLAGS
    if flag.protocol is None:
        return Protocol(*cli.image_size(flag.size), flag.rounds)
    return PROTOCOLS[flag.protocol]


def _device():
    """The `Device` that `--target` names, or None for this host."""
    kind, _, serial = flags.FLAGS.target.partition(":")
    return Device(serial or None) if kind == "adb" else None


if __name__ == "__main__":
    run()
