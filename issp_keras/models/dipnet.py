"""DIPNet: distilled and pruned residual features with spatial attention."""

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.image import in_single_precision
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle
from issp_keras.models.parts.spatial_attention import spatial_attention

_ACTIVATIONS = ("silu", "relu")


def dipnet(
    scale: int,
    features: int = 32,
    blocks: int = 4,
    attention: int = 16,
    activation: str = "silu",
) -> keras.Model:
    """Builds DIPNet; the defaults give DIPNet_slim_v2 of NTIRE 2025.

    A first convolution makes features. The blocks follow. Each has three 3x3
    convolutions, a skip connection, a 1x1 convolution and a spatial attention.
    A skip connection over all blocks, a convolution and a pixel shuffle
    follow. This is the deployed form of the network: each convolution is the
    merged form of the branches of the training. Most convolutions have no
    bias.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale
    * width, 3), not clipped. `NETWORKS` has it as `dipnet`, and with ReLU as
    `dipnet_relu`.

    Example:

    >>> model = dipnet(scale=4)
    >>> model.count_params()
    154336

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the body. Defaults to `32`.
        blocks: Integer, number of blocks. Defaults to `4`.
        attention: Integer, channels inside the attention. Defaults to `16`.
        activation: String, `"silu"` as in the official network, or `"relu"`.
            TFLite fuses ReLU into the convolution before it. SiLU is two more
            operators. Defaults to `"silu"`.

    Returns:
        A functional `keras.Model` named "dipnet".

    Raises:
        ValueError: If `scale` or `activation` is not one of these, or another
            argument is not positive.

    Reference: Yu et al., DIPNet: Efficiency Distillation and Iterative Pruning
    for Image Super-Resolution, CVPRW 2023 (arXiv 2304.07018); Ren et al., The
    Tenth NTIRE 2025 Efficient Super-Resolution Challenge Report, CVPRW 2025
    (arXiv 2504.10686), team 15.
    """
    check_scale(scale)
    check_positive(features=features, blocks=blocks, attention=attention)
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {', '.join(map(repr, _ACTIVATIONS))}."
            f" Received: activation={activation!r}"
        )
    image = rgb_input()
    first = convolve(image, features, "conv_1.eval_conv", use_bias=False)
    x = first
    for i in range(blocks):
        x = _block(x, attention, activation, name=f"block_{i + 1}")
    x = convolve(x, features, "conv_2", size=1, use_bias=False)
    x = layers.Add(name="global_skip")([x, first])
    x = convolve(x, 3 * scale**2, "upsampler.0.eval_conv", use_bias=False)
    x = pixel_shuffle(in_single_precision(x), scale)
    return keras.Model(image, x, name="dipnet")


def _block(x, attention, activation, name):
    features = x.shape[-1]
    y = x
    for i in (1, 2, 3):
        y = convolve(
            y,
            features,
            f"{name}.c{i}_r.eval_conv",
            activation=activation,
            use_bias=False,
        )
    y = layers.Add(name=f"{name}.add")([y, x])
    y = convolve(y, features, f"{name}.c5", size=1, use_bias=False)
    return spatial_attention(y, attention, f"{name}.esa")
