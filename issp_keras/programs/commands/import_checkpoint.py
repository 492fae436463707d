"""Makes a Keras network of an official PyTorch checkpoint.

    issp import SwinIR-light-x4.pth model.keras
    issp import EDSR_x4.pth model.keras --residual_scale=0.1

Network and sizes are found from the checkpoint, which is of EDSR, RCAN,
SwinIR, CAT, ECBSR, ABPN, FSRCNN or DIPNet. No code from it is run, and PyTorch
is not needed.
"""

import pathlib

from absl import flags

from issp_keras.errors import InputError
from issp_keras.programs import cli


def main(argv):
    source, target = cli.arguments(argv, "a .pth file", "a .keras file")
    if pathlib.Path(target).suffix != ".keras":
        raise InputError(f"{target}: expected a name that ends in .keras.")
    cli.check_file(source, "a .pth file")
    cli.load("issp_keras.programs.import_checkpoint").main(argv)


def run():
    """Entry point of `issp import`."""
    flags.DEFINE_float(
        "residual_scale",
        None,
        "Factor of the residuals of an EDSR, which a checkpoint does not show.",
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Magnification of an FSRCNN, which a checkpoint does not show.",
        short_name="s",
    )
    flags.DEFINE_list(
        "windows",
        None,
        "Width of the windows of each group of a CAT-A that was saved without "
        "masks, such as 2,2,2,4,4,4.",
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
