"""Images inside a page, without any loss."""

import base64
import dataclasses
import io
import math

import numpy as np
import PIL.Image

from issp_keras.report.markup import Html
from issp_keras.report.markup import element

# Of a page, before base64 makes 4 bytes of 3: such a page has 14 MB.
MOST_BYTES = 10_500_000
# Of one image; more take long to encode, and browsers long to show.
MOST_PIXELS = 4_000_000
# What WebP can hold, each way.
_LONGEST = 16_383
# Pillow's quality, which is effort here: 80 takes three times as long, and
# saves a thousandth of the bytes of a photograph.
_EFFORT = 20
# The next crop is a little smaller than the bytes ask for: one must do.
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
        """The image with its data; `alt` says in words what it shows."""
        data = base64.b64encode(self.data).decode()
        return element(
            "img",
            src=f"data:image/webp;base64,{data}",
            width=self.width,
            height=self.height,
            alt=alt,
        )


def encode(pixels: np.ndarray, icc_profile: bytes | None = None) -> Image:
    """Encodes an image so that each pixel stays what it is.

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
    """Encodes as much of the middle of some images as some bytes hold.

    Args:
        pictures: List of images of one size, as `encode` takes them.
        most_bytes: Integer, for all of them together, at least 1,000.
        icc_profile: Bytes, the colour profile of all, or None.

    Returns:
        List of `Image`, all of one size: the whole images, or their middle at
        full resolution, of at most 4,000,000 pixels.
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
    """The size of the largest middle of an image that a page shows."""
    shrink = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
    rows, columns = (
        min(max(1, int(shrink * n)), _LONGEST) for n in (height, width)
    )
    return rows, columns


def middle(shape, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of the middle of an image.

    Args:
        shape: Tuple, of the image, its height and width first.
        height: Integer, how many rows, or all if there are fewer.
        width: Integer, likewise of columns.
    """
    starts = (
        max(0, (have - want) // 2)
        for have, want in zip(shape, (height, width), strict=False)
    )
    top, left = starts
    return slice(top, top + height), slice(left, left + width)
