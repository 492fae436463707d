"""Images inside a page, with lossless compression."""

import base64
import dataclasses
import io
import math

import numpy as np
import PIL.Image

from issp_keras.report.markup import Html
from issp_keras.report.markup import element

# The most image bytes of a page. As base64 they are 14 MB.
MOST_BYTES = 10_500_000
# The most pixels of one image. Larger images are slow to encode and to show.
MOST_PIXELS = 4_000_000
# The largest height and width of a WebP image.
_LONGEST = 16_383
# Pillow's quality, which is the effort for lossless WebP. 80 takes three times
# as long and saves a thousandth of the bytes of a photograph.
_EFFORT = 20
# A factor that makes the next crop small enough at the first try.
_CAUTION = 0.9


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as WebP.

    Attributes:
        data: Bytes.
        width: Integer, in pixels.
        height: Integer, in pixels.
    """

    data: bytes
    width: int
    height: int

    def element(self, alt: str) -> Html:
        """Returns the image as HTML with its data and the text `alt`."""
        data = base64.b64encode(self.data).decode()
        return element(
            "img",
            src=f"data:image/webp;base64,{data}",
            width=self.width,
            height=self.height,
            alt=alt,
        )


def encode(pixels: np.ndarray, icc_profile: bytes | None = None) -> Image:
    """Encodes an image without loss.

    Args:
        pixels: uint8 array of shape (height, width, 3) or (height, width).
        icc_profile: Bytes, the colour profile, or None.
    """
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    file = io.BytesIO()
    image.save(
        file,
        "WEBP",
        lossless=True,
        quality=_EFFORT,
        icc_profile=icc_profile,
    )
    return Image(file.getvalue(), image.width, image.height)


def encode_within(
    pictures: list[np.ndarray],
    most_bytes: int,
    icc_profile: bytes | None = None,
) -> list[Image]:
    """Encodes images, cropped to their middles if they have too many bytes.

    Args:
        pictures: List of images of one size, see `encode`.
        most_bytes: Integer, the most bytes of all images together, at least
            1,000.
        icc_profile: Bytes, the colour profile of all, or None.

    Returns:
        List of `Image`, all of one size: the whole images, or their middles at
        full resolution, with at most 4,000,000 pixels.
    """
    height, width = bounded_size(*pictures[0].shape[:2])
    while True:
        images = [
            encode(pixels[middle(pixels.shape, height, width)], icc_profile)
            for pixels in pictures
        ]
        size = sum(len(image.data) for image in images)
        if size <= most_bytes or height == width == 1:
            return images
        shrink = math.sqrt(_CAUTION * most_bytes / size)
        height, width = (max(1, int(shrink * n)) for n in (height, width))


def bounded_size(height: int, width: int) -> tuple[int, int]:
    """Returns the size of the largest part of an image that a page shows."""
    shrink = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
    rows, columns = (
        min(max(1, int(shrink * n)), _LONGEST) for n in (height, width)
    )
    return rows, columns


def middle(shape, height: int, width: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the middle of an image.

    Args:
        shape: Tuple, the shape of the image, height and width first.
        height: Integer, the number of rows, or more for all rows.
        width: Integer, the number of columns, or more for all columns.
    """
    starts = (
        max(0, (have - want) // 2)
        for have, want in zip(shape, (height, width), strict=False)
    )
    top, left = starts
    return slice(top, top + height), slice(left, left + width)
