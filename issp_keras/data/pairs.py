"""Pairs of LR and HR images."""

import dataclasses
from typing import Any

from issp_keras.data.imresize import imresize
from issp_keras.data.photographs import Photograph


@dataclasses.dataclass(frozen=True)
class Pair:
    """A photograph in low and in high resolution.

    Attributes:
        name: String, the file name of HR without its suffix.
        lr: uint8 array of shape (height, width, 3), or (height, width) for a
            grey photograph. `Strips` if its pixels are read from a file.
        hr: The same with `scale` times the height and width.
        teacher: The output of a teacher network for LR, or None. A uint8 array
            with the height and width of HR and 3 channels, in memory or
            memory-mapped.
    """

    name: str
    lr: Any
    hr: Any
    teacher: Any = None

    @property
    def scale(self) -> int:
        """Integer, the magnification from LR to HR."""
        return self.hr.shape[0] // self.lr.shape[0]


def make_pair(photograph: Photograph, scale: int) -> Pair:
    """Makes LR as papers do, with MATLAB's bicubic `imresize` in 8 bits.

    First, HR is cropped to a multiple of `scale`. The crop keeps the top left.
    """
    height, width = (n - n % scale for n in photograph.pixels.shape[:2])
    hr = photograph.pixels[:height, :width]
    return Pair(photograph.name, imresize(hr, 1 / scale), hr)
