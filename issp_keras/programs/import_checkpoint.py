"""Makes a Keras model of an official PyTorch checkpoint.

    issp-import SwinIR-light-x4.pth model.keras

Network and sizes are found from the checkpoint, which is of EDSR, RCAN,
SwinIR, CAT, ECBSR, ABPN, FSRCNN or DIPNet. No code from it is run, and PyTorch
is not needed.
"""

import pathlib

from absl import flags

from issp_keras import files
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.programs import cli


def main(argv):
    source, target = map(
        pathlib.Path, cli.arguments(argv, "a .pth file", "a .keras file")
    )
    if target.suffix != ".keras":
        raise InputError(f"{target}: expected a name that ends in .keras.")
    given = _given(flags.FLAGS)
    # An argument of another network.
    causes = (TypeError,) if given else ()
    with blame(" and ".join(f"--{name}" for name in given), *causes):
        model = models.from_torch(source, **given)
    with files.replacing(target) as partial:
        model.save(partial)
    print(
        f"Wrote {target}: {model.name} with {model.count_params():,} "
        "parameters."
    )


def _given(flag):
    """What the flags say of the network, as arguments."""
    given = {}
    if flag.residual_scale is not None:
        given["residual_scale"] = flag.residual_scale
    if flag.scale is not None:
        given["scale"] = flag.scale
    if flag.windows is not None:
        with blame("--windows: expected whole numbers", ValueError):
            given["windows"] = tuple((int(n), None) for n in flag.windows)
    return given


def run():
    """Entry point of `issp-import`."""
    flags.DEFINE_float(
        "residual_scale",
        None,
        "Factor of the residuals of an EDSR, which a checkpoint does not show.",
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Magnification of an FSRCNN, which a checkpoint does not show.",
    )
    flags.DEFINE_list(
        "windows",
        None,
        "Width of the windows of each group of a CAT-A that was saved without "
        "masks, such as 2,2,2,4,4,4.",
    )
    cli.run(main)


if __name__ == "__main__":
    run()
