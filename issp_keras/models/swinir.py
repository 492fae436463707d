"""SwinIR: image restoration with attention in shifted windows."""

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
from issp_keras.models.parts.attention import WindowAttention
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.convolution import upsample
from issp_keras.models.parts.image import CropToScale
from issp_keras.models.parts.image import PadToMultiple
from issp_keras.models.parts.image import denormalize
from issp_keras.models.parts.image import normalize
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.normalization import ChannelNormalization
from issp_keras.models.parts.pixel_shuffle import pixel_shuffle
from issp_keras.models.parts.stochastic_depth import add_residual
from issp_keras.models.parts.transformer import drop_path_rates
from issp_keras.models.parts.transformer import feed_forward
from issp_keras.models.parts.transformer import linear
from issp_keras.models.parts.windows import Roll
from issp_keras.models.parts.windows import WindowMask

_RANGE = 1.0
_UPSAMPLERS = ("pixelshuffledirect", "pixelshuffle")


def swinir(
    scale: int,
    embedding: int = 60,
    depths: Sequence[int] = (6, 6, 6, 6),
    heads: int | Sequence[int] = 6,
    window: int = 8,
    mlp_ratio: float = 2.0,
    upsampler: str = "pixelshuffledirect",
    features: int = 64,
    drop_path: float = 0.1,
) -> keras.Model:
    """Builds SwinIR; the defaults give SwinIR-light.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale *
    width, 3), not clipped. If a size is not a multiple of the window, the
    image is padded by mirroring and the result is cropped. The classical
    SwinIR is `swinir(scale, 180, (6,) * 6, upsampler="pixelshuffle")`.

    Example:

    >>> model = swinir(scale=4)
    >>> model.count_params()
    929628

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        embedding: Integer, channels of the body. Defaults to `60`.
        depths: Sequence of integers, blocks in each group (RSTB).
            Defaults to `(6, 6, 6, 6)`.
        heads: Integer, attention heads, or a sequence of integers, one for
            each group. Defaults to `6`.
        window: Integer, height and width of the attention windows. Every
            second block shifts them by half their size. Defaults to `8`.
        mlp_ratio: Float, hidden channels of a block's MLP divided by
            `embedding`. Defaults to `2.0`.
        upsampler: String, `"pixelshuffledirect"` for one convolution and one
            pixel shuffle, or `"pixelshuffle"` for steps of 2 or one step of
            3. Defaults to `"pixelshuffledirect"`.
        features: Integer, channels after the body for `"pixelshuffle"`.
            Defaults to `64`.
        drop_path: Float, rate of stochastic depth during training. It grows
            from 0 at the first block to this value at the last. Defaults to
            `0.1`.

    Returns:
        A functional `keras.Model` named "swinir".

    Raises:
        ValueError: If an argument is not one of these, or `heads` does not
            divide `embedding`.

    Reference: Liang et al., SwinIR: Image Restoration Using Swin Transformer,
    ICCVW 2021 (arXiv 2108.10257), Sec. 3.
    """
    check_scale(scale)
    check_positive(embedding=embedding, window=window, features=features)
    depths = check_depths(depths)
    each = per_group("heads", heads, len(depths))
    check_heads(embedding, each)
    check_rate(drop_path=drop_path)
    if window < 2:
        raise ValueError(f"`window` must be at least 2. Received: {window}")
    if upsampler not in _UPSAMPLERS:
        raise ValueError(
            f"`upsampler` must be one of {', '.join(_UPSAMPLERS)}. "
            f"Received: upsampler={upsampler!r}"
        )
    hidden = hidden_channels(embedding, mlp_ratio)
    image = rgb_input()
    x = PadToMultiple(window, "reflect", name="pad")(image)
    x = normalize(x, _RANGE)
    x = first = convolve(x, embedding, "conv_first")
    mask = None
    if max(depths) > 1:
        half = (window // 2,) * 2
        mask = WindowMask((window, window), half, name="attn_mask")(x)
    x = ChannelNormalization(name="patch_embed.norm")(x)
    rates = drop_path_rates(drop_path, depths)
    for i, group_rates in enumerate(rates):
        group = x
        for j, rate in enumerate(group_rates):
            name = f"layers.{i}.blocks.{j}"
            is_shifted = mask is not None and j % 2 == 1
            x = _block(
                x, each[i], window, mask if is_shifted else None, rate, name
            )
            x = feed_forward(x, hidden, rate, name)
        x = convolve(x, embedding, f"layers.{i}.conv")
        x = layers.Add(name=f"layers.{i}.add")([group, x])
    x = ChannelNormalization(name="norm")(x)
    x = convolve(x, embedding, "conv_after_body")
    x = layers.Add(name="global_skip")([x, first])
    if upsampler == "pixelshuffle":
        x = convolve(x, features, "conv_before_upsample.0")
        x = layers.LeakyReLU(0.01, name="conv_before_upsample.1")(x)
        x = upsample(x, scale)
        x = convolve(x, 3, "conv_last")
    else:
        x = convolve(x, 3 * scale**2, "upsample.0")
        x = pixel_shuffle(x, scale)
    x = denormalize(x, _RANGE)
    x = CropToScale(scale, name="crop")(x, image)
    return keras.Model(image, x, name="swinir")


def _block(x, heads, window, mask, drop_path, name):
    """The first half of a block: attention in windows, shifted with a mask."""
    y = x
    half = window // 2
    if mask is not None:
        y = Roll(half, half, name=f"{name}.attn.roll")(y)
    y = ChannelNormalization(name=f"{name}.norm1")(y)
    y = linear(y, 3 * x.shape[-1], f"{name}.attn.qkv")
    attention = WindowAttention(heads, (window, window), name=f"{name}.attn")
    y = attention(y, mask)
    y = linear(y, x.shape[-1], f"{name}.attn.proj")
    if mask is not None:
        y = Roll(-half, -half, name=f"{name}.attn.roll_back")(y)
    return add_residual(x, y, drop_path, f"{name}.attn")
