"""The formulas of the metrics, for arrays and for `compile`.

They only use operators and slices. So they work with NumPy arrays and with
tensors of any backend, of shape (batch, height, width, channels) with values
in 0..255.
"""

import math

CHANNELS = ("y", "rgb")
WINDOW = 11

_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def check_channels(channels):
    """Raises a `ValueError` unless `channels` is one of `CHANNELS`."""
    if channels not in CHANNELS:
        raise ValueError(
            f"`channels` must be one of {CHANNELS}. "
            f"Received: channels={channels!r}"
        )


def to_y(images):
    """Y of BT.601 in 16..235, as one channel."""
    red, green, blue = (images[..., i : i + 1] for i in range(3))
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def ssim_map(images, references):
    """SSIM at each pixel whose window is wholly inside the image."""
    # Subtract the middle grey, so that the squares lose fewer digits.
    x, y = images - 128, references - 128
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + 128, mean_y + 128
    return (
        (2 * mean_x * mean_y + _C1)
        / (mean_x * mean_x + mean_y * mean_y + _C1)
        * (2 * covariance + _C2)
        / (variance_x + variance_y + _C2)
    )


def _blur(images):
    """Applies the Gaussian window at all positions inside the image."""
    images = sum(
        weight * images[:, i : i - WINDOW + 1 or None]
        for i, weight in enumerate(_GAUSSIAN)
    )
    return sum(
        weight * images[:, :, i : i - WINDOW + 1 or None]
        for i, weight in enumerate(_GAUSSIAN)
    )


def _gaussian():
    radius = WINDOW // 2
    weights = [
        math.exp(-(i**2) / (2 * _SIGMA**2)) for i in range(-radius, radius + 1)
    ]
    return [weight / sum(weights) for weight in weights]


_GAUSSIAN = _gaussian()
