"""The program of `issp upscale`."""

import collections
import os
import pathlib

import PIL.Image
from absl import flags
from absl import logging

from issp_keras import files
from issp_keras.data import SUFFIXES
from issp_keras.data import photographs_in
from issp_keras.data import read_photograph
from issp_keras.data import to_8_bits
from issp_keras.data import write_photograph
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.errors import some_of
from issp_keras.inference import upscale_photograph
from issp_keras.programs import cli
from issp_keras.programs.commands.upscale import run


def main(argv):
    flag = flags.FLAGS
    sources = _sources(argv[1:])
    page = flag.compare if isinstance(flag.compare, str) else None
    _check_page(page, sources)
    _check_output(flag.output, sources)
    network = cli.network()
    if flag.scale not in (None, network.scale):
        raise InputError(
            f"--scale: is {flag.scale}, but the network {flag.model} "
            f"magnifies {network.scale} times."
        )
    targets = _targets(sources, network.scale, flag.output)
    pictures = [
        _picture(target) if flag.compare is True else None for target in targets
    ]
    _check_no_overwriting(sources, targets, pictures)
    comparisons = _comparisons(len(sources), network) if page else None
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
    """Returns a dict from photographs to the folder that lists each, or None.

    The value is None for a photograph that is an argument itself.
    """
    sources, seen = {}, set()
    for argument in arguments:
        path = pathlib.Path(argument)
        with blame(f"{argument}: cannot be read", OSError):
            is_folder = path.is_dir()
        photographs = photographs_in(path) if is_folder else [path]
        if is_folder:
            _tell_skipped(path, photographs)
        for source in photographs:
            # Skip a photograph that is given twice, as file and in a folder.
            if _real(source) not in seen:
                seen.add(_real(source))
                sources[source] = path if is_folder else None
    return sources


def _tell_skipped(folder, photographs):
    """Names the files of a folder that are not upscaled."""
    skipped = [
        path.name
        for path in sorted({*folder.iterdir()} - {*photographs})
        if path.is_file() and not path.name.startswith(".")
    ]
    if skipped:
        logging.warning(
            "%s: skipped %s; expected files ending in %s.",
            folder,
            some_of(skipped),
            ", ".join(sorted(SUFFIXES)),
        )


def _real(path):
    """A path without links. Unlike `Path.resolve`, it takes loops of links."""
    return pathlib.Path(os.path.realpath(path))


def _check_output(output, sources):
    """Checks `--output` before the network is loaded."""
    suffix = _file_suffix(output)
    if suffix in SUFFIXES and len(sources) > 1:
        raise InputError(
            f"--output: is {output}, a file, but there are {len(sources)} "
            "photographs; expected a folder."
        )
    is_image = suffix in PIL.Image.registered_extensions()
    if is_image and suffix not in SUFFIXES:
        raise InputError(
            f"--output: is {output}, expected a folder or a file ending in "
            f"{', '.join(sorted(SUFFIXES))}."
        )


def _file_suffix(output):
    """Returns the suffix of `--output`; empty for a folder."""
    if not output or pathlib.Path(output).is_dir():
        return ""
    return pathlib.Path(output).suffix.lower()


def _targets(sources, scale, output):
    """Returns the path of the result of each photograph."""
    is_file = _file_suffix(output) in SUFFIXES
    output = pathlib.Path(output) if output else None
    if is_file:
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
    folder = _real(folder)
    return folder.with_name(f"{folder.name}_x{scale}")


def _comparisons(count, network):
    # Imported here, since most calls make no page.
    from issp_keras.programs.upscale_page import Comparisons

    return Comparisons(count, network.scale)


def _picture(target):
    return target.with_name(f"{target.stem}_compare.png")


def _check_no_overwriting(sources, targets, pictures):
    written = {_real(source): source for source in sources}
    for source, *made in zip(sources, targets, pictures, strict=True):
        for path in filter(None, made):
            other = written.setdefault(_real(path), path)
            if other is not path:
                raise InputError(
                    f"{path}: the result of {source} would overwrite this "
                    "file, which is a photograph to upscale or another "
                    "result; expected another --output."
                )


def _check_page(page, sources):
    cli.check_page("compare", page)
    if page and _real(page) in {_real(source) for source in sources}:
        raise InputError(
            f"--compare: {page}: is a photograph to upscale, expected another "
            "file."
        )


def _upscale(network, source, target, picture, comparisons, progress):
    photograph = read_photograph(source)
    made = upscale_photograph(network, photograph, progress)
    pixels = made.pixels
    write_photograph(target, pixels, made.alpha, made.icc_profile)
    print(f"Wrote {target} ({pixels.shape[1]}x{pixels.shape[0]} pixels).")
    if picture:
        from issp_keras.pictures import before_and_after

        lr, sr = to_8_bits(photograph.pixels), to_8_bits(pixels)
        write_photograph(picture, before_and_after(lr, sr))
        print(f"Wrote {picture}.")
    if comparisons:
        comparisons.see(source, photograph, pixels)


if __name__ == "__main__":
    run()
