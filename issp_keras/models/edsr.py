"""EDSR: enhanced deep residual networks for super-resolution."""

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_finite
from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import upsample
from issp_keras.models.parts.image import denormalize
from issp_keras.models.parts.image import normalize
from issp_keras.models.parts.image import rgb_input

_RANGE = 255.0


def edsr(
    scale: int,
    features: int = 64,
    blocks: int = 16,
    residual_scale: float = 1.0,
) -> keras.Model:
    """Builds EDSR; the defaults give EDSR-baseline.

    The network is fully convolutional. It takes RGB images of any height and
    width, float in 0..1, of shape (batch, height, width, 3). It returns
    (batch, scale * height, scale * width, 3), not clipped. EDSR-L is
    `edsr(scale, features=256, blocks=32, residual_scale=0.1)`.

    Example:

    >>> model = edsr(scale=4)
    >>> model.count_params()
    1517571

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `64`.
        blocks: Integer, number of residual blocks. Defaults to `16`.
        residual_scale: Float, factor on each block's residual.
            Defaults to `1.0`.

    Returns:
        A functional `keras.Model` named "edsr".

    Raises:
        ValueError: If `scale` is not one of these numbers, `features` or
            `blocks` is not positive, or `residual_scale` is not finite.

    Reference: Lim et al., Enhanced Deep Residual Networks for Single Image
    Super-Resolution, CVPRW 2017 (arXiv 1707.02921), Sec. 3.
    """
    check_scale(scale)
    check_positive(features=features, blocks=blocks)
    check_finite(residual_scale=residual_scale)
    image = rgb_input()
    x = normalize(image, _RANGE)
    x = first = convolve(x, features, "conv_first")
    for i in range(blocks):
        x = _residual_block(x, residual_scale, name=f"body.{i}")
    x = convolve(x, features, "conv_after_body")
    x = layers.Add(name="global_skip")([x, first])
    x = upsample(x, scale)
    x = convolve(x, 3, "conv_last")
    x = denormalize(x, _RANGE)
    return keras.Model(image, x, name="edsr")


def _residual_block(x, residual_scale, name):
    features = x.shape[-1]
    y = convolve(x, features, f"{name}.conv1", activation="relu")
    y = convolve(y, features, f"{name}.conv2")
    if residual_scale != 1.0:
        y = layers.Rescaling(residual_scale, name=f"{name}.scale")(y)
    return layers.Add(name=f"{name}.add")([x, y])
