"""Converts an official PyTorch checkpoint to a Keras network.

    issp import SwinIR-light-x4.pth model.keras
    issp import EDSR_x4.pth model.keras --residual_scale=0.1

The command finds the network and its sizes in the checkpoint. It knows EDSR,
RCAN, SwinIR, CAT, ECBSR, ABPN, FSRCNN and DIPNet. It does not run code from the
checkpoint, and does not need PyTorch.
"""

import pathlib

from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.programs import cli


def main(argv):
    source, target = cli.arguments(argv, "a .pth file", "a .keras file")
    if pathlib.Path(target).suffix != ".keras":
        raise InputError(f"{target}: expected a name that ends in .keras.")
    cli.check_file(source, "a .pth file")
    files.make_folder(pathlib.Path(target).parent)
    cli.load("issp_keras.programs.import_checkpoint").main(argv)


def run():
    """Entry point of `issp import`."""
    flags.DEFINE_float(
        "residual_scale",
        None,
        "Residual scale of an EDSR; a checkpoint does not contain it.",
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Magnification of an FSRCNN; a checkpoint does not contain it.",
        short_name="s",
    )
    flags.DEFINE_list(
        "windows",
        None,
        "Window widths of the groups of a CAT-A, such as 2,2,2,4,4,4, if the "
        "checkpoint was saved without masks.",
    )
    cli.run(
        main,
        arguments={
            "CHECKPOINT": "The .pth file.",
            "MODEL": "The .keras file to write.",
        },
    )


if __name__ == "__main__":
    run()
