"""Upscales photographs with their transparency and colour profile."""

import dataclasses
from collections.abc import Callable

from issp_keras.data import Photograph
from issp_keras.data import imresize
from issp_keras.inference.network import Network


def upscale_photograph(
    network: Network,
    photograph: Photograph,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Photograph:
    """Upscales a photograph.

    Bicubic interpolation upscales its transparency.

    Args:
        network: `Network`.
        photograph: `data.Photograph`.
        progress: Callable, see `Network.upscale`.

    Returns:
        A `data.Photograph` with the same name and colour profile.
    """
    alpha = photograph.alpha
    return dataclasses.replace(
        photograph,
        pixels=network.upscale(photograph.pixels, progress),
        alpha=None if alpha is None else imresize(alpha, network.scale),
    )
