"""Photographs from files, and those that come with scikit-image."""

import dataclasses
import pathlib
import re

import numpy as np
import PIL.Image
import PIL.ImageOps

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame

EMBEDDED = "embedded"

# Photographs in scikit-image's wheel; all are in the public domain or CC0.
_EMBEDDED = {
    "train": (
        "astronaut.png",
        "brick.png",
        "camera.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "retina.jpg",
    ),
    "held_out": (
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
    ),
}
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A photograph in memory.

    Attributes:
        name: String, the file name without its ending.
        pixels: uint8 array of shape (height, width, 3), or (height, width)
            for a grey photograph.
    """

    name: str
    pixels: np.ndarray


def load_photographs(
    source: str, split: str, smallest: int = 1
) -> list[Photograph]:
    """Loads photographs for training or for a score.

    Args:
        source: "embedded" for photographs that scikit-image ships, else the
            path of a folder with image files.
        split: "train" or "held_out": which of the embedded ones. A folder is
            read whole.
        smallest: Integer, the least height and width in pixels.

    Returns:
        List of `Photograph`, sorted by file name.

    Raises:
        InputError: If the folder does not exist or holds no image, if a file
            cannot be read, or if a photograph is too small.
    """
    folder = pathlib.Path(source)
    if source == EMBEDDED:
        paths = [_embedded_folder() / name for name in _EMBEDDED[split]]
    elif folder.is_dir():
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in _SUFFIXES
        )
    else:
        raise InputError(
            f"{source}: no such folder (expected a folder with photographs, "
            f"or '{EMBEDDED}')."
        )
    if not paths:
        raise InputError(
            f"{source}: holds no photograph (expected files ending in "
            f"{', '.join(sorted(_SUFFIXES))})."
        )
    photographs = [read_photograph(path) for path in paths]
    for path, photograph in zip(paths, photographs, strict=True):
        height, width = photograph.pixels.shape[:2]
        if min(height, width) < smallest:
            raise InputError(
                f"{path}: is {width}x{height} pixels, expected at least "
                f"{smallest}x{smallest}."
            )
    return photographs


def read_photograph(path) -> Photograph:
    """Reads an 8-bit photograph, turned upright, in RGB or grey.

    Raises:
        InputError: If the file is missing, broken, not an image, has more
            than 8 bits a channel, or is in part transparent.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    unreadable = (
        OSError,
        SyntaxError,
        ValueError,
        PIL.Image.DecompressionBombError,
    )
    with (
        blame(f"{path}: cannot be read as a photograph", *unreadable),
        PIL.Image.open(path) as file,
    ):
        _check_8_bit(file, path)
        image = PIL.ImageOps.exif_transpose(file)
        image.load()
    return Photograph(path.stem, np.asarray(_to_rgb_or_grey(image, path)))


def write_photograph(path, pixels: np.ndarray):
    """Writes a uint8 image in the format that the ending of `path` names.

    Raises:
        InputError: If the folder cannot be written, or the ending is that of
            no known image format.
    """
    with (
        files.replacing(path) as partial,
        blame(f"{path}: cannot be written as an image", ValueError),
    ):
        PIL.Image.fromarray(pixels).save(partial, quality=95)


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Repeats a grey image of shape (height, width) in three channels."""
    return np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """The luma (BT.601, 8 bits) of an RGB image."""
    return np.asarray(PIL.Image.fromarray(pixels).convert("L"))


def crop_to_multiple(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Cuts bottom and right so that `scale` divides height and width."""
    height, width = (size - size % scale for size in pixels.shape[:2])
    return pixels[:height, :width]


def _check_8_bit(image, path):
    # Pillow cuts 16-bit RGB to 8 bits, and shows it only in how it decodes.
    is_deep = any(re.search(";16[BLN]", str(tile[3])) for tile in image.tile)
    if is_deep or image.mode.startswith(("I", "F")):
        raise InputError(
            f"{path}: has more than 8 bits a channel, expected an 8-bit RGB "
            "or grey photograph."
        )


def _to_rgb_or_grey(image, path):
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise InputError(
                f"{path}: is in part transparent, expected an RGB or grey "
                "photograph."
            )
    return image.convert(mode)


def _embedded_folder():
    import skimage

    return pathlib.Path(skimage.__file__).parent / "data"
