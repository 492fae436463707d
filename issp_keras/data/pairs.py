"""LR and HR of one photograph."""

import dataclasses
from typing import Any

from issp_keras.data.imresize import imresize
from issp_keras.data.photographs import Photograph


@dataclasses.dataclass(frozen=True)
class Pair:
    """A photograph in low and in high resolution.

    Attributes:
        name: String, the file name of HR without its ending.
        lr: uint8 array of shape (height, width, 3), or (height, width) for a
            grey photograph; `Strips` if it is in a file.
        hr: The same, of `scale` times the height and width.
        teacher: What another network makes of LR, to learn from beside HR:
            uint8 array of the height and width of HR and 3 channels, in
            memory or mapped into it; or None.
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
    """Makes LR as papers do: MATLAB's bicubic `imresize`, 8 bits.

    HR is cut to a multiple of `scale` first, from the top left.
    """
    height, width = (n - n % scale for n in photograph.pixels.shape[:2])
    hr = photograph.pixels[:height, :width]
    return Pair(photograph.name, imresize(hr, 1 / scale), hr)
