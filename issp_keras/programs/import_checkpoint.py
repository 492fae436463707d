"""The program of `issp import`."""

import pathlib

from absl import flags

from issp_keras import files
from issp_keras import models
from issp_keras.errors import blame
from issp_keras.programs.commands.import_checkpoint import run


def main(argv):
    source, target = map(pathlib.Path, argv[1:])
    given = _given(flags.FLAGS)
    # A TypeError means that the network does not have such an argument.
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
    """Returns the flags as arguments of the network."""
    given = {}
    if flag.residual_scale is not None:
        given["residual_scale"] = flag.residual_scale
    if flag.scale is not None:
        given["scale"] = flag.scale
    if flag.windows is not None:
        with blame("--windows: expected whole numbers", ValueError):
            given["windows"] = tuple((int(n), None) for n in flag.windows)
    return given


if __name__ == "__main__":
    run()
