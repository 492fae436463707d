"""Pictures that compare the result of a network with bicubic interpolation."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from issp_keras import metrics
from issp_keras.data import Pair
from issp_keras.data import imresize
from issp_keras.data import to_rgb

_CROP = 96
# Only this many pixels in the middle of a large photograph are searched.
_MIDDLE = 384
_ENLARGE = 3
_LABEL = 26


def comparison(pair: Pair, result: np.ndarray) -> np.ndarray:
    """Makes a picture: LR (nearest), bicubic, the network's result, HR.

    It shows the square of the photograph where bicubic errs most, enlarged
    three times, with the PSNR (dB on Y) of the whole photograph.

    Args:
        pair: `Pair`.
        result: uint8 array of the shape of HR, the network's output for LR.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    images = _enlarged(pair.lr, result)
    labels = [
        f"{name} {metrics.psnr(image, pair.hr, border=pair.scale):.2f} dB"
        for name, image in images.items()
    ]
    return _picture(
        [*images.values(), pair.hr],
        [*labels, "HR"],
        where_most(images["bicubic"], pair.hr),
    )


def before_and_after(lr: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Makes a picture: LR (nearest), bicubic, and the network's result.

    It shows the square in the middle of the photograph, 384 pixels each way,
    where the network differs most from bicubic interpolation, enlarged three
    times.

    Args:
        lr: uint8 array of shape (height, width, 3) or (height, width).
        result: uint8 array, `scale` times taller and wider.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    s = len(result) // len(lr)
    rows, columns = (
        slice(max(0, (size - _MIDDLE) // 2), (size + _MIDDLE) // 2)
        for size in lr.shape[:2]
    )
    lr = lr[rows, columns]
    result = result[
        s * rows.start : s * rows.stop, s * columns.start : s * columns.stop
    ]
    images = _enlarged(lr, result)
    window = where_most(images["bicubic"], result)
    return _picture(list(images.values()), list(images), window)


def where_most(
    image: np.ndarray, reference: np.ndarray, size: int = _CROP
) -> tuple[slice, slice]:
    """Finds the window where two images differ most.

    Args:
        image: uint8 array of shape (height, width, 3) or (height, width).
        reference: uint8 array of the same size.
        size: Integer, height and width of the window in pixels. Smaller images
            are used whole. Defaults to `96`.

    Returns:
        The rows and the columns of the window, which lies on a grid of
        quarter windows.
    """
    error = np.square(to_rgb(image).astype(float) - to_rgb(reference))
    error = error.mean(axis=-1)
    windows = [
        (slice(y, y + size), slice(x, x + size))
        for y in range(0, max(1, error.shape[0] - size + 1), size // 4)
        for x in range(0, max(1, error.shape[1] - size + 1), size // 4)
    ]
    return max(windows, key=lambda window: error[window].mean())


def _enlarged(lr, result):
    scale = len(result) // len(lr)
    return {
        "LR": lr.repeat(scale, axis=0).repeat(scale, axis=1),
        "bicubic": imresize(lr, scale),
        "issp_keras": result,
    }


def _picture(images, labels, window):
    crops = [to_rgb(image)[window] for image in images]
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
