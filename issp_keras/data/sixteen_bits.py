"""PNG and TIFF files of 16 bits a channel, which Pillow cuts to 8."""

import struct
import zlib

import numpy as np

FORMATS = ("PNG", "TIFF")

# PhotometricInterpretation and ExtraSamples of TIFF.
_WHITE_IS_0, _BLACK_IS_0, _RGB = 0, 1, 2
_ALPHA = 2

# Where a PNG file's first chunk, of fixed length, ends.
_END_OF_HEADER = 33


def read_16_bits(file, format: str) -> np.ndarray:
    """Reads an image as it lies in the file, not turned upright.

    Args:
        file: Binary file object.
        format: One of `FORMATS`.

    Returns:
        uint16 array of shape (height, width, channels): grey or RGB, the last
        one alpha if there are 2 or 4.

    Raises:
        ValueError: If the file is broken or no such image.
    """
    pixels = _read_png(file) if format == "PNG" else _read_tiff(file)
    if pixels.dtype != np.uint16 or pixels.shape[-1] > 4:
        raise ValueError(
            f"holds {pixels.dtype} values of {pixels.shape[-1]} channels, "
            "expected 16 bits and at most 4 channels"
        )
    return pixels


def write_16_bits(
    path, pixels: np.ndarray, format: str, icc_profile: bytes | None = None
):
    """Writes a uint16 array of shape (height, width, channels)."""
    if format == "PNG":
        path.write_bytes(_png(pixels, icc_profile))
        return
    import tifffile

    if pixels.shape[-1] == 2:
        # As RGB with alpha, for Pillow knows no TIFF of grey with alpha.
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


def _read_png(file):
    import tensorflow as tf

    try:
        return tf.io.decode_png(file.read(), 0, tf.uint16).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(error.message) from error


def _read_tiff(file):
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages[0]
            if page.bitspersample != 16:
                raise ValueError(f"has {page.bitspersample} bits a channel")
            if page.axes not in ("YX", "YXS", "SYX"):
                raise ValueError(f"has its axes in the order {page.axes}")
            kind = page.photometric
            if kind not in (_RGB, _WHITE_IS_0, _BLACK_IS_0):
                raise ValueError(f"is of the kind {kind.name}")
            if page.extrasamples not in ((), (_ALPHA,)):
                raise ValueError("has channels that are no plain alpha")
            pixels = page.asarray()
            if page.axes == "SYX":
                pixels = np.moveaxis(pixels, 0, -1)
            if kind == _WHITE_IS_0:
                pixels = np.iinfo(np.uint16).max - pixels
    except Exception as error:
        # Also what the decoder of a compression raises.
        raise ValueError(str(error)) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _png(pixels, icc_profile):
    import tensorflow as tf

    try:
        png = tf.io.encode_png(pixels).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"{error.message} (TIFF takes larger images)"
        ) from error
    if icc_profile is None:
        return png
    content = b"iCCPICC Profile\0\0" + zlib.compress(icc_profile)
    chunk = (
        struct.pack(">I", len(content) - 4)
        + content
        + struct.pack(">I", zlib.crc32(content))
    )
    return b"".join((png[:_END_OF_HEADER], chunk, png[_END_OF_HEADER:]))
