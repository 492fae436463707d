"""Attention inside the windows of an image."""

import functools

import keras
import numpy as np
from keras import layers
from keras import ops

# Official networks subtract this from logits of pixels that must not attend to
# each other.
_APART = 100.0


def attend(qkv, heads, window, bias, mask=None):
    """Multi-head self-attention among the pixels of each window.

    Args:
        qkv: Tensor of shape (batch, height, width, 3 * channels): the queries,
            then the keys, then the values. Each concatenates its heads.
        heads: Integer. It divides the channels.
        window: Pair (rows, columns). They divide height and width.
        bias: Tensor of shape (heads, 1, pixels, pixels), added to the
            logits; `pixels = rows * columns`.
        mask: Tensor of shape (windows of all images, pixels, pixels),
            subtracted from the logits. Defaults to none.

    Returns:
        Tensor of shape (batch, height, width, channels).
    """
    # Split the channels: TFLite then splits the product before into three.
    query, key, value = ops.split(qkv, 3, axis=-1)
    _, height, width, channels = ops.shape(value)
    rows, columns = window
    across = width // columns
    pixels = rows * columns
    size = channels // heads

    def in_windows(x):
        # One transposition makes windows and moves the heads to the front.
        # TFLite transposes at most six axes.
        x = ops.reshape(x, (-1, rows, across, columns, heads, size))
        x = ops.transpose(x, (4, 0, 2, 1, 3, 5))
        return ops.reshape(x, (heads, -1, pixels, size))

    query = in_windows(query * size**-0.5)
    key, value = in_windows(key), in_windows(value)
    # On CPUs, this is 1.5 times as fast as `ops.dot_product_attention` with
    # TensorFlow, and 1.4 (with gradients) to 2.8 times as fast with JAX.
    logits = ops.einsum("hwqc,hwkc->hwqk", query, key) + bias
    if mask is not None:
        # Subtract the mask. If it were added, TFLite's converter would merge
        # it with the bias into one large constant.
        logits = logits - mask
    # Half floats are too coarse for sums over a window.
    shares = ops.softmax(ops.cast(logits, "float32"), axis=-1)
    x = ops.einsum("hwqk,hwkc->hwqc", ops.cast(shares, qkv.dtype), value)
    x = ops.reshape(x, (heads, -1, across, rows, columns, size))
    x = ops.transpose(x, (1, 3, 2, 4, 0, 5))
    return ops.reshape(x, (-1, height, width, channels))


@keras.saving.register_keras_serializable(package="issp_keras")
class Roll(layers.Layer):
    """Shifts an image up and left cyclically.

    Args:
        rows: Integer, how far up; down if negative.
        columns: Integer, how far to the left; to the right if negative.
    """

    def __init__(self, rows, columns, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows
        self.columns = columns

    def call(self, x):
        return roll(x, self.rows, self.columns)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"rows": self.rows, "columns": self.columns}
        return {**super().get_config(), **config}


def roll(x, rows, columns):
    """`Roll` as a function of a tensor (batch, height, width, channels)."""
    _, height, width, _ = ops.shape(x)
    if isinstance(height, int) and isinstance(width, int):
        return ops.roll(x, (-rows, -columns), axis=(1, 2))
    # TFLite cannot roll an image of unknown size.
    if rows:
        x = ops.concatenate([x[:, rows:], x[:, :rows]], axis=1)
    if columns:
        x = ops.concatenate([x[:, :, columns:], x[:, :, :columns]], axis=2)
    return x


def relative_positions(window):
    """Returns the differences of positions in a window, and their indices.

    Args:
        window: Pair (rows, columns), integers or integer tensors.

    Returns:
        Two integer arrays. The first has the shape (differences, 2), with
        `(2 * rows - 1) * (2 * columns - 1)` differences. The second has the
        shape (pixels, pixels): the index of each query's difference from each
        key.

    Reference: Liu et al., Swin Transformer, ICCV 2021 (arXiv 2103.14030),
    Sec. 3.2, eq. 4.
    """
    rows, columns = window
    is_known = isinstance(rows, int) and isinstance(columns, int)
    xp = np if is_known else ops
    tall, wide = 2 * rows - 1, 2 * columns - 1
    number = xp.arange(tall * wide, dtype="int32")
    differences = xp.stack(
        [number // wide - (rows - 1), number % wide - (columns - 1)], axis=-1
    )
    pixel = xp.arange(rows * columns, dtype="int32")
    down, right = (
        xp.expand_dims(place, 1) - xp.expand_dims(place, 0)
        for place in (pixel // columns, pixel % columns)
    )
    return differences, (down + rows - 1) * wide + right + columns - 1


@keras.saving.register_keras_serializable(package="issp_keras")
class WindowMask(layers.Layer):
    """Masks attention between pixels that only a roll brought together.

    The input has the shape (batch, height, width, channels). It was rolled by
    `shift`. The output is the mask for `attend`, of shape (windows of all
    images, pixels, pixels). It is 0 for two pixels from the same part of the
    image, and 100 otherwise.

    Args:
        window: Pair (rows, columns); None for all rows or columns.
        shift: Pair (rows, columns), how far the image was rolled.
    """

    def __init__(self, window, shift, **kwargs):
        super().__init__(**kwargs)
        self.window = tuple(window)
        self.shift = tuple(shift)

    def call(self, image):
        batch, height, width, _ = ops.shape(image)
        regions = window_regions(height, width, self.window, self.shift)
        regions = ops.tile(regions, (batch, 1))
        is_same = ops.equal(
            ops.expand_dims(regions, 2), ops.expand_dims(regions, 1)
        )
        return ops.where(
            is_same,
            ops.cast(0, self.compute_dtype),
            ops.cast(_APART, self.compute_dtype),
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        rows, columns = whole_window(self.window, height, width)
        pixels = rows and columns and rows * columns
        is_known = batch and height and width and pixels
        count = batch * height * width // pixels if is_known else None
        return count, pixels, pixels

    def get_config(self):
        config = {"window": self.window, "shift": self.shift}
        return {**super().get_config(), **config}


def whole_window(window, height, width):
    """Replaces None by the height or width of the image."""
    rows, columns = window
    return (height if rows is None else rows), (
        width if columns is None else columns
    )


def window_regions(height, width, window, shift):
    """Numbers the parts of a rolled image that were contiguous before.

    Args:
        height: Integer or integer tensor.
        width: Integer or integer tensor.
        window: Pair (rows, columns); None for all rows or columns.
        shift: Pair (rows, columns), how far the image was rolled.

    Returns:
        Integer array of shape (windows, pixels).
    """
    if isinstance(height, int) and isinstance(width, int):
        return _known_regions(height, width, window, shift)
    return _regions(ops, height, width, window, shift)


@functools.lru_cache(maxsize=32)
def _known_regions(*size):
    return _regions(np, *size)


def _regions(xp, height, width, window, shift):
    rows, columns = whole_window(window, height, width)
    down = _parts(xp, height, rows, shift[0])
    right = _parts(xp, width, columns, shift[1])
    regions = xp.reshape(
        3 * xp.expand_dims(down, 1) + right,
        (height // rows, rows, width // columns, columns),
    )
    regions = xp.transpose(regions, (0, 2, 1, 3))
    return xp.reshape(regions, (-1, rows * columns))


def _parts(xp, size, window, shift):
    """Returns 1 or 2 for the two parts of the last window, otherwise 0."""
    place = xp.arange(size, dtype="int32")
    if not shift:
        return 0 * place
    is_last = xp.where(place >= size - window, 1, 0)
    return is_last + xp.where(place >= size - shift, 1, 0)
