"""PSNR and SSIM of upscaling methods, by the protocol of the papers."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from collections.abc import Iterable

import keras
import numpy as np

from issp_keras import metrics
from issp_keras.data import Pair
from issp_keras.data import imresize
from issp_keras.inference import network_of

# The smallest height and width: SSIM needs 11 pixels inside the border.
SMALLEST = 32


@dataclasses.dataclass(frozen=True)
class Score:
    """PSNR in dB, SSIM, and the seconds of the upscaling."""

    name: str
    psnr: float
    ssim: float
    seconds: float


def score(
    upscale: Callable[[np.ndarray], np.ndarray], pair: Pair, channels: str = "y"
) -> Score:
    """Scores an upscaling method by the protocol of the papers.

    It upscales LR, and compares the result with HR without a border of `scale`
    pixels.

    Args:
        upscale: Callable that maps a uint8 image of shape (height, width, 3)
            or (height, width) to one `scale` times larger.
        pair: `Pair`.
        channels: "y" (BT.601, 16..235) or "rgb".

    Raises:
        ValueError: If the result of `upscale` does not have the size of HR.
    """
    return score_and_result(upscale, pair, channels)[0]


def score_and_result(
    upscale: Callable[[np.ndarray], np.ndarray], pair: Pair, channels: str = "y"
) -> tuple[Score, np.ndarray]:
    """Returns the result of `score`, and the upscaled image."""
    start = time.perf_counter()
    sr = upscale(pair.lr)
    seconds = time.perf_counter() - start
    found = Score(
        pair.name,
        metrics.psnr(sr, pair.hr, pair.scale, channels),
        metrics.ssim(sr, pair.hr, pair.scale, channels),
        seconds,
    )
    return found, sr


def mean(scores: list[Score]) -> Score:
    """Returns the mean of each number of the scores."""
    columns = zip(*(dataclasses.astuple(s)[1:] for s in scores), strict=True)
    return Score("mean", *map(statistics.fmean, columns))


def mean_score(
    upscale: Callable[[np.ndarray], np.ndarray],
    pairs: Iterable[Pair],
    channels: str = "y",
) -> Score:
    """Returns the mean of `score` over photographs."""
    return mean([score(upscale, pair, channels) for pair in pairs])


def score_network(
    model: keras.Model, pairs: Iterable[Pair], channels: str = "y"
) -> Score:
    """Returns the mean of `score` of a Keras model over photographs."""
    upscale = network_of(model, model.name).upscale
    return mean_score(upscale, pairs, channels)


def bicubic(scale: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns bicubic interpolation, the baseline of papers, as a method."""
    return lambda pixels: imresize(pixels, scale)
