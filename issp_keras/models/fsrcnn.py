"""FSRCNN: a small network at LR resolution with a transposed convolution."""

import keras
from keras import layers

from issp_keras.models.parts.arguments import check_positive
from issp_keras.models.parts.arguments import check_scale
from issp_keras.models.parts.convolution import convolve
from issp_keras.models.parts.image import in_single_precision
from issp_keras.models.parts.image import rgb_input
from issp_keras.models.parts.prelu import prelu

# Height and width of the last kernel, and the index of its middle.
_KERNEL = 9
_MIDDLE = _KERNEL // 2


def fsrcnn(
    scale: int, features: int = 56, shrunk: int = 12, mappings: int = 4
) -> keras.Model:
    """Builds FSRCNN for RGB; the defaults give FSRCNN (56, 12, 4).

    A 5x5 convolution makes features, a 1x1 convolution reduces their number,
    3x3 convolutions follow, and a 1x1 convolution expands them again. PReLU
    follows each of them. A 9x9 transposed convolution makes the image.

    The paper's network works on Y only and has 12 thousand weights. Bicubic
    interpolation enlarges the colours there, but TFLite has no operator for
    it. This network works on RGB as all networks here do. Its first and last
    kernels have three times the weights, 24 thousand in all. The rest is the
    same. The ETDS authors trained this version, and their checkpoints can be
    loaded.

    The network takes RGB images of any height and width, float in 0..1, of
    shape (batch, height, width, 3). It returns (batch, scale * height, scale *
    width, 3), not clipped.

    Example:

    >>> model = fsrcnn(scale=4)
    >>> model.count_params()
    24683

    Args:
        scale: Integer, the magnification: 2, 3, 4 or 8.
        features: Integer, channels of the first and the last features, the
            paper's d. Defaults to `56`.
        shrunk: Integer, channels of the 3x3 convolutions, the paper's s.
            Defaults to `12`.
        mappings: Integer, number of 3x3 convolutions, the paper's m. Defaults
            to `4`.

    Returns:
        A functional `keras.Model` named "fsrcnn".

    Raises:
        ValueError: If `scale` is not one of these numbers, or another argument
            is not positive.

    Reference: Dong et al., Accelerating the Super-Resolution Convolutional
    Neural Network, ECCV 2016 (arXiv 1608.00367), Sec. 3.
    """
    check_scale(scale)
    check_positive(features=features, shrunk=shrunk, mappings=mappings)
    image = rgb_input()
    x = _convolve(image, features, "first_part", 0, size=5)
    x = _convolve(x, shrunk, "mid_part", 0, size=1)
    for i in range(mappings):
        x = _convolve(x, shrunk, "mid_part", 2 + 2 * i)
    x = _convolve(x, features, "mid_part", 2 + 2 * mappings, size=1)
    x = _enlarge(x, scale)
    return keras.Model(image, in_single_precision(x), name="fsrcnn")


def _convolve(x, filters, part, number, size=3):
    # PyTorch gives a convolution and its PReLU two numbers.
    x = convolve(x, filters, f"{part}.{number}", size)
    return prelu(x, f"{part}.{number + 1}")


def _enlarge(x, scale):
    x = layers.Conv2DTranspose(
        3,
        _KERNEL,
        strides=scale,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3),
        name="last_part",
    )(x)
    # The published networks crop more at the top and left than at the bottom
    # and right. Keras' "same" would crop both sides equally.
    surplus = _KERNEL - scale
    before = min(_MIDDLE, surplus)
    cut = (before, surplus - before)
    return layers.Cropping2D((cut, cut), name="crop")(x)
