"""CAT: cross aggregation transformer, with attention in rectangles."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_depths
from issp_keras.models.parts.arguments import check_heads
from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_rate
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.arguments import hidden_channels
from issp_keras.models.parts.arguments import per_group
from issp_keras.models.parts.attention import RectangleAttention
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import convolve_depthwise
from issp_keras.models.parts.convolution import upsample
from issp_keras.models.parts.image import CropToScale
from issp_keras.models.parts.image import PadToMultiple
from issp_keras.models.parts.image import denormalize
from issp_keras.models.parts.image import normalize
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.normalization import ChannelNormalization
from issp_keras.models.parts.stochastic_depth import add_residual
from issp_keras.models.parts.transformer import drop_path_rates
from issp_keras.models.parts.transformer import feed_forward
from issp_keras.models.parts.transformer import linear
from issp_keras.models.parts.windows import WindowMask

_RANGE = 1.0
_MULTIPLE = 16


def cat(
    scale: int,
    embedding: int = 180,
    depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
    heads: int | Sequence[int] = 6,
    windows: Sequence = (4, 16),
    mlp_ratio: float = 4.0,
    features: int = 64,
    drop_path: float = 0.1,
) -> keras.Model:
    """Builds CAT; the defaults give CAT-R.

    Half of the channels use attention inside rectangles. The other half use
    the same rectangles rotated by 90 degrees. The network takes RGB images of
    any height and width, float in 0..1, of shape (batch, height, width, 3). It
    returns (batch, scale * height, scale * width, 3), not clipped. If a size
    is not a multiple of 16 and of the windows, the image is padded by
    mirroring and the result is cropped. CAT-A has rectangles as long as the
    image. It is `cat(scale, windows=((2, None),) * 3 + ((4, None),) * 3)`.

    Example:

    >>> model = cat(scale=4)
    >>> model.count_params()
    16603815

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        embedding: Integer, channels of the body. Defaults to `180`.
        depths: Sequence of integers, blocks in each group.
            Defaults to `(6, 6, 6, 6, 6, 6)`.
        heads: Integer, attention heads of both halves together, or a sequence
            of integers, one for each group. Defaults to `6`.
        windows: Pair of integers, the sides of the rectangles, or a sequence
            of such pairs, one for each group. If the second side is None, the
            rectangles are as long as the image. Every second block shifts the
            rectangles by half their sides. Defaults to `(4, 16)`.
        mlp_ratio: Float, hidden channels of a block's MLP divided by
            `embedding`. Defaults to `4.0`.
        features: Integer, channels after the body. Defaults to `64`.
        drop_path: Float, rate of stochastic depth during training. It grows
            from 0 at the first block to this value at the last. Defaults to
            `0.1`.

    Returns:
        A functional `keras.Model` named "cat".

    Raises:
        ValueError: If an argument is not one of these, `heads` is odd, or
            `heads` does not divide `embedding`.

    Reference: Chen et al., Cross Aggregation Transformer for Image
    Restoration, NeurIPS 2022 (arXiv 2211.13654), Sec. 3.
    """
    check_scale(scale)
    check_positive(embedding=embedding, features=features)
    depths = check_depths(depths)
    each = per_group("heads", heads, len(depths))
    check_heads(embedding, each)
    if any(number % 2 for number in each):
        raise ValueError(
            "`heads` must be even, half for each branch. Received: "
            f"heads={heads}"
        )
    pairs = _pairs(windows, len(depths))
    check_rate(drop_path=drop_path)
    hidden = hidden_channels(embedding, mlp_ratio)
    sides = {side for pair in pairs for side in pair if side is not None}
    image = rgb_input()
    x = PadToMultiple(math.lcm(_MULTIPLE, *sides), "symmetric", name="pad")(
        image
    )
    x = normalize(x, _RANGE)
    x = first = convolve(x, embedding, "conv_first")
    x = ChannelNormalization(name="before_RG.1")(x)
    masks: dict = {}
    rates = drop_path_rates(drop_path, depths)
    for i, group_rates in enumerate(rates):
        group = x
        for j, rate in enumerate(group_rates):
            name = f"layers.{i}.blocks.{j}"
            branches = _branches(pairs[i], is_shifted=j % 2 == 1)
            x = _block(x, each[i], branches, masks, rate, name)
            x = feed_forward(x, hidden, rate, name)
        x = convolve(x, embedding, f"layers.{i}.conv")
        x = layers.Add(name=f"layers.{i}.add")([group, x])
    x = ChannelNormalization(name="norm")(x)
    x = convolve(x, embedding, "conv_after_body")
    x = layers.Add(name="global_skip")([x, first])
    x = convolve(x, features, "conv_before_upsample.0")
    x = layers.LeakyReLU(0.01, name="conv_before_upsample.1")(x)
    x = upsample(x, scale)
    x = convolve(x, 3, "conv_last")
    x = denormalize(x, _RANGE)
    x = CropToScale(scale, name="crop")(x, image)
    return keras.Model(image, x, name="cat")


def _pairs(windows, groups):
    """The sides of each group's rectangles."""
    pairs = windows
    if _is_pair(windows) and not isinstance(windows[0], Sequence):
        pairs = (windows,) * groups
    if (
        not isinstance(pairs, Sequence)
        or len(pairs) != groups
        or not all(map(_is_pair, pairs))
    ):
        raise ValueError(
            "`windows` must be one pair, or one pair for each of "
            f"{groups} groups of blocks. Received: windows={windows!r}"
        )
    for short, long in pairs:
        check_positive(windows=short)
        if long is not None:
            check_positive(windows=long)
    return [tuple(pair) for pair in pairs]


def _is_pair(value):
    return isinstance(value, Sequence) and len(value) == 2


def _branches(pair, is_shifted):
    """Returns window and shift, both (rows, columns), of each branch."""
    short, long = pair
    shift = (short // 2, (long or 0) // 2) if is_shifted else (0, 0)
    branches = ((pair, shift), (pair[::-1], shift[::-1]))
    # In the official network, the first branch has whole columns in CAT-A, but
    # wide rectangles in CAT-R.
    return branches[::-1] if long is None else branches


def _block(x, heads, branches, masks, drop_path, name):
    """The first half of a block: attention in both branches."""
    channels = x.shape[-1]
    y = ChannelNormalization(name=f"{name}.norm1")(x)
    qkv = linear(y, 3 * channels, f"{name}.qkv")
    halves = []
    for i, (window, shift) in enumerate(branches):
        attention = RectangleAttention(
            i, heads // 2, window, shift, name=f"{name}.attns.{i}"
        )
        mask = _mask(qkv, window, shift, masks) if any(shift) else None
        halves.append(attention(qkv, mask))
    y = layers.Concatenate(name=f"{name}.attns")(halves)
    # The locality module: a depthwise convolution of the attention's values.
    values = qkv[..., 2 * channels :]
    local = convolve_depthwise(values, f"{name}.get_v")
    y = layers.Add(name=f"{name}.locality")([y, local])
    y = linear(y, channels, f"{name}.proj")
    return add_residual(x, y, drop_path, f"{name}.attn")


def _mask(x, window, shift, masks):
    """Returns the mask of a window and shift, shared by all blocks."""
    key = (window, shift)
    if key not in masks:
        name = f"attn_mask.{len(masks)}"
        masks[key] = WindowMask(window, shift, name=name)(x)
    return masks[key]
