"""The 8 flips and rotations of a square."""

import numpy as np

TURNS = 8


def turn(image: np.ndarray, which: int) -> np.ndarray:
    """Flips or rotates an image of shape (height, width, ...).

    Args:
        image: Array.
        which: Integer in [0, 8); 0 leaves the image as it is.

    Returns:
        A view of the image.
    """
    image = image[::-1] if which & 1 else image
    image = image[:, ::-1] if which & 2 else image
    return image.swapaxes(0, 1) if which & 4 else image


def turn_back(image: np.ndarray, which: int) -> np.ndarray:
    """Undoes `turn`."""
    image = image.swapaxes(0, 1) if which & 4 else image
    return turn(image, which & 3)
