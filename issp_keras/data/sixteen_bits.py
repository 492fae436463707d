"""PNG and TIFF files of 16 bits a channel, which Pillow cuts to 8."""

import struct
import zlib

import numpy as np
import tifffile

FORMATS = ("PNG", "TIFF")

# Where a PNG file's first chunk, of fixed length, ends.
_END_OF_HEADER = 33


def read_16_bits(file, format: str) -> np.ndarray:
    """Reads an image as it lies in the file, not turned upright.

    Args:
        file: Binary file object.
        format: One of `FORMATS`.

    Returns:
        uint16 array of shape (height, width, channels).

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
    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages[0]
            if page.bitspersample != 16:
                raise ValueError(f"has {page.bitspersample} bits a channel")
            if page.axes not in ("YX", "YXS", "SYX"):
                raise ValueError(f"has its axes in the order {page.axes}")
            pixels = page.asarray()
            if page.axes == "SYX":
                pixels = np.moveaxis(pixels, 0, -1)
    except Exception as error:
        # Also what the decoder of a compression raises.
        raise ValueError(str(error)) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _png(pixels, icc_profile):
    import tensorflow as tf

    png = tf.io.encode_png(pixels).numpy()
    if icc_profile is None:
        return png
    content = b"iCCPICC Profile\0\0" + zlib.compress(icc_profile)
    chunk = (
        struct.pack(">I", len(content) - 4)
        + content
        + struct.pack(">I", zlib.crc32(content))
    )
    return b"".join((png[:_END_OF_HEADER], chunk, png[_END_OF_HEADER:]))
