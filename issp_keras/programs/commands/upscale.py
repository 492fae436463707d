"""Upscales photographs.

    issp upscale photo.jpg
    issp upscale -m model.keras a.png b.tif -o large
    issp upscale -m model.tflite -d sparse --self_ensemble photos
    issp upscale --compare=photo.html photo.jpg

Takes files and folders of photographs: RGB, grey or palette, with or without
transparency, 8 or 16 bits. It rotates photographs upright and keeps colour
profiles. Without --model, it uses a small network that comes with issp_keras;
`issp models` lists these networks.

The result of photo.jpg is photo_x4.png in the same folder. The results of the
folder photos are in the folder photos_x4 beside it. --output gives another
place for all results.

--compare=photo.html writes one page for a browser. A slider moves over each
photograph, with bicubic interpolation on the left and the network on the
right. To keep the page below 15 MB, it shows the first 30 photographs. Of a
large photograph it shows the middle, at most 4 million pixels of the result.
"""

from absl import flags

from issp_keras.errors import InputError
from issp_keras.inference import DEFAULT
from issp_keras.inference import name_for_scale
from issp_keras.programs import cli


def main(argv):
    flag = flags.FLAGS
    program, *paths = argv
    paths = [*flag.input, *paths]
    if flag.scale and not flags.FLAGS["model"].present:
        flag.model = name_for_scale(flag.scale)
    cli.check_network()
    _check(paths)
    cli.load("issp_keras.programs.upscale").main([program, *paths])


def _check(paths):
    if not paths:
        raise InputError(
            "expected one or more photographs or folders. Received: none"
        )
    for path in paths:
        if not path:
            raise InputError("expected photographs. Received: an empty name")
        cli.check_exists(path)


def run():
    """Entry point of `issp upscale`."""
    flags.DEFINE_multi_string(
        "input",
        [],
        "Photographs or folders, in addition to the arguments.",
        short_name="i",
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder for the results, or image file; its suffix sets the format.",
        short_name="o",
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Magnification; without --model, it chooses the network.",
        lower_bound=2,
        short_name="s",
    )
    cli.define_network_flags(DEFAULT)
    cli.define_compare_flag()
    cli.run(main, arguments={"PHOTOGRAPH...": "Files and folders."})


if __name__ == "__main__":
    run()
