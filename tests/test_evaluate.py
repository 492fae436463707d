import numpy as np
import pytest

from issp_keras import data
from issp_keras.comparison import comparison
from issp_keras.evaluate import bicubic
from issp_keras.evaluate import mean_score
from issp_keras.evaluate import score
from issp_keras.inference import Network

RNG = np.random.default_rng(0)


def _nearest(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def test_scores_each_photograph_and_the_mean():
    photographs = data.load_photographs("embedded", "held_out")
    scores = list(score(bicubic(3), photographs, 3))
    assert [s.name for s in scores] == ["chelsea", "coffee", "rocket"]
    mean = mean_score(bicubic(3), photographs, 3)
    assert mean.psnr == pytest.approx(np.mean([s.psnr for s in scores]))
    assert mean.ssim == pytest.approx(np.mean([s.ssim for s in scores]))


def test_scores_photographs_of_odd_size_and_in_grey():
    photographs = [
        data.Photograph("odd", RNG.integers(0, 256, (37, 41, 3), np.uint8)),
        data.Photograph("grey", RNG.integers(0, 256, (33, 35), np.uint8)),
    ]
    assert len(list(score(bicubic(4), photographs, 4))) == 2


def test_leaves_a_border_of_the_scale_out_of_both_scores():
    """A way to upscale that errs in a frame of 3 pixels alone."""
    flat = data.Photograph("flat", np.full((39, 39, 3), 90, np.uint8))

    def upscale(pixels):
        result = np.full((39, 39, 3), 90, np.uint8)
        result[:3] = result[-3:] = result[:, :3] = result[:, -3:] = 200
        return result

    (found,) = score(upscale, [flat], 3)
    assert (found.psnr, found.ssim) == (np.inf, 1.0)


def test_the_comparison_shows_where_bicubic_errs_most():
    pixels = np.full((144, 240, 3), 90, np.uint8)
    pixels[-40:, -40:] = RNG.integers(0, 256, (40, 40, 3), np.uint8)
    picture = comparison(data.Photograph("p", pixels), Network(_nearest))
    hr = picture[26:, -288:]
    np.testing.assert_array_equal(hr[::3, ::3], pixels[-96:, -96:])


@pytest.mark.parametrize("shape", [(200, 150, 3), (60, 300), (33, 47, 3)])
def test_the_comparison_shows_four_crops(shape):
    photograph = data.Photograph("p", RNG.integers(0, 256, shape, np.uint8))
    picture = comparison(photograph, Network(_nearest))
    assert picture.dtype == np.uint8
    crop = min(96, shape[0] - shape[0] % 2), min(96, shape[1] - shape[1] % 2)
    assert picture.shape == (3 * crop[0] + 26, 4 * (3 * crop[1] + 6) - 6, 3)
    # The network is a nearest-neighbour one: its crop equals that of LR.
    width = 3 * crop[1]
    lr, ours = picture[26:, :width], picture[26:, 2 * (width + 6) :][:, :width]
    if len(shape) == 3:
        np.testing.assert_array_equal(lr, ours)
