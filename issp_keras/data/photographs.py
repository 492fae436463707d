"""Reads and writes photographs."""

import dataclasses
import pathlib
import re

import numpy as np
import PIL.Image
import PIL.ImageOps
from absl import logging

from issp_keras import files
from issp_keras.data.sixteen_bits import FORMATS as _FORMATS_OF_16_BITS
from issp_keras.data.sixteen_bits import read_16_bits
from issp_keras.data.sixteen_bits import write_16_bits
from issp_keras.data.suffixes import SUFFIXES
from issp_keras.data.turns import turn_back
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath

_GREY = ("1", "L", "LA", "La")
_DEEP = ("I;16", "I;16B")
_ORIENTATION = 0x0112
# The argument of `turn` that gives an image each EXIF orientation.
_TURNED = {2: 2, 3: 3, 4: 1, 5: 4, 6: 6, 7: 7, 8: 5}
_BITS_PER_SAMPLE = 0x0102
# The memory that reading may take.
_MOST_BYTES = 2_000_000_000


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A photograph in memory, upright.

    Attributes:
        name: String, the file name without its suffix.
        pixels: uint8 or uint16 array of shape (height, width, 3), or
            (height, width) for a grey photograph.
        alpha: Array of the same dtype and shape (height, width), or None if
            the photograph is opaque.
        icc_profile: Bytes, the colour profile of the file, or None.
    """

    name: str
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None


def photographs_in(folder: pathlib.Path) -> list:
    """Returns the sorted paths of the photographs in a folder.

    Hidden files are left out.

    Raises:
        InputError: If the folder cannot be read or has no photograph.
    """
    with blame(f"{folder}: cannot be read", OSError):
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
    if not paths:
        raise InputError(
            f"{folder}: holds no photograph (expected files ending in "
            f"{', '.join(sorted(SUFFIXES))})."
        )
    return paths


def size_of(path: str | pathlib.Path) -> tuple[int, int]:
    """Height and width from the file's header; (0, 0) if it is no image."""
    try:
        with PIL.Image.open(path) as image:
            return image.height, image.width
    # A broken file can raise any error, deep in Pillow.
    except Exception:
        return 0, 0  # Reading the pixels raises a clear error later.


def read_photograph(path: str | pathlib.Path) -> Photograph:
    """Reads a photograph: RGB, grey or palette, with or without alpha.

    PNG and TIFF files may have 16 bits per channel.

    It reads only the first frame of an animated image, and only the first page
    of a file with several pages.

    Raises:
        InputError: If the file is missing, broken, not an image, or too large.
            Also if it has more than 16 bits per channel, or more than 8 bits
            in a format other than PNG and TIFF.
    """
    path = path if isinstance(path, pathlib.PurePath) else pathlib.Path(path)
    files.check_file(path, "a photograph")
    with (
        # A broken file raises anything, deep in Pillow and others.
        blame(f"{path}: cannot be read as a photograph", Exception),
        path.open("rb") as file,
        _open(file) as image,
    ):
        _check_memory(image)
        if _has_more_frames(image):
            logging.warning(
                "%s: has several frames. The first one is read.", path
            )
        profile = _profile_of(image)
        if _is_deep(image):
            channels = _read_deep(image, file)
        else:
            image.load()
            PIL.ImageOps.exif_transpose(image, in_place=True)
            channels = _read_8_bits(image)
    return _photograph(path.stem, channels, profile)


def from_pil(image: PIL.Image.Image) -> Photograph:
    """Makes an upright `Photograph` from a Pillow image.

    Pillow has at most 8 bits per channel, except for grey images of the mode
    `I;16`.

    Args:
        image: `PIL.Image.Image`.

    Raises:
        ArgumentError: If the image has the mode `I`, `F` or similar.
    """
    profile = _profile_of(image)
    if image.mode in _DEEP:
        pixels = _upright(np.asarray(image).astype(np.uint16), image)
        return Photograph("image", pixels, icc_profile=profile)
    if image.mode.startswith(("I", "F")):
        raise ArgumentError(
            "image",
            f"has the mode {image.mode}, expected 8 bits per channel, or "
            "16-bit grey (I;16).",
        )
    upright = PIL.ImageOps.exif_transpose(image)
    return _photograph("image", _read_8_bits(upright), profile)


def to_pil(photograph: Photograph) -> PIL.Image.Image:
    """Makes a Pillow image from a photograph.

    Args:
        photograph: `Photograph`. 16 bits are kept for opaque grey photographs
            and rounded to 8 bits for others.

    Returns:
        `PIL.Image.Image` of mode `L`, `LA`, `RGB`, `RGBA` or `I;16`, with the
        colour profile.
    """
    pixels, alpha = photograph.pixels, photograph.alpha
    if pixels.ndim == 3 or alpha is not None:
        pixels = to_8_bits(pixels)
    if alpha is not None:
        pixels = np.dstack([pixels, to_8_bits(alpha)])
    image = PIL.Image.fromarray(pixels)
    if photograph.icc_profile:
        image.info["icc_profile"] = photograph.icc_profile
    return image


