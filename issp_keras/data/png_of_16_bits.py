"""Reads and writes 16-bit PNG files, which Pillow cuts to 8 bits."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Positions in the file: the bit depth, the header chunk, and its end.
_DEPTH, _HEADER, _END_OF_HEADER = 24, slice(12, 29), 33
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6
_COLOURS = {1: _GREY, 2: _GREY_ALPHA, 3: _RGB, 4: _RGBA}
_PAETH = 4
# The number of rows that are filtered together, to save memory.
_ROWS = 64


def read_png(file) -> np.ndarray:
    """Reads the pixels.

    Args:
        file: Binary file object of a PNG file with 16 bits per channel.

    Returns:
        uint16 array of shape (height, width, channels).

    Raises:
        OSError, SyntaxError or ValueError: If the file is broken.
    """
    content = bytearray(file.read())
    colour = content[_DEPTH + 1]
    if colour in (_GREY, _GREY_ALPHA):
        # The same bytes are an image with twice as many 8-bit channels.
        content[_DEPTH : _DEPTH + 2] = (
            8,
            (_GREY_ALPHA if colour == _GREY else _RGBA),
        )
        checksum = zlib.crc32(content[_HEADER])
        content[_HEADER.stop : _END_OF_HEADER] = struct.pack(">I", checksum)
        halves = np.ascontiguousarray(_decoded(content))
        return halves.view(">u2").astype(np.uint16)
    # Decode twice, as big-endian and as little-endian, to get both bytes.
    pixels = _decoded(content, "B").astype(np.uint16)
    pixels <<= 8
    pixels |= _decoded(content, "L")
    return pixels


def _decoded(content, order=None):
    with PIL.Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        if order:
            [(codec, box, offset, _)] = image.tile
            tile: Any = (codec, box, offset, f"{image.mode};16{order}")
            image.tile = [tile]
        return np.asarray(image)


def png(pixels: np.ndarray, icc_profile: bytes | None = None) -> bytes:
    """Returns the content of a PNG file.

    Args:
        pixels: uint16 array of shape (height, width, channels), grey or RGB.
            With 2 or 4 channels, the last one is alpha.
        icc_profile: Bytes or None.
    """
    height, width, channels = pixels.shape
    header = struct.pack(
        ">IIBBBBB", width, height, 16, _COLOURS[channels], 0, 0, 0
    )
    chunks = [_SIGNATURE, _chunk(b"IHDR", header)]
    if icc_profile is not None:
        profile = b"ICC Profile\0\0" + zlib.compress(icc_profile)
        chunks.append(_chunk(b"iCCP", profile))
    compress = zlib.compressobj()
    for rows in _filtered(pixels):
        chunks.append(_chunk(b"IDAT", compress.compress(rows)))
    chunks.append(_chunk(b"IDAT", compress.flush()))
    return b"".join([*chunks, _chunk(b"IEND", b"")])


def _chunk(name, content):
    length = struct.pack(">I", len(content))
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return b"".join((length, name, content, checksum))


def _filtered(pixels) -> Iterator[bytes]:
    """Yields filtered PNG rows: each byte minus its prediction."""
    height, _, channels = pixels.shape
    above = np.zeros_like(pixels[:1])
    for top in range(0, height, _ROWS):
        block = np.concatenate([above, pixels[top : top + _ROWS]])
        above = block[-1:]
        numbers = block.astype(">u2").view(np.uint8).reshape(len(block), -1)
        # PNG assumes a pixel of zeros to the left of each row.
        numbers = np.pad(numbers, ((0, 0), (2 * channels, 0)))
        rows = numbers[1:, 2 * channels :] - _paeth(numbers, 2 * channels)
        yield np.pad(rows, ((0, 0), (1, 0)), constant_values=_PAETH).tobytes()


def _paeth(numbers, step):
    """Returns the Paeth predictor of each byte.

    PNG Specification (third edition), section 9.4.
    """
    numbers = numbers.astype(np.int16)
    left, above = numbers[1:, :-step], numbers[:-1, step:]
    corner = numbers[:-1, :-step]
    to_left = np.abs(above - corner)
    to_above = np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, above, corner)
    is_left = (to_left <= to_above) & (to_left <= to_corner)
    return np.where(is_left, left, nearest).astype(np.uint8)
