"""MATLAB's bicubic `imresize`, from which papers make their LR images."""

import math

import numpy as np


def imresize(image: np.ndarray, scale: float) -> np.ndarray:
    """Resizes an image as MATLAB's `imresize(image, scale, "bicubic")` does.

    Shrinking widens the kernel by 1/scale (antialiasing). The height is
    resized first, then the width; borders are mirrored, the border pixel
    repeated. 8-bit images are rounded to 8 bits after each of the two
    passes, as MATLAB does; the result equals MATLAB's bit for bit.

    Example:

    >>> imresize(np.zeros((12, 8, 3), np.uint8), 1 / 4).shape
    (3, 2, 3)

    Args:
        image: Array of shape (height, width) or (height, width, channels),
            uint8 or floating point.
        scale: Positive float; 0.25 shrinks four times, 4 enlarges.

    Returns:
        Array of the same dtype; height and width are
        `ceil(scale * size)`.

    Raises:
        ValueError: If `scale` is not positive, or the image has another
            dtype or number of dimensions.
    """
    if not scale > 0:
        raise ValueError(f"`scale` must be positive. Received: scale={scale}")
    if image.ndim not in (2, 3):
        raise ValueError(
            "`image` must be (height, width) or (height, width, channels). "
            f"Received: shape={image.shape}"
        )
    is_float = np.issubdtype(image.dtype, np.floating)
    if not is_float and image.dtype != np.uint8:
        raise ValueError(
            f"`image` must be uint8 or float. Received: dtype={image.dtype}"
        )
    result = image
    for axis in (0, 1):
        result = _resize_axis(result, scale, axis)
        if not is_float:
            result = np.clip(np.floor(result + 0.5), 0, 255)
    return result.astype(image.dtype)


def _resize_axis(image, scale, axis):
    weights, sources = _contributions(image.shape[axis], scale)
    rows = np.moveaxis(image, axis, 0)
    result = np.zeros((len(weights), *rows.shape[1:]))
    for weight, source in zip(weights.T, sources.T, strict=True):
        column = weight.reshape(-1, *[1] * (rows.ndim - 1))
        result += column * rows[source]
    return np.moveaxis(result, 0, axis)


def _contributions(size, scale):
    """Which pixels make each output pixel, and with which weights.

    Returns:
        Two arrays of shape (output size, taps): weights, indices.
    """
    stretch = min(scale, 1.0)
    width = 4 / stretch
    # Half a pixel off, since pixel centres lie at whole numbers plus 1/2.
    centres = (np.arange(math.ceil(scale * size)) + 0.5) / scale - 0.5
    first = np.floor(centres - width / 2).astype(int)
    taps = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = _cubic(stretch * (centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.concatenate([np.arange(size), np.arange(size)[::-1]])
    sources = mirrored[taps % (2 * size)]
    used = weights.any(axis=0)
    return weights[:, used], sources[:, used]


def _cubic(x):
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
