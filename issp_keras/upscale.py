"""Upscales photographs.

    issp-upscale photo.jpg
    issp-upscale --model=model.keras a.png b.tif --output=large
    issp-upscale --model=model.tflite --self_ensemble --compare photos

Takes files and folders: RGB, grey, palettes, transparency, 8 and 16 bits,
colour profiles kept, turned upright. Without `--model`, a small x4 network
that comes with issp_keras is used.

The result of `photo.jpg` is `photo_x4.png` beside it, that of the photographs
of a folder in a folder beside that one, `photos_x4`, or all in `--output`.
"""

import collections
import pathlib

import numpy as np
from absl import flags

from issp_keras import cli
from issp_keras import files
from issp_keras.comparison import before_and_after
from issp_keras.data import imresize
from issp_keras.data import is_photograph
from issp_keras.data import photographs_in
from issp_keras.data import read_photograph
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.inference import BUNDLED


def main(argv):
    flag = flags.FLAGS
    sources = _sources(argv[1:])
    network = cli.network()
    targets = _targets(sources, network.scale, flag.output)
    _check_no_overwriting(sources, targets)
    failures = []
    with cli.progress_bar("Photographs", len(sources)) as progress:
        for i, (source, target) in enumerate(
            zip(sources, targets, strict=True)
        ):
            try:
                _upscale(
                    network,
                    source,
                    target,
                    lambda done, total, i=i: progress(i + done / total),
                )
            except InputError as error:
                failures.append(str(error))
    cli.check_failures(failures, len(sources))


def _sources(arguments):
    """All photographs, and the folder for which each is upscaled, if any."""
    sources = {}
    for argument in map(pathlib.Path, arguments):
        if argument.is_dir():
            sources |= dict.fromkeys(photographs_in(argument), argument)
        else:
            sources[argument] = None
    if not sources:
        raise InputError(
            "expected one or more photographs or folders. Received: none"
        )
    return sources


def _targets(sources, scale, output):
    """Where the result of each photograph goes."""
    output = pathlib.Path(output) if output else None
    if output and is_photograph(output) and not output.is_dir():
        if len(sources) > 1:
            raise InputError(
                f"--output: is {output}, a file, and there are "
                f"{len(sources)} photographs; expected a folder."
            )
        return [output]
    targets = [
        (output or _beside(source, folder, scale))
        / f"{source.stem}_x{scale}.png"
        for source, folder in sources.items()
    ]
    count = collections.Counter(targets)
    # a.png and a.jpg become a.png_x4.png and a.jpg_x4.png.
    return [
        target.with_name(f"{source.name}_x{scale}.png")
        if count[target] > 1
        else target
        for source, target in zip(sources, targets, strict=True)
    ]


def _beside(source, folder, scale):
    if folder is None:
        return source.parent
    folder = folder.resolve()
    return folder.with_name(f"{folder.name}_x{scale}")


def _check_no_overwriting(sources, targets):
    originals = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in originals:
            raise InputError(
                f"--output: names a photograph itself ({target}), expected "
                "another file or folder."
            )


def _upscale(network, source, target, progress):
    photograph = read_photograph(source)
    pixels = network.upscale(photograph.pixels, progress)
    alpha = photograph.alpha
    if alpha is not None:
        alpha = imresize(alpha, network.scale)
    files.make_folder(target.parent)
    write_photograph(target, pixels, alpha, photograph.icc_profile)
    print(f"Wrote {target} ({pixels.shape[1]}x{pixels.shape[0]} pixels).")
    if flags.FLAGS.compare:
        picture = target.with_name(f"{target.stem}_compare.png")
        lr, sr = _to_8_bits(photograph.pixels), _to_8_bits(pixels)
        write_photograph(picture, before_and_after(lr, sr))
        print(f"Wrote {picture}.")


def _to_8_bits(pixels):
    is_deep = pixels.dtype == np.uint16
    return (pixels // 256).astype(np.uint8) if is_deep else pixels


def run():
    """Entry point of `issp-upscale`."""
    cli.define_network_flags(str(BUNDLED))
    flags.DEFINE_string(
        "output",
        None,
        "Image file to write, whose ending names the format, or folder.",
    )
    flags.DEFINE_bool(
        "compare", False, "Also write a side-by-side picture of each."
    )
    cli.run(main)


if __name__ == "__main__":
    run()
