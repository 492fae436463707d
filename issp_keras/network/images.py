"""Upscaling of arrays and Pillow images."""

import os
import sys
from collections.abc import Callable

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.inference import Network

# Floats outside this range are an image in 0..255, or one centred at 0. The
# output of a network can lie a little outside 0..1.
_LEAST, _MOST = -0.5, 1.5
_EXPECTED = (
    "a Pillow image, or an array of shape (height, width, 3) or (height, "
    "width) with dtype uint8, uint16, or floats in 0..1"
)


def upscale_image(
    network: Network,
    image,
    progress: Callable[[int, int], None] = lambda done, total: None,
):
    """Upscales an array or a Pillow image, and returns the same kind.

    Args:
        network: `Network`.
        image: Array or Pillow image, see `LoadedNetwork.upscale`.
        progress: Callable, see `Network.upscale`.

    Raises:
        ArgumentError: If `image` is of another kind.
    """
    if _is_of_pillow(image):
        # Imported here, since arrays do not need Pillow.
        from issp_keras.data import from_pil
        from issp_keras.data import to_pil
        from issp_keras.inference import upscale_photograph

        photograph = from_pil(image)
        return to_pil(upscale_photograph(network, photograph, progress))
    pixels = _pixels(image)
    has_one_channel = pixels.ndim == 3 and pixels.shape[-1] == 1
    if has_one_channel:
        pixels = pixels[..., 0]
    dtype = pixels.dtype
    if dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    made = network.upscale(pixels, progress).astype(dtype, copy=False)
    return made[..., None] if has_one_channel else made


def _is_of_pillow(image):
    # If `image` is a Pillow image, Pillow is already imported.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pixels(image):
    """Returns an image as an array for the network."""
    if isinstance(image, str | os.PathLike):
        raise ArgumentError(
            "image",
            f"is the path {os.fspath(image)!r}, expected an image: open the "
            "file with PIL.Image.open, or call `issp upscale`.",
        )
    try:
        pixels = np.asarray(image)
    except (TypeError, ValueError):
        pixels = np.asarray(None)
    is_image = pixels.ndim == 2 or (
        pixels.ndim == 3 and pixels.shape[-1] in (1, 3)
    )
    is_known = pixels.dtype in (np.uint8, np.uint16) or pixels.dtype.kind == "f"
    if not is_image or not is_known:
        what = type(image).__name__
        if pixels.dtype != object:
            what = f"of shape {pixels.shape} and {pixels.dtype}"
        raise ArgumentError("image", f"is {what}, expected {_EXPECTED}.")
    if not pixels.size:
        raise ArgumentError(
            "image", f"has no pixels: its shape is {pixels.shape}."
        )
    if pixels.dtype.kind == "f":
        _check_range(pixels)
    return pixels


def _check_range(pixels):
    least, most = float(pixels.min()), float(pixels.max())
    # Written like this, the check also refuses NaN.
    if not (least >= _LEAST and most <= _MOST):
        raise ArgumentError(
            "image",
            f"has floats from {least:g} to {most:g}, expected 0 to 1; for "
            "levels from 0 to 255, use uint8.",
        )
