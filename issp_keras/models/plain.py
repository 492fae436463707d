"""A plain network of 3x3 convolutions at LR resolution, for CPUs and phones."""

import functools
from typing import Any

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.attention import SMALL
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.image import add_anchor
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle
from issp_keras.models.parts.reparameterized import convolve_reparameterized

# Arguments by name: features x convolutions of the blocks.
PLAIN_SIZES: dict[str, dict[str, Any]] = {
    "16x8": {"features": 16, "blocks": 4},
    "16x16": {"features": 16, "blocks": 8},
    "24x16": {"features": 24, "blocks": 8},
    "32x8": {"features": 32, "blocks": 4},
    "32x16": {"features": 32, "blocks": 8},
    "48x16": {"features": 48, "blocks": 8},
    "64x16": {"features": 64, "blocks": 8},
    "96x16": {"features": 96, "blocks": 8},
    **{
        f"res{features}x16": {
            "features": features,
            "blocks": 4,
            "convs": 4,
            "last_conv": True,
        }
        for features in (32, 48, 64, 96)
    },
}


def plain(
    scale: int,
    features: int = 32,
    blocks: int = 8,
    convs: int = 2,
    residual: bool = True,
    last_conv: bool = False,
    reparameterized: bool = False,
) -> keras.Model:
    """Builds a network of 3x3 convolutions and ReLU at LR resolution.

    A first convolution makes features. `blocks` blocks of `convs` convolutions
    follow. The head makes `3 * scale**2` channels. The image, repeated
    `scale**2` times, is added to the head as an anchor. So the network learns
    the difference from the nearest-neighbour enlargement. `depth_to_space`
    then turns channels into pixels. Every operator runs in full integers and
    in the sparse delegate.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale *
    width, 3), not clipped. `PLAIN_SIZES` names sizes; `NETWORKS` has them as
    `plain_32x16` (the defaults), `plain_res48x16` and so on.

    Example:

    >>> model = plain(scale=4, **PLAIN_SIZES["16x16"])
    >>> model.count_params()
    44528

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `32`.
        blocks: Integer, number of blocks. Defaults to `8`.
        convs: Integer, convolutions in a block. Defaults to `2`.
        residual: Boolean. If true, the input of each block is added to its
            output, and the last convolution of the block has no ReLU.
            Defaults to `True`.
        last_conv: Boolean, whether one more convolution follows the blocks.
            Defaults to `False`.
        reparameterized: Boolean. If true, each convolution is trained as a
            sum of branches (ECB). With `residual`, the input is no branch,
            since the block adds it. After the training,
            `issp_keras.models.merge` returns the plain network. Do not prune a
            sum of branches: zeros of the variables are not zeros of the sum.
            Merge first, then train sparse. Defaults to `False`.

    Returns:
        A functional `keras.Model` named "plain".

    Raises:
        ValueError: If `scale` is not one of these numbers, or `features`,
            `blocks` or `convs` is not positive.

    Reference: Zhang et al., Edge-oriented Convolution Block (ECBSR), ACM MM
    2021, for the plain body with a head at LR; Du et al., Anchor-based Plain
    Net (ABPN), CVPRW 2021 (arXiv 2105.09750), Sec. 3.2, for the anchor; EDSR
    (arXiv 1707.02921), Sec. 3.1, for the residual blocks.
    """
    check_scale(scale)
    check_positive(features=features, blocks=blocks, convs=convs)
    image = rgb_input()
    conv = convolve
    if reparameterized:
        # A residual block adds its input itself. With both, the features would
        # double in each block.
        conv = functools.partial(
            convolve_reparameterized, identity=not residual
        )
    x = conv(image, features, "conv_first", activation="relu")
    for i in range(blocks):
        x = _block(x, conv, convs, residual, name=f"body.{i}")
    if last_conv:
        x = conv(x, features, "conv_last")
    x = _head(x, scale, reparameterized)
    x = add_anchor(x, image, scale)
    x = pixel_shuffle(x, scale)
    return keras.Model(image, x, name="plain")


def _block(x, conv, convs, residual, name):
    features = x.shape[-1]
    y = x
    for i in range(convs):
        is_last = i == convs - 1
        activation = None if residual and is_last else "relu"
        y = conv(y, features, f"{name}.conv{i + 1}", activation=activation)
    return layers.Add(name=f"{name}.add")([x, y]) if residual else y


def _head(x, scale, reparameterized):
    if reparameterized:
        # The features are no image, even if there are as many as outputs.
        return convolve_reparameterized(x, 3 * scale**2, "head", identity=False)
    # Small initial weights, so that training begins with the anchor.
    return layers.Conv2D(
        3 * scale**2,
        3,
        padding="same",
        kernel_initializer=SMALL.clone(),
        name="head",
    )(x)
