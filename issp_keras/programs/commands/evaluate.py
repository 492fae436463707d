"""Scores networks on photographs: PSNR, SSIM and seconds of each.

    issp evaluate -m model.keras
    issp evaluate -m model.keras --data=set5,set14 --data_dir=data
    issp evaluate -m model.keras -m model.tflite

--data takes test sets of the papers, folders in the layouts in common use,
with LR files or without, and 'embedded'. A border as wide as the scale is left
out, and Y is compared, as in most papers. --channels=rgb compares RGB, as the
ISS-P paper does for EDSR-L.

--output writes the same as JSON and, beside it, as CSV. --comparison writes a
picture: a crop of a photograph as LR, bicubic, the network's, and HR. --report
writes a page for a browser: the scores, and crops to compare. Photographs that
cannot be read are named at the end. With several --model, a table has a column
for each.
"""

import pathlib

from absl import flags

from issp_keras import files
from issp_keras.data import SUFFIXES
from issp_keras.errors import InputError
from issp_keras.metrics import CHANNELS
from issp_keras.programs import cli


def main(argv):
    flag = flags.FLAGS
    cli.no_argument(argv)
    cli.check_network()
    cli.check_photographs("data", flag.data, flag.data_dir)
    if len(flag.model) > 1:
        _check_several(flag)
    _check_outputs(flag.output, flag.comparison)
    cli.check_page("report", flag.report)
    cli.load("issp_keras.programs.evaluate").main(argv)


def _check_several(flag):
    for name in ("comparison", "report"):
        if getattr(flag, name):
            raise InputError(
                f"--{name}: shows one network, and there are "
                f"{len(flag.model)}; expected one --model."
            )
    if len({*flag.model}) < len(flag.model):
        raise InputError("--model: names a network twice.")


def _check_outputs(output, picture):
    """What is wrong with them must not show after all scores are made."""
    if output and output.lower().endswith(".csv"):
        raise InputError(
            f"--output: is {output}, expected the name of a JSON file; the "
            "CSV file is written beside it."
        )
    cli.check_output(output)
    cli.check_output(picture, *sorted(SUFFIXES), flag="comparison")
    for path in filter(None, (output, picture)):
        files.make_folder(pathlib.Path(path).parent)


def run():
    """Entry point of `issp evaluate`."""
    cli.define_network_flags()
    cli.define_data_flags()
    flags.DEFINE_enum(
        "channels",
        "y",
        CHANNELS,
        "What to compare: Y, as most papers do, or RGB.",
    )
    flags.DEFINE_string(
        "output",
        None,
        "JSON file to write the scores to, and a CSV beside it.",
        short_name="o",
    )
    flags.DEFINE_string(
        "comparison", None, "PNG file to write a side-by-side picture to."
    )
    cli.define_report_flag("the scores, and crops to compare")
    cli.run(main)


if __name__ == "__main__":
    run()
