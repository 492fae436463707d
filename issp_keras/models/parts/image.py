"""Layers for the input image and the output image of networks."""

import keras
import numpy as np
from keras import layers
from keras import ops

# Mean colour of DIV2K, as in the official networks.
_RGB_MEAN = (0.4488, 0.4371, 0.4040)


def rgb_input():
    """Returns the input for RGB images: (batch, height, width, 3) in 0..1.

    Networks that normalize the image also accept one channel. It counts as
    three equal channels.
    """
    return keras.Input((None, None, 3), name="lr")


def normalize(image, value_range):
    """Subtracts the mean colour, and scales 0..1 to `value_range`.

    It computes in float32 also with mixed precision, since half floats lose
    grey levels.
    """
    return layers.Rescaling(
        value_range,
        [-value_range * mean for mean in _RGB_MEAN],
        dtype="float32",
        name="normalize",
    )(image)


def denormalize(x, value_range):
    """The inverse of `normalize`, in float32 too."""
    return layers.Rescaling(
        1 / value_range, _RGB_MEAN, dtype="float32", name="denormalize"
    )(x)


def add_anchor(x, image, scale):
    """Adds the image to each of `scale**2` groups of 3 channels, in float32.

    After a pixel shuffle, this adds the nearest-neighbour enlargement.

    Args:
        x: Keras tensor of shape (batch, height, width, 3 * scale**2).
        image: Keras tensor of shape (batch, height, width, 3).
        scale: Integer, the magnification.

    Returns:
        Keras tensor of the shape of `x`.
    """
    anchor = layers.Concatenate(dtype="float32", name="anchor")
    return layers.Add(dtype="float32", name="add")(
        [x, anchor([image] * scale**2)]
    )


def in_single_precision(x):
    """Returns an output image as float32, also with mixed precision."""
    return layers.Activation("linear", dtype="float32", name="sr")(x)


class ImageLayer(layers.Layer):
    """A layer that computes in float32, also with mixed precision."""

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)


@keras.saving.register_keras_serializable(package="issp_keras")
class PadToMultiple(ImageLayer):
    """Pads an image at bottom and right to multiples of a length.

    The padding mirrors the image. If the image is smaller than the padding,
    its edge is repeated.

    Args:
        multiple: Integer, the length.
        mode: String, `"reflect"` to mirror without the last pixel, or
            `"symmetric"` to mirror with the last pixel.
    """

    def __init__(self, multiple, mode="reflect", **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple
        self.mode = mode

    def call(self, image):
        _, height, width, _ = ops.shape(image)
        for axis, size in ((1, height), (2, width)):
            if isinstance(size, int) and size % self.multiple == 0:
                continue
            image = ops.take(image, self._sources(size), axis=axis)
        return image

    def _sources(self, size):
        """Returns the source of each row or column of the result."""
        xp = np if isinstance(size, int) else ops
        padded = -(-size // self.multiple) * self.multiple
        places = xp.arange(padded, dtype="int32")
        turn = 2 * size - (2 if self.mode == "reflect" else 1)
        last = size - 1
        is_enough = padded - 1 <= turn
        mirrored = xp.where(is_enough, turn - places, last)
        sources = xp.where(places > last, mirrored, places)
        return ops.cast(sources, "int32")

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        m = self.multiple
        padded = (n if n is None else -(-n // m) * m for n in size)
        return (batch, *padded, channels)

    def get_config(self):
        config = {"multiple": self.multiple, "mode": self.mode}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="issp_keras")
class CropToScale(ImageLayer):
    """Crops an enlarged image to `scale` times the size of the original.

    Args:
        scale: Integer, the magnification.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, enlarged, original):
        size = _enlarged(ops.shape(original), self.scale)[1:3]
        now = ops.shape(enlarged)[1:3]
        if all(isinstance(n, int) for n in (*size, *now)) and size == now:
            return enlarged
        return enlarged[:, : size[0], : size[1]]

    def compute_output_shape(self, enlarged_shape, original_shape):
        return _enlarged(original_shape, self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="issp_keras")
class Enlarge(ImageLayer):
    """Enlarges an image by interpolation.

    `keras.layers.UpSampling2D` cannot be exported for images of any size.

    Args:
        scale: Integer, the magnification.
        interpolation: String, `"bilinear"` or `"nearest"`.
    """

    def __init__(self, scale, interpolation, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.interpolation = interpolation

    def call(self, image):
        size = _enlarged(ops.shape(image), self.scale)[1:3]
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Keras' `resize` needs a size that is known before the run.
            return tf.image.resize(image, size, self.interpolation)
        return ops.image.resize(image, size, interpolation=self.interpolation)

    def compute_output_shape(self, input_shape):
        return _enlarged(input_shape, self.scale)

    def get_config(self):
        config = {"scale": self.scale, "interpolation": self.interpolation}
        return {**super().get_config(), **config}


def _enlarged(shape, scale):
    batch, *size, channels = shape
    return (batch, *(n if n is None else n * scale for n in size), channels)
