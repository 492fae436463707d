"""A network that TFLite's built-in XNNPACK runs sparse on ARM."""

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

    TFLite computes sparse convolutions only in XNNPACK, and not on x86 CPUs
    with AVX. XNNPACK does so only in a part of a network that follows these
    rules (`xnn_check_nchw_compatibility` and `xnn_subgraph_rewrite_for_nchw`
    in XNNPACK's `subgraph.c`):

    - The part begins with a 3x3 convolution of an RGB image with stride 2,
      padded by one pixel on all four sides. This is `stem`. TensorFlow's
      "same" pads only two sides for a stride of 2, so the padding is a
      separate layer.
    - Inside, the part has only 1x1 convolutions (which run sparse), depthwise
      3x3 convolutions, additions, and elementwise operations such as ReLU.
      These are the inverted residuals `body.0`, `body.1`, ... A 3x3
      convolution would make the whole part dense.
    - The part ends with `depth_to_space` by twice the scale, since the stem
      halves the image.
    - The part exchanges no inner values with the rest of the network. The
      enlarged image is added after `depth_to_space` (`skip`). There the result
      is also cropped if height or width is odd.
    - More than two thirds of the weights of all its 1x1 convolutions are zero,
      and the numbers are float32 or float16. So prune the network to 70 % or
      more. Zeros in the stem and the depthwise convolutions do not save time:
      use `exclude=["stem", "depthwise"]`.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale *
    width, 3), not clipped. `EDGE_SR_SIZES` names three sizes; `NETWORKS` has
    them as `edge_sr_30k`, `edge_sr_100k` (the defaults) and `edge_sr_300k`.

    Example:

    >>> model = edge_sr(scale=4, **EDGE_SR_SIZES["30k"])

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        width: Integer, channels between blocks. Defaults to `48`.
        blocks: Integer, number of inverted residuals. Defaults to `9`.
        expansion: Integer, the factor on the number of channels inside a
            block. Defaults to `2`.
        skip: String or None, how the input image is enlarged before it is
            added to the output: `"bilinear"`, or `"nearest"`, which
            accelerators prefer. With None, no image is added. Defaults to
            `"bilinear"`.

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
    # For odd sizes, the converter would turn the padding back into "same".
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
    # Small initial weights, so that training begins with the enlarged image.
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
