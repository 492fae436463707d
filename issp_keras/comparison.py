"""A picture that shows what a network does."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from issp_keras import metrics
from issp_keras.data import Photograph
from issp_keras.data import crop_to_multiple
from issp_keras.data import imresize
from issp_keras.data import to_rgb
from issp_keras.inference import Network

_CROP = 96
_ENLARGE = 3
_LABEL = 26


def comparison(photograph: Photograph, network: Network) -> np.ndarray:
    """Makes a picture: LR (nearest), bicubic, the network's result, HR.

    It shows the square of the photograph where bicubic errs most, enlarged
    three times, with the PSNR (dB on Y) of the whole photograph.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    scale = network.scale
    hr = crop_to_multiple(photograph.pixels, scale)
    lr = imresize(hr, 1 / scale)
    nearest = lr.repeat(scale, axis=0).repeat(scale, axis=1)
    bicubic = imresize(lr, scale)
    images = {
        "LR": nearest,
        "bicubic": bicubic,
        "issp_keras": network.upscale(lr),
    }
    labels = [
        f"{name} {metrics.psnr(image, hr, border=scale):.2f} dB"
        for name, image in images.items()
    ]
    window = _where_most(np.square(to_rgb(bicubic).astype(float) - to_rgb(hr)))
    return _side_by_side(
        [to_rgb(image)[window] for image in (*images.values(), hr)],
        [*labels, "HR"],
    )


def _where_most(error):
    """The window of the largest mean, on a grid of quarter windows."""
    error = error.mean(axis=-1)
    windows = [
        (slice(y, y + _CROP), slice(x, x + _CROP))
        for y in range(0, max(1, error.shape[0] - _CROP + 1), _CROP // 4)
        for x in range(0, max(1, error.shape[1] - _CROP + 1), _CROP // 4)
    ]
    return max(windows, key=lambda window: error[window].mean())


def _side_by_side(crops, labels):
    height, width = (_ENLARGE * size for size in crops[0].shape[:2])
    picture = PIL.Image.new(
        "RGB", (len(crops) * (width + 6) - 6, height + _LABEL), "white"
    )
    draw = PIL.ImageDraw.Draw(picture)
    font = PIL.ImageFont.load_default(16)
    for i, (crop, label) in enumerate(zip(crops, labels, strict=True)):
        left = i * (width + 6)
        crop = PIL.Image.fromarray(crop).resize(
            (width, height), PIL.Image.Resampling.NEAREST
        )
        picture.paste(crop, (left, _LABEL))
        draw.text((left + 4, 4), label, "black", font)
    return np.asarray(picture)
