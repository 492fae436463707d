"""Scores networks on photographs: PSNR, SSIM and seconds.

    issp evaluate -m model.keras
    issp evaluate -m model.keras --data=set5,set14 --data_dir=data
    issp evaluate -m model.keras -m model.tflite

--data takes test sets of papers, folders of photographs, and 'embedded'. The
folders can have LR files in one of the common layouts. Missing LR images are
made by bicubic downscaling. As in most papers, the scores compare Y and leave
out a border as wide as the scale. --channels=rgb compares RGB, as the ISS-P
paper does for EDSR-L.

--output writes the scores to a JSON file and to a CSV file beside it.
--comparison writes a picture with a crop of a photograph: LR, bicubic, the
network's result, and HR. --report writes a page for a browser with the scores
and crops to compare. A list of the photographs that cannot be read comes at
the end. With several --model flags, a table has a column for each network.
"""

from absl import flags

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
                f"--{name}: shows one network, but there are "
                f"{len(flag.model)}; expected one --model."
            )
    if len({*flag.model}) < len(flag.model):
        raise InputError("--model: names a network twice.")


def _check_outputs(output, picture):
    """Checks the output files before the evaluation."""
    if output and output.lower().endswith(".csv"):
        raise InputError(
            f"--output: is {output}, expected the name of a JSON file; the "
            "CSV file is written beside it."
        )
    cli.check_output(output, ".json")
    cli.check_output(picture, *sorted(SUFFIXES), flag="comparison")


def run():
    """Entry point of `issp evaluate`."""
    cli.define_network_flags()
    cli.define_data_flags()
    flags.DEFINE_enum(
        "channels",
        "y",
        CHANNELS,
        "Compare Y, as in most papers, or RGB.",
    )
    flags.DEFINE_string(
        "output",
        None,
        "JSON file for the scores; a CSV file is written beside it.",
        short_name="o",
    )
    flags.DEFINE_string(
        "comparison", None, "PNG file for a side-by-side picture."
    )
    cli.define_report_flag("the scores and crops to compare")
    cli.run(main)


if __name__ == "__main__":
    run()
