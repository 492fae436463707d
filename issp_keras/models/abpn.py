"""ABPN: a plain network whose output is added to the repeated image."""

from typing import Any

import keras

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.image import add_anchor
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle

# Arguments by name: M blocks of C features.
ABPN_SIZES: dict[str, dict[str, Any]] = {
    f"m{blocks}c{features}": {"features": features, "blocks": blocks}
    for blocks, features in ((4, 28), (6, 40))
}


def abpn(scale: int, features: int = 28, blocks: int = 4) -> keras.Model:
    """Builds the anchor-based plain net; the defaults give ABPN-M4C28.

    The network has `blocks + 2` 3x3 convolutions with ReLU at LR resolution.
    The last of them has `3 * scale**2` channels. One more convolution without
    ReLU follows. The image, repeated `scale**2` times, is added to its output
    as an anchor. A pixel shuffle makes the result. The network is designed for
    int8: every operator can be computed in 8-bit integers.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale
    * width, 3), not clipped. `ABPN_SIZES` names sizes; `NETWORKS` has them as
    `abpn_m4c28` and `abpn_m6c40`.

    Example:

    >>> model = abpn(scale=4)
    >>> model.count_params()
    62048

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `28`.
        blocks: Integer, number of convolutions of the body after the first.
            Defaults to `4`.

    Returns:
        A functional `keras.Model` named "abpn".

    Raises:
        ValueError: If `scale` is not one of these numbers, or `features` or
            `blocks` is not positive.

    Reference: Du et al., Anchor-based Plain Net for Mobile Image
    Super-Resolution, CVPRW 2021 (arXiv 2105.09750), Sec. 3.2.
    """
    check_scale(scale)
    check_positive(features=features, blocks=blocks)
    image = rgb_input()
    x = convolve(image, features, "backbone.0", activation="relu")
    # The ETDS authors' PyTorch code gives activations a number too.
    for i in range(blocks):
        x = convolve(x, features, f"backbone.{i + 2}.0", activation="relu")
    outputs = 3 * scale**2
    x = convolve(x, outputs, f"backbone.{blocks + 2}", activation="relu")
    x = convolve(x, outputs, f"backbone.{blocks + 4}")
    x = add_anchor(x, image, scale)
    x = pixel_shuffle(x, scale)
    return keras.Model(image, x, name="abpn")
