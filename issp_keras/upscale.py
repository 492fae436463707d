"""Upscales a photograph.

    issp-upscale --model=model.keras photo.jpg

The result is written beside the photograph as `photo_x2.png`, or to
`--output`.
"""

import pathlib

from absl import flags

from issp_keras import cli
from issp_keras.data import read_photograph
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.inference import load_network


def main(argv):
    flag = flags.FLAGS
    source = pathlib.Path(*cli.arguments(argv, "a photograph"))
    photograph = read_photograph(source)
    network = load_network(flag.model, flag.threads)
    target = pathlib.Path(
        flag.output or source.with_name(f"{source.stem}_x{network.scale}.png")
    )
    if target.exists() and target.samefile(source):
        raise InputError(
            f"--output: names the photograph itself ({source}), expected "
            "another file."
        )
    pixels = network.upscale(photograph.pixels)
    write_photograph(target, pixels)
    print(f"Wrote {target} ({pixels.shape[1]}x{pixels.shape[0]} pixels).")


def run():
    """Entry point of `issp-upscale`."""
    cli.define_network_flags()
    flags.DEFINE_string(
        "output", None, "Image file to write; its ending names the format."
    )
    cli.run(main)


if __name__ == "__main__":
    run()
