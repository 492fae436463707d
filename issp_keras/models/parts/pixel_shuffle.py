"""Rearranges channels into pixels."""

import keras
from keras import ops


def pixel_shuffle(x, scale):
    """Moves each group of `scale * scale` channels into a block of pixels.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        scale: Integer, how many times taller and wider the result is.

    Returns:
        Keras tensor of shape
        (batch, scale * height, scale * width, channels / scale**2), channels
        in the order of TensorFlow's `depth_to_space`.
    """
    if hasattr(ops, "depth_to_space"):
        # Keras has this operation, so the model loads without issp_keras.
        return ops.depth_to_space(x, scale)
    # Keep the dtype of the input, as the operation does, also under mixed
    # precision.
    return PixelShuffle(scale, dtype=x.dtype)(x)


@keras.saving.register_keras_serializable(package="issp_keras")
class PixelShuffle(keras.layers.Layer):
    """`pixel_shuffle` as a layer, for Keras before 3.14.

    Args:
        scale: Integer, how many times taller and wider the result is.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, x):
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # TFLite has this operator too.
            return tf.nn.depth_to_space(x, self.scale)
        return self.rearrange(x)

    def rearrange(self, x):
        """Moves channels into pixels on any backend."""
        s = self.scale
        batch, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (batch, height, width, s, s, channels // s**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (batch, s * height, s * width, channels // s**2))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (
            batch,
            height and height * self.scale,
            width and width * self.scale,
            channels // self.scale**2,
        )

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
