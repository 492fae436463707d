"""Enhanced spatial attention (ESA)."""

import keras
import numpy as np
from keras import layers
from keras import ops

from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import torch_uniform

# The smallest height and width for which the pooling has an output.
_LEAST = 15


def spatial_attention(x, channels, name):
    """Multiplies features by a mask computed at low resolution (ESA).

    The mask comes from features at half the size, after a 7x7 max pooling with
    stride 3. The official network fails for images with fewer than 15 rows or
    columns. Here the last row or column is repeated.

    Args:
        x: Keras tensor of shape (batch, height, width, features).
        channels: Integer, channels inside the attention.
        name: String, the prefix of the names of all layers.

    Returns:
        Keras tensor of the shape of `x`.

    Reference: Liu et al., Residual Feature Aggregation Network for Image
    Super-Resolution, CVPR 2020, Sec. 3.3.
    """
    reduced = convolve(x, channels, f"{name}.conv1", size=1)
    y = PadToAtLeast(_LEAST, name=f"{name}.pad")(reduced)
    start = torch_uniform(9 * channels)
    y = layers.Conv2D(
        channels,
        3,
        strides=2,
        kernel_initializer=start,
        bias_initializer=start.clone(),
        name=f"{name}.conv2",
    )(y)
    # XLA in TensorFlow has no gradient of pooling in bfloat16.
    y = layers.MaxPooling2D(7, strides=3, dtype="float32", name=f"{name}.pool")(
        y
    )
    y = convolve(y, channels, f"{name}.conv3.eval_conv")
    y = ResizeLike(name=f"{name}.resize")(y, reduced)
    direct = convolve(reduced, channels, f"{name}.conv_f", size=1)
    y = layers.Add(name=f"{name}.add")([y, direct])
    mask = convolve(
        y, x.shape[-1], f"{name}.conv4", size=1, activation="sigmoid"
    )
    return layers.Multiply(name=f"{name}.multiply")([x, mask])


@keras.saving.register_keras_serializable(package="issp_keras")
class PadToAtLeast(layers.Layer):
    """Repeats the last row and column of images that are too small.

    Args:
        size: Integer, the least height and width of the result.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        for axis, now in ((1, height), (2, width)):
            if isinstance(now, int) and now >= self.size:
                continue
            x = ops.take(x, self._sources(now), axis=axis)
        return x

    def _sources(self, now):
        """Returns the source of each row or column of the result."""
        xp = np if isinstance(now, int) else ops
        places = xp.arange(xp.maximum(now, self.size), dtype="int32")
        return xp.minimum(places, now - 1)

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        padded = (n if n is None else max(n, self.size) for n in size)
        return (batch, *padded, channels)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="issp_keras")
class ResizeLike(layers.Layer):
    """Resizes features to the size of other features, bilinearly."""

    def call(self, x, like):
        size = ops.shape(like)[1:3]
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Keras' `resize` needs a size that is known before the run.
            return ops.cast(tf.image.resize(x, size), x.dtype)
        return ops.image.resize(x, size, interpolation="bilinear")

    def compute_output_shape(self, x_shape, like_shape):
        return (x_shape[0], *like_shape[1:3], x_shape[-1])
