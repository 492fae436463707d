"""Reads and writes 16-bit PNG and TIFF files, which Pillow cuts to 8 bits."""

import lzma
import math
import zlib
from typing import Any

import numpy as np

from issp_keras.data.png_of_16_bits import png
from issp_keras.data.png_of_16_bits import read_png
from issp_keras.extras import needed_by

FORMATS = ("PNG", "TIFF")

# PhotometricInterpretation and ExtraSamples of TIFF.
_WHITE_IS_0, _BLACK_IS_0, _RGB = 0, 1, 2
_ALPHA = 2
# By the compression of TIFF: Deflate, its older number, and LZMA.
_UNPACKERS: dict[int, Any] = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}
_LARGEST_STRIP = 1 << 30


def read_16_bits(file, format: str) -> np.ndarray:
    """Reads an image without applying its EXIF orientation.

    Args:
        file: Binary file object.
        format: One of `FORMATS`.

    Returns:
        uint16 array of shape (height, width, channels), grey or RGB. With 2 or
        4 channels, the last one is alpha.

    Raises:
        OSError, SyntaxError or ValueError: If the file is broken or is not
            such an image.
    """
    pixels = read_png(file) if format == "PNG" else _read_tiff(file)
    if pixels.dtype != np.uint16 or not 1 <= pixels.shape[-1] <= 4:
        raise ValueError(
            f"holds {pixels.dtype} values of {pixels.shape[-1]} channels, "
            "expected 16 bits and 1 to 4 channels"
        )
    return pixels


def write_16_bits(
    path, pixels: np.ndarray, format: str, icc_profile: bytes | None = None
):
    """Writes a uint16 array of shape (height, width, channels)."""
    if format == "PNG":
        path.write_bytes(png(pixels, icc_profile))
        return
    with needed_by("A TIFF file of 16 bits"):
        import tifffile

    if pixels.shape[-1] == 2:
        # Write RGB with alpha, since Pillow cannot read grey TIFF with alpha.
        pixels = pixels[..., [0, 0, 0, 1]]
    tifffile.imwrite(
        path,
        pixels[..., 0] if pixels.shape[-1] == 1 else pixels,
        photometric="minisblack" if pixels.shape[-1] == 1 else "rgb",
        extrasamples=["unassalpha"] if pixels.shape[-1] == 4 else None,
        compression="zlib",
        iccprofile=icc_profile,
        metadata=None,
    )


def _check_expansion(page):
    """Refuses strips or tiles that expand to more than their pixels.

    Pillow has checked the number of pixels. tifffile unpacks all there is.
    """
    start = _UNPACKERS.get(page.compression)
    if start is None:
        return
    # A writer may fill up the last strip.
    most = 2 * math.prod(page.chunks) * page.dtype.itemsize
    if most > 2 * _LARGEST_STRIP:
        raise ValueError(f"has strips or tiles of {most // 2:,} bytes")
    file = page.parent.filehandle
    places = zip(page.dataoffsets, page.databytecounts)
    for _, (offset, size) in zip(range(math.prod(page.chunked)), places):
        file.seek(offset)
        if len(start().decompress(file.read(size), most + 1)) > most:
            raise ValueError(
                f"has a strip or tile that would expand to more than {most:,} "
                "bytes"
            )


def _read_tiff(file):
    with needed_by("A TIFF file of 16 bits"):
        import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page: Any = tiff.pages[0]
            if page.bitspersample != 16:
                raise ValueError(f"has {page.bitspersample} bits per channel")
            if page.axes not in ("YX", "YXS", "SYX"):
                raise ValueError(f"has its axes in the order {page.axes}")
            kind = page.photometric
            if kind not in (_RGB, _WHITE_IS_0, _BLACK_IS_0):
                raise ValueError(f"is of the kind {kind.name}")
            if page.extrasamples not in ((), (_ALPHA,)):
                raise ValueError("has extra channels other than plain alpha")
            _check_expansion(page)
            pixels = page.asarray()
            if page.axes == "SYX":
                pixels = np.moveaxis(pixels, 0, -1)
            if kind == _WHITE_IS_0:
                pixels = np.iinfo(np.uint16).max - pixels
    except Exception as error:
        # Decoders of compressed files raise errors of any type.
        raise ValueError(str(error)) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels
