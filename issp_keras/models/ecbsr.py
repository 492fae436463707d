"""ECBSR: plain convolutions, trained with edge-oriented branches."""

from typing import Any

import keras

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.image import add_anchor
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle
from issp_keras.models.parts.prelu import prelu
from issp_keras.models.parts.reparameterized import convolve_reparameterized

_ACTIVATIONS = ("prelu", "relu")

# Arguments by name: M blocks of C features.
ECBSR_SIZES: dict[str, dict[str, Any]] = {
    f"m{blocks}c{features}": {"features": features, "blocks": blocks}
    for blocks, features in (
        (4, 8),
        (4, 16),
        (4, 32),
        (6, 40),
        (10, 32),
        (16, 64),
    )
}


def ecbsr(
    scale: int,
    features: int = 16,
    blocks: int = 4,
    activation: str = "prelu",
    reparameterized: bool = False,
) -> keras.Model:
    """Builds ECBSR; the defaults give ECBSR-M4C16.

    The network has `blocks + 2` 3x3 convolutions at LR resolution. An
    activation follows each convolution except the last. The image, repeated
    `scale**2` times, is added to the output of the last convolution. A pixel
    shuffle makes the result.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale
    * width, 3), not clipped. `ECBSR_SIZES` names sizes; `NETWORKS` has them as
    `ecbsr_m4c16` and so on.

    The paper's network works on Y only. This network works on RGB, as the
    version of the ETDS authors does. Their checkpoints can be loaded.

    Example:

    >>> model = ecbsr(scale=4, **ECBSR_SIZES["m6c40"])
    >>> model.count_params()
    105368

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `16`.
        blocks: Integer, number of convolutions between the first and the
            last. Defaults to `4`.
        activation: String, `"prelu"` or `"relu"`. TFLite fuses ReLU into the
            convolution before it. Defaults to `"prelu"`.
        reparameterized: Boolean. If true, each convolution is trained as a
            sum of branches. After the training, `issp_keras.models.merge`
            returns the plain network. Defaults to `False`.

    Returns:
        A functional `keras.Model` named "ecbsr".

    Raises:
        ValueError: If `scale` or `activation` is not one of these, or
            `features` or `blocks` is not positive.

    Reference: Zhang et al., Edge-oriented Convolution Block for Real-time
    Super Resolution on Mobile Devices, ACM MM 2021, Sec. 3.
    """
    check_scale(scale)
    check_positive(features=features, blocks=blocks)
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {', '.join(map(repr, _ACTIVATIONS))}."
            f" Received: activation={activation!r}"
        )
    image = rgb_input()
    x = image
    fused = None if activation == "prelu" else activation
    conv = convolve_reparameterized if reparameterized else convolve
    for i in range(blocks + 1):
        x = conv(x, features, f"backbone.{i}.conv3x3", activation=fused)
        if fused is None:
            x = prelu(x, f"backbone.{i}.act")
    x = conv(x, 3 * scale**2, f"backbone.{blocks + 1}.conv3x3")
    x = add_anchor(x, image, scale)
    x = pixel_shuffle(x, scale)
    return keras.Model(image, x, name="ecbsr")
