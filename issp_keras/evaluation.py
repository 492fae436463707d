"""Scores networks and bicubic interpolation on photographs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from issp_keras.data import Pair
from issp_keras.data import PairFiles
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.inference import Network
from issp_keras.scores import SMALLEST
from issp_keras.scores import Score
from issp_keras.scores import bicubic
from issp_keras.scores import mean
from issp_keras.scores import score_and_result


def check_scales(networks: dict[str, Any]):
    """Checks that networks can be compared.

    Args:
        networks: Dict from names to networks, which have a `scale`.

    Raises:
        ArgumentError: If their magnifications differ.
    """
    (first, one), *others = networks.items()
    for name, other in others:
        if other.scale != one.scale:
            raise ArgumentError(
                "model",
                f"{name} magnifies {other.scale} times, expected {one.scale} "
                f"as {first}.",
            )


def evaluate(
    networks: dict[str, Network],
    sources: dict[str, list[PairFiles]],
    channels: str = "y",
    see: Callable[
        [str, Pair, dict[str, tuple[Score, np.ndarray]]], None
    ] = lambda *_: None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, dict[str, list[Score]]], list[str]]:
    """Scores bicubic interpolation and networks on all readable photographs.

    Args:
        networks: Dict from names to networks of one magnification.
        sources: Dict from sources to the results of `find_source`.
        channels: String, "y" or "rgb".
        see: Callable that receives the source, the pair, and a dict from ways
            to their score and image.
        progress: Callable that receives the number of finished photographs.

    Returns:
        Two values. First, a dict from sources to dicts from ways to lists of
        scores, with the mean last in each list. Second, a list of sentences
        about the photographs that cannot be read.
    """
    (scale,) = {network.scale for network in networks.values()}
    ways: dict[str, Callable] = {"bicubic": bicubic(scale)}
    ways |= {name: of.upscale for name, of in networks.items()}
    scores: dict[str, dict[str, list[Score]]] = {
        source: {way: [] for way in ways} for source in sources
    }
    failures = []
    done = 0
    for source, photographs in sources.items():
        for photograph in photographs:
            try:
                pair = photograph.read(scale, SMALLEST)
            except InputError as error:
                failures.append(str(error))
            else:
                # Measure the overlap of tiles before the clock starts.
                for network in networks.values():
                    network.overlap_for(pair.lr.shape)
                made = {
                    way: score_and_result(upscale, pair, channels)
                    for way, upscale in ways.items()
                }
                for way, (score, _) in made.items():
                    scores[source][way].append(score)
                see(source, pair, made)
            done += 1
            progress(done)
        for of in scores[source].values():
            of.extend([mean(of)] if of else [])
    return scores, failures
