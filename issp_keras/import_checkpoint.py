"""Makes a Keras model of an official PyTorch checkpoint.

    issp-import SwinIR-light-x4.pth model.keras

Network and sizes are found from the checkpoint, which is of EDSR, RCAN,
SwinIR or CAT. No code from it is run, and PyTorch is not needed.
"""

import pathlib

from absl import flags

from issp_keras import cli
from issp_keras import files
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.errors import blame


def main(argv):
    source, target = map(
        pathlib.Path, cli.arguments(argv, "a .pth file", "a .keras file")
    )
    if target.suffix != ".keras":
        raise InputError(f"{target}: expected a name that ends in .keras.")
    scale = flags.FLAGS.residual_scale
    given = {} if scale is None else {"residual_scale": scale}
    with blame("--residual_scale", TypeError):
        model = models.from_torch(source, **given)
    with files.replacing(target) as partial:
        model.save(partial)
    print(
        f"Wrote {target}: {model.name} with {model.count_params():,} "
        "parameters."
    )


def run():
    """Entry point of `issp-import`."""
    flags.DEFINE_float(
        "residual_scale",
        None,
        "Factor of the residuals of an EDSR, which a checkpoint does not show.",
    )
    cli.run(main)


if __name__ == "__main__":
    run()
