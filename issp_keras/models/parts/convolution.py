"""Convolutions with PyTorch's initialisation, and upsampling."""

import math

from keras import initializers
from keras import layers

from issp_keras.models.parts.pixel_shuffle import pixel_shuffle

_STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}


def convolve(x, filters, name, size=3, activation=None, use_bias=True):
    """Applies a convolution that keeps height and width.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        filters: Integer, channels of the result.
        name: String, name of the layer.
        size: Integer, height and width of the kernel. Defaults to `3`.
        activation: String, as in `keras.layers.Conv2D`. Defaults to none.
        use_bias: Boolean, whether to add a bias. Defaults to `True`.

    Returns:
        Keras tensor of shape (batch, height, width, filters).
    """
    start = torch_uniform(size * size * x.shape[-1])
    return layers.Conv2D(
        filters,
        size,
        padding="same",
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=start,
        bias_initializer=start.clone(),
        name=name,
    )(x)


def convolve_depthwise(x, name, activation=None):
    """Applies a 3x3 depthwise convolution.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        name: String, name of the layer.
        activation: String, as in `keras.layers.DepthwiseConv2D`. Defaults to
            none.

    Returns:
        Keras tensor of the shape of `x`.
    """
    start = torch_uniform(9)
    return layers.DepthwiseConv2D(
        3,
        padding="same",
        activation=activation,
        depthwise_initializer=start,
        bias_initializer=start.clone(),
        name=name,
    )(x)


def torch_uniform(fan_in):
    """Returns PyTorch's default initialiser for convolutions."""
    bound = 1 / math.sqrt(fan_in)
    return initializers.RandomUniform(-bound, bound)


def upsample(x, scale):
    """Magnifies features in steps of 2 or one step of 3.

    The layers are named `upsample.0` and so on.

    Args:
        x: Keras tensor of shape (batch, height, width, features).
        scale: Integer, 2, 3, 4 or 8.

    Returns:
        Keras tensor of shape (batch, scale * height, scale * width, features).
    """
    features = x.shape[-1]
    for i, factor in enumerate(_STAGES[scale]):
        # Official networks give a convolution and its shuffle two numbers.
        x = convolve(x, features * factor**2, f"upsample.{2 * i}")
        x = pixel_shuffle(x, factor)
    return x
