"""A network that TFLite's stock XNNPACK runs sparse on ARM as it is."""

from typing import Any

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.attention import SMALL
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import convolve_depthwise
from issp_keras.models.parts.convolution import torch_uniform
from issp_keras.models.parts.image import CropToScale
from issp_keras.models.parts.image import Enlarge
from issp_keras.models.parts.image import PadToMultiple
from issp_keras.models.parts.image import denormalize
from issp_keras.models.parts.image import normalize
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle

_RANGE = 1.0
_SKIPS = ("bilinear", "nearest", None)

# Arguments for about 30, 100 and 300 thousand weights at x4.
EDGE_SR_SIZES: dict[str, dict[str, Any]] = {
    "30k": {"width": 24, "blocks": 9},
    "100k": {"width": 48, "blocks": 9},
    "300k": {"width": 64, "blocks": 16},
}


def edge_sr(
    scale: int,
    width: int = 48,
    blocks: int = 9,
    expansion: int = 2,
    skip: str | None = "bilinear",
) -> keras.Model:
    """Builds a network whose sparse 1x1 convolutions are fast on phones.

    TFLite computes sparse convolutions only in XNNPACK, not on x86 CPUs with
    AVX, and only in a part of a network that keeps these rules
    (`xnn_check_nchw_compatibility` and `xnn_subgraph_rewrite_for_nchw` in
    XNNPACK's `subgraph.c`):

    - It begins with a 3x3 convolution of an RGB image, of stride 2, padded by
      one pixel on all four sides: `stem`. TensorFlow's "same" pads a stride
      of 2 on two sides only, so the padding is a layer of its own.
    - Inside are only 1x1 convolutions, which are what runs sparse, depthwise
      3x3 convolutions, additions, and operations on single values such as
      ReLU: inverted residuals `body.0`, `body.1`, ... A 3x3 convolution would
      make everything dense.
    - It ends in `depth_to_space`, of twice the scale, since the stem halves
      the image.
    - Nothing inside is used outside, and nothing comes in from outside: the
      enlarged image is added behind `depth_to_space` (`skip`), and the result
      is cropped there if height or width is odd.
    - More than two thirds of the weights of all its 1x1 convolutions are
      zero, and numbers are float32 or float16. Prune it to 70 % or more; the
      few weights of stem and depthwise convolutions gain nothing:
      `exclude=["stem", "depthwise"]`.

    It takes RGB images of any height and width, float in 0..1, of shape
    (batch, height, width, 3), and returns (batch, scale * height, scale *
    width, 3), not clipped. `EDGE_SR_SIZES` names three sizes, in `NETWORKS`
    `edge_sr_30k`, `edge_sr_100k` (the defaults) and `edge_sr_300k`.

    Example:

    >>> model = edge_sr(scale=4, **EDGE_SR_SIZES["30k"])

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        width: Integer, channels between blocks. Defaults to `48`.
        blocks: Integer, number of inverted residuals. Defaults to `9`.
        expansion: Integer, how many times more channels there are inside a
            block. Defaults to `2`.
        skip: String, how the image is enlarged to which the network adds:
            `"bilinear"`, `"nearest"`, which accelerators prefer, or None for
            no image. Defaults to `"bilinear"`.

    Returns:
        A functional `keras.Model` named "edge_sr".

    Raises:
        ValueError: If an argument is not one of these.

    Reference: Sandler et al., MobileNetV2, CVPR 2018 (arXiv 1801.04381),
    Sec. 3.3, for inverted residuals; Elsen et al., Fast Sparse ConvNets, CVPR
    2020 (arXiv 1911.09723), for their sparse inference.
    """
    check_scale(scale)
    check_positive(width=width, blocks=blocks, expansion=expansion)
    if skip not in _SKIPS:
        raise ValueError(
            f"`skip` must be one of {', '.join(map(repr, _SKIPS))}. "
            f"Received: skip={skip!r}"
        )
    image = rgb_input()
    # Of odd sizes, the converter would make "same" padding again.
    x = PadToMultiple(2, "symmetric", name="pad_to_even")(image)
    x = normalize(x, _RANGE)
    x = layers.ZeroPadding2D(1, name="pad")(x)
    start = torch_uniform(27)
    x = layers.Conv2D(
        width,
        3,
        strides=2,
        activation="relu",
        kernel_initializer=start,
        bias_initializer=start.clone(),
        name="stem",
    )(x)
    for i in range(blocks):
        x = _inverted_residual(x, expansion, name=f"body.{i}")
    # Small at first, so that training begins at the enlarged image.
    x = layers.Conv2D(
        3 * (2 * scale) ** 2, 1, kernel_initializer=SMALL.clone(), name="head"
    )(x)
    x = pixel_shuffle(x, 2 * scale)
    x = CropToScale(scale, name="crop")(x, image)
    if skip is None:
        x = denormalize(x, _RANGE)
    else:
        enlarged = Enlarge(scale, skip, name="skip")(image)
        x = layers.Add(dtype="float32", name="add")([x, enlarged])
    return keras.Model(image, x, name="edge_sr")


def _inverted_residual(x, expansion, name):
    width = x.shape[-1]
    y = convolve(x, expansion * width, f"{name}.expand", 1, "relu")
    y = convolve_depthwise(y, f"{name}.depthwise", "relu")
    y = convolve(y, width, f"{name}.project", 1)
    return layers.Add(name=f"{name}.add")([x, y])
