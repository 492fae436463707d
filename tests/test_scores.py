import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics
from issp_keras.inference import network_of
from issp_keras.pictures import before_and_after
from issp_keras.pictures import comparison
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score
from issp_keras.scores import score
from issp_keras.scores import score_network

RNG = np.random.default_rng(0)


def _pair(shape, scale=2):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    return data.make_pair(data.Photograph("p", pixels), scale)


def _nearest(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def test_the_mean_is_that_of_each_photograph():
    pairs = data.load_pairs("embedded", "held_out", 3)
    scores = [score(bicubic(3), pair) for pair in pairs]
    assert [s.name for s in scores] == ["chelsea", "coffee", "rocket"]
    mean = mean_score(bicubic(3), pairs)
    assert mean.psnr == pytest.approx(np.mean([s.psnr for s in scores]))
    assert mean.ssim == pytest.approx(np.mean([s.ssim for s in scores]))
    assert all(s.seconds > 0 for s in scores)


@pytest.mark.parametrize("shape", [(37, 41, 3), (33, 35)])
def test_scores_photographs_of_odd_size_and_in_grey(shape):
    assert score(bicubic(4), _pair(shape, 4)).psnr < 40


def test_scores_rgb_and_y_by_the_metrics():
    pair = _pair((40, 40, 3))
    result = _nearest(pair.lr)
    for channels in ("y", "rgb"):
        found = score(_nearest, pair, channels)
        assert found.psnr == metrics.psnr(result, pair.hr, 2, channels)
        assert found.ssim == metrics.ssim(result, pair.hr, 2, channels)


def test_leaves_a_border_of_the_scale_out_of_both_scores():
    """The result is only wrong in a frame of 3 pixels."""
    flat = data.Photograph("flat", np.full((39, 39, 3), 90, np.uint8))

    def upscale(pixels):
        result = np.full((39, 39, 3), 90, np.uint8)
        result[:3] = result[-3:] = result[:, :3] = result[:, -3:] = 200
        return result

    found = score(upscale, data.make_pair(flat, 3))
    assert (found.psnr, found.ssim) == (np.inf, 1.0)


def test_a_model_is_scored_on_y_unless_rgb_is_asked_for(tiny_edsr):
    pairs = [_pair((40, 44, 3)), _pair((36, 40, 3))]
    upscale = network_of(tiny_edsr, "edsr").upscale
    for arguments, channels in (((), "y"), (("rgb",), "rgb")):
        found = score_network(tiny_edsr, pairs, *arguments)
        expected = mean_score(upscale, pairs, channels)
        assert (found.psnr, found.ssim) == (expected.psnr, expected.ssim)
    with pytest.raises(ValueError, match="channels='cmyk'"):
        score_network(tiny_edsr, pairs, "cmyk")


def test_the_comparison_shows_where_bicubic_errs_most():
    pixels = np.full((144, 240, 3), 90, np.uint8)
    pixels[-40:, -40:] = RNG.integers(0, 256, (40, 40, 3), np.uint8)
    pair = data.make_pair(data.Photograph("p", pixels), 2)
    picture = comparison(pair, _nearest(pair.lr))
    hr = picture[26:, -288:]
    np.testing.assert_array_equal(hr[::3, ::3], pixels[-96:, -96:])


def test_before_and_after_shows_the_middle_of_a_large_photograph():
    pixels = np.full((1000, 1400, 3), 90, np.uint8)
    pixels[490:510, 690:710] = RNG.integers(0, 256, (20, 20, 3), np.uint8)
    picture = before_and_after(pixels, _nearest(pixels))
    lr = picture[26:, :288]
    assert len(np.unique(lr)) > 100


@pytest.mark.parametrize("shape", [(200, 150, 3), (60, 300), (33, 47, 3)])
def test_the_pictures_show_crops_side_by_side(shape):
    pair = _pair(shape)
    result = _nearest(pair.lr)
    crop = [min(96, size - size % 2) for size in shape[:2]]
    for picture, count in (
        (comparison(pair, result), 4),
        (before_and_after(pair.lr, result), 3),
    ):
        assert picture.dtype == np.uint8
        width = 3 * crop[1] + 6
        assert picture.shape == (3 * crop[0] + 26, count * width - 6, 3)
        # The network is nearest-neighbour, so its crop equals that of LR.
        lr = picture[26:, : width - 6]
        ours = picture[26:, 2 * width :][:, : width - 6]
        if len(shape) == 3:
            np.testing.assert_array_equal(lr, ours)
