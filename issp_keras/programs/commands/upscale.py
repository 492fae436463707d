"""Upscales photographs.

    issp upscale photo.jpg
    issp upscale -m model.keras a.png b.tif -o large
    issp upscale -m model.tflite -d sparse --self_ensemble photos
    issp upscale --compare=photo.html photo.jpg

Takes files and folders: RGB, grey, palettes, transparency, 8 and 16 bits,
colour profiles kept, turned upright. Without --model, a small network that
comes with issp_keras is used; `issp models` lists these.

The result of photo.jpg is photo_x4.png beside it. The results of a folder are
in a folder beside that one, photos_x4. --output names another place for all.

--compare=photo.html writes one page for a browser, in which a slider goes over
each photograph, bicubic interpolation on the left and the network on the
right. So that the page has no more than 15 MB, it shows the first 30
photographs, and of a large one the middle, at most 4 million pixels of the
result.
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
        "Photographs or folders, as without a flag.",
        short_name="i",
    )
    flags.DEFINE_string(
        "output",
        None,
        "Image file to write, whose ending names the format, or folder.",
        short_name="o",
    )
    flags.DEFINE_integer(
        "scale",
        None,
        "Magnification. Without --model, it chooses the network.",
        lower_bound=2,
        short_name="s",
    )
    cli.define_network_flags(DEFAULT)
    cli.define_compare_flag()
    cli.run(main, arguments={"PHOTOGRAPH...": "Files, and folders of them."})


if __name__ == "__main__":
    run()
