"""RCAN: residual channel attention networks."""

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import upsample
from issp_keras.models.parts.image import denormalize
from issp_keras.models.parts.image import normalize
from issp_keras.models.parts.image import rgb_input

_RANGE = 255.0


def rcan(
    scale: int,
    features: int = 64,
    groups: int = 10,
    blocks: int = 20,
    squeeze: int = 16,
) -> keras.Model:
    """Builds RCAN; the defaults give the network of its paper.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale *
    width, 3), not clipped. The layers have the names of BasicSR. The class of
    BasicSR defaults to `blocks=16`.

    Example:

    >>> model = rcan(scale=4)
    >>> model.count_params()
    15592355

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `64`.
        groups: Integer, number of residual groups. Defaults to `10`.
        blocks: Integer, residual blocks in each group. Defaults to `20`.
        squeeze: Integer, the reduction factor of the channels inside channel
            attention. Defaults to `16`.

    Returns:
        A functional `keras.Model` named "rcan".

    Raises:
        ValueError: If `scale` is not one of these numbers, another argument is
            not positive, or `features` is less than `squeeze`.

    Reference: Zhang et al., Image Super-Resolution Using Very Deep Residual
    Channel Attention Networks, ECCV 2018 (arXiv 1807.02758), Sec. 3.
    """
    check_scale(scale)
    check_positive(
        features=features, groups=groups, blocks=blocks, squeeze=squeeze
    )
    if features < squeeze:
        raise ValueError(
            "`features` must be at least `squeeze`. Received: "
            f"features={features}, squeeze={squeeze}"
        )
    image = rgb_input()
    x = normalize(image, _RANGE)
    x = first = convolve(x, features, "conv_first")
    for i in range(groups):
        x = _residual_group(x, blocks, squeeze, name=f"body.{i}")
    x = convolve(x, features, "conv_after_body")
    x = layers.Add(name="global_skip")([x, first])
    x = upsample(x, scale)
    x = convolve(x, 3, "conv_last")
    x = denormalize(x, _RANGE)
    return keras.Model(image, x, name="rcan")


def _residual_group(x, blocks, squeeze, name):
    y = x
    for i in range(blocks):
        y = _residual_block(y, squeeze, name=f"{name}.residual_group.{i}")
    y = convolve(y, x.shape[-1], f"{name}.conv")
    return layers.Add(name=f"{name}.add")([x, y])


def _residual_block(x, squeeze, name):
    features = x.shape[-1]
    y = convolve(x, features, f"{name}.rcab.0", activation="relu")
    y = convolve(y, features, f"{name}.rcab.2")
    y = _channel_attention(y, squeeze, name=f"{name}.rcab.3")
    return layers.Add(name=f"{name}.add")([x, y])


def _channel_attention(x, squeeze, name):
    """Scales channels by factors of their mean values (the paper's eq. 9)."""
    features = x.shape[-1]
    y = layers.GlobalAveragePooling2D(
        keepdims=True, name=f"{name}.attention.0"
    )(x)
    y = convolve(
        y,
        features // squeeze,
        f"{name}.attention.1",
        size=1,
        activation="relu",
    )
    y = convolve(
        y, features, f"{name}.attention.3", size=1, activation="sigmoid"
    )
    return layers.Multiply(name=f"{name}.scale")([x, y])
