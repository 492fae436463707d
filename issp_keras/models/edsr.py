"""EDSR: enhanced deep residual networks for super-resolution."""

import math

import keras
from keras import initializers
from keras import layers

from issp_keras.models.pixel_shuffle import pixel_shuffle

# Mean colour of DIV2K and range of the features, as in the official network.
_RGB_MEAN = (0.4488, 0.4371, 0.4040)
_RANGE = 255.0
_STAGES = {2: (2,), 3: (3,), 4: (2, 2)}


def edsr(
    scale: int,
    features: int = 64,
    blocks: int = 16,
    residual_scale: float = 1.0,
) -> keras.Model:
    """Builds EDSR; the defaults give EDSR-baseline.

    The network is fully convolutional: it takes RGB images of any height and
    width, float in 0..1, of shape (batch, height, width, 3), and returns
    (batch, scale * height, scale * width, 3), not clipped. EDSR-L is
    `edsr(scale, features=256, blocks=32, residual_scale=0.1)`.

    Example:

    >>> model = edsr(scale=4)
    >>> model.count_params()
    1517571

    Args:
        scale: Integer, the magnification: 2, 3 or 4.
        features: Integer, channels of the body. Defaults to `64`.
        blocks: Integer, number of residual blocks. Defaults to `16`.
        residual_scale: Float, factor of each block's residual.
            Defaults to `1.0`.

    Returns:
        A functional `keras.Model` named "edsr".

    Raises:
        ValueError: If `scale` is not 2, 3 or 4, or `features` or `blocks` is
            not positive.

    Reference: Lim et al., Enhanced Deep Residual Networks for Single Image
    Super-Resolution, CVPRW 2017 (arXiv 1707.02921), Sec. 3.
    """
    if scale not in _STAGES:
        raise ValueError(
            f"EDSR magnifies 2, 3 or 4 times. Received: scale={scale}"
        )
    if features < 1 or blocks < 1:
        raise ValueError(
            "`features` and `blocks` must be positive. "
            f"Received: features={features}, blocks={blocks}"
        )
    image = keras.Input((None, None, 3), name="lr")
    x = layers.Rescaling(
        _RANGE, [-_RANGE * mean for mean in _RGB_MEAN], name="normalize"
    )(image)
    x = first = _conv(features, 3, name="conv_first")(x)
    for i in range(blocks):
        x = _residual_block(x, features, residual_scale, name=f"body.{i}")
    x = _conv(features, features, name="conv_after_body")(x)
    x = layers.Add(name="global_skip")([x, first])
    for i, factor in enumerate(_STAGES[scale]):
        # Numbered as in the official network: a convolution, its shuffle.
        x = _conv(features * factor**2, features, f"upsample.{2 * i}")(x)
        x = pixel_shuffle(x, factor)
    x = _conv(3, features, name="conv_last")(x)
    x = layers.Rescaling(1 / _RANGE, _RGB_MEAN, name="denormalize")(x)
    return keras.Model(image, x, name="edsr")


def _residual_block(x, features, residual_scale, name):
    skip = x
    x = _conv(features, features, f"{name}.conv1", activation="relu")(x)
    x = _conv(features, features, f"{name}.conv2")(x)
    if residual_scale != 1.0:
        x = layers.Rescaling(residual_scale, name=f"{name}.scale")(x)
    return layers.Add(name=f"{name}.add")([skip, x])


def _conv(filters, channels, name, activation=None):
    """A 3x3 convolution, initialised as the official network's."""
    bound = 1 / math.sqrt(9 * channels)
    return layers.Conv2D(
        filters,
        3,
        padding="same",
        activation=activation,
        kernel_initializer=initializers.RandomUniform(-bound, bound),
        bias_initializer=initializers.RandomUniform(-bound, bound),
        name=name,
    )