def read_opaque_photograph(path: str | pathlib.Path) -> Photograph:
    """Reads an opaque 8-bit photograph, for training or comparison.

    Raises:
        InputError: For the reasons that `read_photograph` lists, and if the
            photograph has more than 8 bits per channel or is partly
            transparent.
    """
    photograph = read_photograph(path)
    if photograph.pixels.dtype != np.uint8:
        raise InputError(
            f"{path}: has more than 8 bits per channel, expected an 8-bit RGB "
            "or grey photograph."
        )
    if photograph.alpha is not None and photograph.alpha.min() < 255:
        raise InputError(
            f"{path}: is partly transparent, expected an opaque RGB or grey "
            "photograph."
        )
    return photograph


def write_photograph(
    path: StrPath,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    icc_profile: bytes | None = None,
) -> None:
    """Writes an image. The suffix of `path` determines the format.

    Args:
        path: Path of the file.
        pixels: uint8 or uint16 array of shape (height, width, 3) or
            (height, width). PNG and TIFF keep 16 bits. Other formats have 8.
        alpha: Array of the same dtype and shape (height, width), or None.
        icc_profile: Bytes or None.

    Raises:
        InputError: If the folder cannot be written, the suffix is not that of
            a known image format, or the format has no alpha.
    """
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    with (
        files.replacing(path) as partial,
        blame(f"{path}: cannot be written as an image", ValueError),
    ):
        format = PIL.Image.registered_extensions().get(partial.suffix.lower())
        if pixels.dtype == np.uint16 and format in _FORMATS_OF_16_BITS:
            pixels = np.atleast_3d(pixels)
            write_16_bits(partial, pixels, format, icc_profile)
            return
        image = PIL.Image.fromarray(to_8_bits(pixels))
        image.save(partial, quality=95, icc_profile=icc_profile)


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Rounds a uint16 image to uint8. Other images do not change."""
    is_deep = pixels.dtype == np.uint16
    return np.rint(pixels / 257).astype(np.uint8) if is_deep else pixels


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Repeats a grey image of shape (height, width) in three channels."""
    return np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels


def _profile_of(image):
    if image.mode not in (*_GREY, *_DEEP, "P", "RGB", "RGBA"):
        return None  # The profile is for another colour space.
    return image.info.get("icc_profile")


def _photograph(name, channels, profile):
    grey = channels.shape[-1] < 3
    return Photograph(
        name,
        channels[..., 0] if grey else channels[..., :3],
        channels[..., -1] if channels.shape[-1] in (2, 4) else None,
        profile,
    )


def _open(file):
    try:
        image = PIL.Image.open(file)
    except PIL.UnidentifiedImageError as error:
        # The message of Pillow names an object that users do not know.
        raise ValueError("is not an image of a known format") from error
    if image.format == "EPS":
        # Pillow would let Ghostscript run it.
        raise ValueError("is a program in PostScript, expected an image")
    return image


def _check_memory(image):
    """Refuses images that need gigabytes while they are read.

    Pillow itself refuses images of more than 179 megapixels.
    """
    need = _bytes_per_pixel(image)
    most = _MOST_BYTES // need
    if image.width * image.height > most:
        raise ValueError(
            f"has {image.width}x{image.height} pixels, expected at most "
            f"{most / 1e6:.0f} megapixels of such a file"
        )


def _bytes_per_pixel(image):
    """The memory that reading takes at most, as measured."""
    if _is_deep(image):
        return 25
    if image.format == "WEBP":
        return 21
    return 15 if image.has_transparency_data or image.mode == "CMYK" else 11


def _has_more_frames(image):
    """Whether there is a second frame. Counting all could take minutes."""
    # Cameras put a small copy behind the photograph (MPO).
    if image.format == "MPO":
        return False
    return getattr(image, "is_animated", False)


def _is_deep(image):
    # Pillow cuts 16-bit RGB to 8 bits. Only the name of its decoder shows it.
    if image.format == "TIFF":
        return max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8
    decoders = (str(tile[3]) for tile in image.tile)
    return image.mode.startswith(("I", "F")) or any(
        re.search(";16[BLN]", decoder) for decoder in decoders
    )


def _read_deep(image, file):
    if image.format not in _FORMATS_OF_16_BITS or image.mode in ("I", "F"):
        raise ValueError(
            f"{image.format} has more than 8 bits per channel, expected 8 "
            f"bits, or 16 bits in {' or '.join(_FORMATS_OF_16_BITS)}"
        )
    # Read the EXIF data before Pillow's position in the file changes.
    image.getexif()
    file.seek(0)
    pixels = read_16_bits(file, image.format)
    if "transparency" in image.info:  # The transparent colour of a PNG file.
        clear = (pixels == image.info["transparency"]).all(-1, keepdims=True)
        alpha = np.where(clear, 0, np.iinfo(np.uint16).max)
        pixels = np.concatenate([pixels, alpha.astype(np.uint16)], axis=-1)
    return _upright(pixels, image)


def _upright(pixels, image):
    """Turns pixels upright by the EXIF data of their image."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    return np.ascontiguousarray(turn_back(pixels, _TURNED.get(orientation, 0)))


def _read_8_bits(image):
    mode = "L" if image.mode in _GREY else "RGB"
    if image.has_transparency_data:
        mode += "A"
    # A conversion would copy an image that has the mode already.
    if image.mode != mode:
        image = image.convert(mode)
    return np.atleast_3d(np.asarray(image))
