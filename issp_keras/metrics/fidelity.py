"""PSNR and SSIM of arrays, computed as in super-resolution papers."""

import math

import numpy as np

from issp_keras.metrics import formulas


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    border: int = 0,
    channels: str = "y",
) -> float:
    """Peak signal-to-noise ratio in dB.

    Example:

    >>> flat = np.full((8, 8), 100, np.uint8)
    >>> round(psnr(flat + 1, flat), 2)
    48.13

    Args:
        image: Array of shape (height, width, 3) in RGB, or (height, width) for
            grey. Its dtype is uint8, or floating point in 0..1. Floats are
            first clipped and rounded to 8 bits.
        reference: Array of the same shape.
        border: Integer, pixels to leave out on each side. Papers leave out as
            many pixels as the magnification. Defaults to `0`.
        channels: "y" to compare only Y (BT.601, 16..235, not rounded) of RGB
            images, as most papers do, or "rgb". Grey images are compared
            directly. Defaults to `"y"`.

    Returns:
        Float; infinity if the images are equal.

    Raises:
        ValueError: If a shape or dtype is not one of these, the shapes differ,
            or no pixel is left inside the border.
    """
    image, reference = _comparable(image, reference, border, channels)
    error = np.mean((image - reference) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(
    image: np.ndarray,
    reference: np.ndarray,
    border: int = 0,
    channels: str = "y",
) -> float:
    """Structural similarity, at most 1.

    It uses a Gaussian window of 11x11 pixels with a standard deviation of 1.5,
    at all positions wholly inside the image. For RGB, it is the mean over the
    channels.

    Args:
        image: Array, see `psnr`. Height and width inside the border must be at
            least 11 pixels.
        reference: Array of the same shape.
        border: Integer, pixels to leave out on each side. Defaults to `0`.
        channels: String, `"y"` or `"rgb"`, see `psnr`. Defaults to `"y"`.

    Returns:
        Float.

    Reference: Wang et al., Image Quality Assessment: From Error Visibility
    to Structural Similarity, IEEE TIP 2004.
    """
    image, reference = _comparable(image, reference, border, channels)
    if min(image.shape[:2]) < formulas.WINDOW:
        raise ValueError(
            "SSIM needs at least 11x11 pixels inside the border. "
            f"Received: {image.shape[1]}x{image.shape[0]}"
        )
    return float(formulas.ssim_map(image[None], reference[None]).mean())


def to_y(image: np.ndarray) -> np.ndarray:
    """Returns the Y of an RGB image (BT.601, 16..235) as unrounded float64.

    Args:
        image: Array of shape (height, width, 3), uint8 or float, see `psnr`.
    """
    return formulas.to_y(_levels(image))[..., 0]


def _comparable(image, reference, border, channels):
    formulas.check_channels(channels)
    if image.shape != reference.shape:
        raise ValueError(
            "Images of different shapes cannot be compared. "
            f"Received: {image.shape} and {reference.shape}"
        )
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[-1] == 3):
        raise ValueError(
            "Images must be (height, width, 3) or (height, width). "
            f"Received: shape={image.shape}"
        )
    if border < 0 or min(image.shape[:2]) <= 2 * border:
        raise ValueError(
            f"No pixel is left inside a border of {border} pixels. "
            f"Received: shape={image.shape}"
        )
    inside = slice(border, -border or None)
    arrays = [
        _levels(np.atleast_3d(array[inside, inside]))
        for array in (image, reference)
    ]
    if channels == "y" and image.ndim == 3:
        arrays = [formulas.to_y(array) for array in arrays]
    return arrays


def _levels(image):
    """Returns an image in 0..255, rounded to 8 bits, as float64."""
    if np.issubdtype(image.dtype, np.floating):
        image = np.floor(np.clip(image, 0, 1) * np.float64(255) + 0.5)
    elif image.dtype != np.uint8:
        raise ValueError(
            f"Images must be uint8 or float. Received: dtype={image.dtype}"
        )
    return image.astype(np.float64)
