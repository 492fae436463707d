"""Arrays and images of Pillow, through a network."""

import os
import sys
from collections.abc import Callable

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.inference import Network

# Floats beyond it are no image in 0..1, but one in 0..255 or around 0. What
# networks make of one goes a little beyond 0 and 1.
_LEAST, _MOST = -0.5, 1.5
_EXPECTED = (
    "an image of Pillow, or an array of shape (height, width, 3) or (height, "
    "width), of uint8, uint16, or floats in 0..1"
)


def upscale_image(
    network: Network,
    image,
    progress: Callable[[int, int], None] = lambda done, total: None,
):
    """Upscales an array or an image of Pillow; returns the same kind.

    Args:
        network: `Network`.
        image: As of `LoadedNetwork.upscale`.
        progress: As of `Network.upscale`.

    Raises:
        ArgumentError: If it is something else.
    """
    if _is_of_pillow(image):
        # Here alone, since arrays need no Pillow.
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
    # Whoever has such an image has imported it.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pixels(image):
    """An image as an array that a network can take."""
    if isinstance(image, str | os.PathLike):
        raise ArgumentError(
            "image",
            f"is the path {os.fspath(image)!r}, expected an image: open it "
            "with PIL.Image.open, or call `issp upscale`.",
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
    # So written, NaN is outside.
    if not (least >= _LEAST and most <= _MOST):
        raise ArgumentError(
            "image",
            f"has floats from {least:g} to {most:g}, expected 0 to 1; uint8 "
            "has levels from 0 to 255.",
        )
