"""Cuts photographs into tiles, and measures receptive fields."""

import math
from collections.abc import Callable
from collections.abc import Iterator

import numpy as np

# Smaller changes of an output pixel, in 0..1, count as no change.
_TOLERANCE = 1e-6


def cut(
    size: int, tile: int, overlap: int, whole_tiles: bool
) -> Iterator[tuple[int, int, int, int]]:
    """Cuts a length into tiles that overlap their neighbours on both sides.

    Args:
        size: Integer, the length in pixels.
        tile: Integer, the length of a tile.
        overlap: Integer, the pixels on each side that are computed but not
            used.
        whole_tiles: Boolean, whether the last tile must be as long as the
            others.

    Yields:
        `(first, last, start, end)`: the tile is `[first, last)`, and its part
        `[start, end)` is used.
    """
    if size <= tile:
        yield 0, size, 0, size
        return
    step = tile - 2 * overlap
    count = math.ceil((size - 2 * overlap) / step)
    for i in range(count):
        first = min(i * step, size - tile) if whole_tiles else i * step
        start = 0 if i == 0 else i * step + overlap
        end = size if i == count - 1 else (i + 1) * step + overlap
        yield first, min(first + tile, size), start, end


def reach(
    apply: Callable[[np.ndarray], np.ndarray], height: int, width: int
) -> int | None:
    """Measures the receptive field of a network to the left and right.

    The function replaces one half of a noise image by other noise. It measures
    how far the other half of the output changes. It does this for both halves.

    Args:
        apply: Callable that maps float32 (1, height, width, 3) in 0..1 to a
            larger image.
        height: Integer, height of the noise image in LR pixels.
        width: Integer, width of the noise image in LR pixels.

    Returns:
        Integer, LR pixels along the width; None if a whole half changes.
    """
    half = width // 2
    noise, other = np.random.default_rng(0).random(
        (2, 1, height, width, 3), np.float32
    )
    output = apply(noise)
    farthest = 0
    for replaced in (slice(half, None), slice(half)):
        changed = noise.copy()
        changed[:, :, replaced] = other[:, :, replaced]
        changes = np.abs(apply(changed) - output).max(axis=(0, 1, 3))
        changes = changes.reshape(width, -1).max(axis=1)
        # Go from the border into the half that was not replaced.
        changes = changes[:half][::-1] if replaced.start else changes[half:]
        seen = np.flatnonzero(changes > _TOLERANCE)
        if seen.size and seen[-1] == len(changes) - 1:
            return None
        farthest = max(farthest, seen[-1] + 1 if seen.size else 0)
    return int(farthest)
