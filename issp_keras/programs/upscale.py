"""Upscales photographs.

    issp-upscale photo.jpg
    issp-upscale --model=model.keras a.png b.tif --output=large
    issp-upscale --model=model.tflite --self_ensemble --compare photos
    issp-upscale --compare=photo.html photo.jpg

Takes files and folders: RGB, grey, palettes, transparency, 8 and 16 bits,
colour profiles kept, turned upright. Without `--model`, a small x4 network
that comes with issp_keras is used.

The result of `photo.jpg` is `photo_x4.png` beside it, that of the photographs
of a folder in a folder beside that one, `photos_x4`, or all in `--output`.

`--compare=photo.html` writes one page for a browser, in which a slider goes
over each photograph, bicubic interpolation on the left and the network on the
right. So that the page has no more than 15 MB, it shows the first 30
photographs, and of a large one the middle, at most 4 million pixels of the
result.
"""

import collections
import pathlib

import PIL.Image
from absl import flags

from issp_keras import files
from issp_keras.data import SUFFIXES
from issp_keras.data import imresize
from issp_keras.data import photographs_in
from issp_keras.data import read_photograph
from issp_keras.data import to_8_bits
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import BUNDLED
from issp_keras.pictures import before_and_after
from issp_keras.programs import cli
from issp_keras.programs.upscale_page import Comparisons


def main(argv):
    flag = flags.FLAGS
    sources = _sources(argv[1:])
    page = flag.compare if isinstance(flag.compare, str) else None
    _check_page(page, sources)
    network = cli.network()
    targets = _targets(sources, network.scale, flag.output)
    pictures = [
        _picture(target) if flag.compare is True else None for target in targets
    ]
    _check_no_overwriting(sources, targets, pictures)
    comparisons = Comparisons(len(sources), network.scale) if page else None
    for folder in {target.parent for target in targets}:
        files.make_folder(folder)
    failures = []
    with cli.progress_bar("Photographs", len(sources)) as progress:
        for i, paths in enumerate(zip(sources, targets, pictures, strict=True)):
            try:
                _upscale(
                    network,
                    *paths,
                    comparisons,
                    lambda done, total, i=i: progress(i + done / total),
                )
            except InputError as error:
                failures.append(str(error))
    if comparisons:
        facts = cli.facts(cli.network_threads(flag.model, flag.threads))
        cli.write_page(page, comparisons.page(flag.model, failures, facts))
    cli.check_failures(failures, len(sources))


def _sources(arguments):
    """All photographs, and the folder for which each is upscaled, if any."""
    sources, seen = {}, set()
    for argument in arguments:
        path = pathlib.Path(argument)
        if not argument:
            raise InputError("expected photographs. Received: an empty name")
        with blame(f"{argument}: cannot be read", OSError):
            is_folder = path.is_dir()
        for source in photographs_in(path) if is_folder else [path]:
            # Not twice, where a file and its folder are named.
            if source.resolve() not in seen:
                seen.add(source.resolve())
                sources[source] = path if is_folder else None
    if not sources:
        raise InputError(
            "expected one or more photographs or folders. Received: none"
        )
    return sources


def _targets(sources, scale, output):
    """Where the result of each photograph goes."""
    output = pathlib.Path(output) if output else None
    suffix = output.suffix.lower() if output and not output.is_dir() else ""
    if suffix in SUFFIXES:
        if len(sources) > 1:
            raise InputError(
                f"--output: is {output}, a file, and there are "
                f"{len(sources)} photographs; expected a folder."
            )
        return [output]
    if suffix in PIL.Image.registered_extensions():
        raise InputError(
            f"--output: is {output}, expected a folder or a file ending in "
            f"{', '.join(sorted(SUFFIXES))}."
        )
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


def _picture(target):
    return target.with_name(f"{target.stem}_compare.png")


def _check_no_overwriting(sources, targets, pictures):
    written = {source.resolve(): source for source in sources}
    for source, *made in zip(sources, targets, pictures, strict=True):
        for path in filter(None, made):
            other = written.setdefault(path.resolve(), path)
            if other is not path:
                raise InputError(
                    f"{path}: the result of {source} would overwrite it, and "
                    "it is a photograph to upscale or another result; "
                    "expected another --output."
                )


def _check_page(page, sources):
    cli.check_page("compare", page)
    if page and pathlib.Path(page).resolve() in {s.resolve() for s in sources}:
        raise InputError(
            f"--compare: {page}: is a photograph to upscale, expected another "
            "file."
        )


def _upscale(network, source, target, picture, comparisons, progress):
    photograph = read_photograph(source)
    pixels = network.upscale(photograph.pixels, progress)
    alpha = photograph.alpha
    if alpha is not None:
        alpha = imresize(alpha, network.scale)
    write_photograph(target, pixels, alpha, photograph.icc_profile)
    print(f"Wrote {target} ({pixels.shape[1]}x{pixels.shape[0]} pixels).")
    if picture:
        lr, sr = to_8_bits(photograph.pixels), to_8_bits(pixels)
        write_photograph(picture, before_and_after(lr, sr))
        print(f"Wrote {picture}.")
    if comparisons:
        comparisons.see(source, photograph, pixels)


def run():
    """Entry point of `issp-upscale`."""
    cli.define_network_flags(str(BUNDLED))
    flags.DEFINE_string(
        "output",
        None,
        "Image file to write, whose ending names the format, or folder.",
    )
    cli.define_compare_flag()
    cli.run(main)


if __name__ == "__main__":
    run()
