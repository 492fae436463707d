import keras
import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics
from issp_keras import models
from issp_keras.comparison import before_and_after
from issp_keras.comparison import comparison
from issp_keras.inference import Network
from issp_keras.inference import load_network
from issp_keras.inference import network_of
from issp_keras.models import load_model
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score
from issp_keras.scores import papers_channels
from issp_keras.scores import score
from issp_keras.tflite import export

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
    """A way to upscale that errs in a frame of 3 pixels alone."""
    flat = data.Photograph("flat", np.full((39, 39, 3), 90, np.uint8))

    def upscale(pixels):
        result = np.full((39, 39, 3), 90, np.uint8)
        result[:3] = result[-3:] = result[:, :3] = result[:, -3:] = 200
        return result

    found = score(upscale, data.make_pair(flat, 3))
    assert (found.psnr, found.ssim) == (np.inf, 1.0)


def test_only_edsr_large_is_compared_on_rgb(sparse_model_path):
    """By the shapes of its kernels, which both kinds of file have."""

    def channels(shapes):
        return papers_channels(
            Network(
                lambda images: images.repeat(2, axis=1).repeat(2, axis=2),
                weight_shapes=shapes,
            )
        )

    assert channels([(3, 3, 256, 256)] * 65) == "rgb"
    assert channels([(256, 3, 3, 256)] * 65) == "rgb"
    assert channels([(3, 3, 64, 64)] * 65) == "y"
    assert papers_channels(load_network(sparse_model_path)) == "y"
    small = models.rcan(2, 4, groups=1, blocks=1, squeeze=2)
    assert papers_channels(network_of(small, "rcan")) == "y"


def test_a_sparse_file_has_each_kernel_once(sparse_model_path, tmp_path):
    model = load_model(sparse_model_path)
    counts = []
    for sparse in (False, True):
        path = tmp_path / f"{sparse}.tflite"
        export(model, path, sparse=sparse)
        shapes = load_network(path).weight_shapes
        counts.append(shapes.count((8, 3, 3, 8)))
    assert counts == [3, 3]


def test_edsr_large_has_the_kernels_by_which_it_is_known():
    model = models.edsr(4, features=256, blocks=32, residual_scale=0.1)
    shapes = [tuple(weight.shape) for weight in model.weights]
    assert shapes.count((3, 3, 256, 256)) == 65
    keras.backend.clear_session()


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
        # The network is a nearest-neighbour one: its crop equals that of LR.
        lr = picture[26:, : width - 6]
        ours = picture[26:, 2 * width :][:, : width - 6]
        if len(shape) == 3:
            np.testing.assert_array_equal(lr, ours)
