"""MATLAB's bicubic `imresize`, which papers use to make LR images."""

import math
from typing import Any

import numpy as np

from issp_keras.extras import needed_by

BORDERS = ("mirror", "repeat")

# A sum that is exactly one half must not fall below it by rounding errors. The
# result would then depend on the order of the terms.
_HALF = 0.5 + 1e-9
# The number of output rows of one matrix product if the image shrinks.
_BLOCK = 16


def imresize(
    image: np.ndarray, scale: float, border: str = "mirror"
) -> np.ndarray:
    """Resizes an image like MATLAB's `imresize(image, scale, "bicubic")`.

    If the image shrinks, the kernel is wider by 1/scale (antialiasing). The
    height is resized first, then the width. As in MATLAB, 8-bit images are
    rounded to 8 bits after each of the two passes, and 16-bit images to 16
    bits. The result equals MATLAB's bit for bit.

    Example:

    >>> imresize(np.zeros((12, 8, 3), np.uint8), 1 / 4).shape
    (3, 2, 3)

    Args:
        image: Array of shape (height, width) or (height, width, channels),
            uint8, uint16 or floating point.
        scale: Positive float. 0.25 makes the image four times smaller, and 4
            makes it four times larger.
        border: The padding: "mirror" as in newer MATLAB (2 1 | 1 2 3), or
            "repeat" as in older MATLAB (1 1 | 1 2 3). Defaults to `"mirror"`.

    Returns:
        Array of the same dtype. Its height and width are
        `ceil(scale * size)`.

    Raises:
        ValueError: If `scale` is not positive, `border` is neither "mirror"
            nor "repeat", the image has another dtype or number of dimensions,
            or it has no pixel.
    """
    _check(scale, border)
    if image.ndim not in (2, 3) or not image.size:
        raise ValueError(
            "`image` must be (height, width) or (height, width, channels). "
            f"Received: shape={image.shape}"
        )
    dtype = _dtype_of_sums(image.dtype)
    height, width = image.shape[:2]
    rows = _resize_rows(image.reshape(height, -1), scale, border, dtype)
    columns = _turn(rows, width)
    rows = _turn(_resize_rows(columns, scale, border, dtype), len(rows))
    return rows.reshape(len(rows), -1, *image.shape[2:])


def tf_imresize(images: Any, scale: float, border: str = "mirror") -> Any:
    """Does `imresize` on tensors, for LR patches in a `tf.data` pipeline.

    Example:

    ```python
    patches = hr_patches.map(lambda hr: (tf_imresize(hr, 1 / 4), hr))
    ```

    Args:
        images: Tensor of shape (..., height, width, channels), uint8, uint16
            or floating point. Height and width may be unknown in a graph.
        scale: Positive float, see `imresize`.
        border: String, see `imresize`.

    Returns:
        Tensor of the same dtype and shape (..., ceil(scale * height),
        ceil(scale * width), channels), rounded as in `imresize`.

    Raises:
        ValueError: For the reasons that `imresize` lists.
    """
    with needed_by("tf_imresize"):
        import tensorflow as tf

    _check(scale, border)
    images = tf.convert_to_tensor(images)
    if images.shape.rank is None or images.shape.rank < 3:
        raise ValueError(
            "`images` must be (..., height, width, channels). Received: "
            f"shape={images.shape}"
        )
    dtype = _dtype_of_sums(images.dtype.as_numpy_dtype)

    def matrix(size):
        weights, sources = _contributions(int(size), scale, border)
        return _matrix(weights, sources, size, dtype)

    result = tf.cast(images, dtype)
    for axis, product in ((-3, "oi,...iwc->...owc"), (-2, "oi,...hic->...hoc")):
        size = images.shape[axis]
        if size is None:
            size = tf.shape(images)[axis]
            weights = tf.numpy_function(matrix, [size], dtype)
            weights.set_shape((None, None))
        else:
            weights = tf.constant(matrix(size))
        result = tf.einsum(product, weights, result)
        if images.dtype.is_integer:
            white = images.dtype.max
            result = tf.clip_by_value(tf.floor(result + _HALF), 0, white)
    return tf.cast(result, images.dtype)


def _check(scale, border):
    if not scale > 0:
        raise ValueError(f"`scale` must be positive. Received: scale={scale}")
    if border not in BORDERS:
        raise ValueError(
            f"`border` must be one of {BORDERS}. Received: border={border!r}"
        )


def _dtype_of_sums(dtype):
    if dtype in (np.uint8, np.uint16, np.float64):
        return np.float64
    if np.issubdtype(dtype, np.floating):
        return np.float32
    raise ValueError(
        f"`image` must be uint8, uint16 or float. Received: dtype={dtype}"
    )


def _resize_rows(rows, scale, border, dtype):
    """Resizes an array of shape (rows, values) along its rows."""
    weights, sources = _contributions(len(rows), scale, border)
    result = np.empty((len(weights), rows.shape[1]), rows.dtype)
    # The matrix is a band with zeros outside. Each product takes a part of the
    # band and the rows for it, which fit into the processor's cache.
    block = math.ceil(_BLOCK * max(1, scale))
    for start in range(0, len(weights), block):
        part = slice(start, start + block)
        first, last = sources[part].min(), sources[part].max()
        band = _matrix(
            weights[part], sources[part] - first, last + 1 - first, dtype
        )
        values = band @ rows[first : last + 1].astype(dtype)
        if np.issubdtype(rows.dtype, np.integer):
            values += _HALF
            np.floor(values, out=values)
            np.clip(values, 0, np.iinfo(rows.dtype).max, out=values)
        result[part] = values
    return result


def _turn(rows, width):
    """Transposes (height, width * channels) to (width, height * channels)."""
    pixels = rows.reshape(len(rows), width, -1)
    return np.ascontiguousarray(pixels.swapaxes(0, 1)).reshape(width, -1)


def _matrix(weights, sources, size, dtype):
    """Returns the contributions as a matrix of shape (output size, size)."""
    matrix = np.zeros((len(weights), size), dtype)
    np.add.at(matrix, (np.arange(len(weights))[:, None], sources), weights)
    return matrix


def _contributions(size, scale, border):
    """Returns the source pixels of each output pixel, and their weights.

    Returns:
        Two arrays of shape (output size, taps): weights, indices.
    """
    stretch = min(scale, 1.0)
    width = 4 / stretch
    # Pixel centres lie at whole numbers plus 1/2.
    centres = (np.arange(math.ceil(scale * size)) + 0.5) / scale - 0.5
    first = np.floor(centres - width / 2).astype(int)
    taps = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = _cubic(stretch * (centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    if border == "mirror":
        mirrored = np.concatenate([np.arange(size), np.arange(size)[::-1]])
        sources = mirrored[taps % (2 * size)]
    else:
        sources = np.clip(taps, 0, size - 1)
    used = weights.any(axis=0)
    return weights[:, used], sources[:, used]


def _cubic(x):
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
