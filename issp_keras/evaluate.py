"""Scores networks on photographs: PSNR and SSIM on Y, per photograph.

    issp-evaluate --model=model.keras --data=path/to/Set5/HR

Writes the same to `--output` as JSON, and with `--comparison` a picture: a
crop of a photograph as LR, bicubic, the network's, and HR.
"""

import dataclasses
import statistics
from collections.abc import Callable
from collections.abc import Iterator

import numpy as np
from absl import flags

from issp_keras import cli
from issp_keras import files
from issp_keras import metrics
from issp_keras.comparison import comparison
from issp_keras.data import Photograph
from issp_keras.data import crop_to_multiple
from issp_keras.data import imresize
from issp_keras.data import load_photographs
from issp_keras.data import write_photograph
from issp_keras.inference import load_network

# Least height and width: SSIM needs a window of 11 pixels inside the border.
SMALLEST = 32


@dataclasses.dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM of one photograph, on Y."""

    name: str
    psnr: float
    ssim: float


def score(
    upscale: Callable[[np.ndarray], np.ndarray],
    photographs: list[Photograph],
    scale: int,
) -> Iterator[Score]:
    """Scores a way to upscale, by the protocol of the papers.

    Each photograph is cut to a multiple of `scale`, shrunk by MATLAB's
    bicubic `imresize`, upscaled, and compared with itself on Y (BT.601,
    16..235) without a border of `scale` pixels.

    Args:
        upscale: Callable that maps a uint8 image of shape (height, width, 3)
            or (height, width) to one `scale` times larger.
        photographs: List of `Photograph`.
        scale: Integer.

    Yields:
        A `Score` for each photograph.
    """
    for photograph in photographs:
        hr = crop_to_multiple(photograph.pixels, scale)
        sr = upscale(imresize(hr, 1 / scale))
        yield Score(
            photograph.name,
            metrics.psnr(sr, hr, border=scale),
            metrics.ssim(sr, hr, border=scale),
        )


def mean_score(
    upscale: Callable[[np.ndarray], np.ndarray],
    photographs: list[Photograph],
    scale: int,
) -> Score:
    """The mean of `score` over the photographs."""
    return _mean(list(score(upscale, photographs, scale)))


def bicubic(scale: int) -> Callable[[np.ndarray], np.ndarray]:
    """The baseline of every paper, as a way to upscale."""
    return lambda pixels: imresize(pixels, scale)


def _mean(scores):
    return Score(
        "mean",
        statistics.fmean(s.psnr for s in scores),
        statistics.fmean(s.ssim for s in scores),
    )


def main(argv):
    cli.no_argument(argv)
    flag = flags.FLAGS
    network = load_network(flag.model, flag.threads)
    photographs = load_photographs(flag.data, "held_out", SMALLEST)
    ways = {"bicubic": bicubic(network.scale), flag.model: network.upscale}
    scores = {}
    for way, upscale in ways.items():
        scores[way] = list(score(upscale, photographs, network.scale))
        scores[way].append(_mean(scores[way]))
    rows = [
        [of[0].name] + [f"{s.psnr:.2f} / {s.ssim:.4f}" for s in of]
        for of in zip(*scores.values(), strict=True)
    ]
    cli.print_table(["photograph", *ways], rows)
    if flag.output:
        files.write_json(
            flag.output,
            {
                "data": flag.data,
                "scale": network.scale,
                "scores": {
                    way: [dataclasses.asdict(s) for s in of]
                    for way, of in scores.items()
                },
            },
        )
    if flag.comparison:
        picture = comparison(photographs[0], network)
        write_photograph(flag.comparison, picture)
        print(f"Wrote {flag.comparison}.")


def run():
    """Entry point of `issp-evaluate`."""
    cli.define_network_flags()
    cli.define_data_flag()
    flags.DEFINE_string("output", None, "JSON file to write the scores to.")
    flags.DEFINE_string(
        "comparison", None, "PNG file to write a side-by-side picture to."
    )
    cli.run(main)


if __name__ == "__main__":
    run()
