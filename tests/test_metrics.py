import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics

RNG = np.random.default_rng(0)


def test_y_is_bt_601_of_16_to_235():
    colours = [
        [0, 0, 0],
        [255, 255, 255],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
    ]
    y = metrics.to_y(np.array([colours], np.uint8))[0]
    np.testing.assert_allclose(y, [16, 235, 81.481, 144.553, 40.966], atol=1e-9)


def test_psnr_of_a_difference_of_one_level_of_grey():
    flat = np.full((8, 8), 100, np.uint8)
    assert metrics.psnr(flat + 1, flat) == pytest.approx(48.1308, abs=1e-4)
    rgb = np.stack([flat] * 3, axis=-1)
    level = 219 / 255
    assert metrics.psnr(rgb + 1, rgb) == pytest.approx(
        48.1308 - 20 * np.log10(level), abs=1e-4
    )


def test_psnr_leaves_the_border_out():
    image = RNG.integers(0, 256, (12, 12), np.uint8)
    spoilt = image.copy()
    spoilt[:2] = spoilt[:, -2:] = 0
    assert metrics.psnr(spoilt, image, border=2) == np.inf
    assert metrics.psnr(spoilt, image, border=1) < 40


def test_ssim_equals_its_definition():
    """One window, written out in float64."""
    a, b = RNG.integers(0, 256, (2, 11, 11)).astype(np.uint8)
    gauss = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(gauss, gauss) / gauss.sum() ** 2
    x, y = a.astype(float), b.astype(float)
    mx, my = (window * x).sum(), (window * y).sum()
    vx = (window * x**2).sum() - mx**2
    vy = (window * y**2).sum() - my**2
    cov = (window * x * y).sum() - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * mx * my + c1) * (2 * cov + c2)) / (
        (mx**2 + my**2 + c1) * (vx + vy + c2)
    )
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=1e-6)
    assert metrics.ssim(a, a) == 1.0


@pytest.mark.parametrize(
    ("shape", "other", "border", "message"),
    [
        ((8, 8), (8, 9), 0, "different shapes"),
        ((8, 8), (8, 8), 4, "Nothing is left"),
    ],
)
def test_metrics_refuse_what_cannot_be_compared(shape, other, border, message):
    a, b = np.zeros(shape, np.uint8), np.zeros(other, np.uint8)
    with pytest.raises(ValueError, match=message):
        metrics.psnr(a, b, border)


def test_metrics_refuse_floats_and_windows_that_do_not_fit():
    with pytest.raises(ValueError, match="must be uint8"):
        metrics.psnr(np.zeros((8, 8)), np.zeros((8, 8)))
    flat = np.zeros((12, 12), np.uint8)
    with pytest.raises(ValueError, match=r"at least 11x11.*8x8"):
        metrics.ssim(flat, flat, border=2)


@pytest.mark.parametrize(
    ("folder", "scale", "published"),
    [
        ("Set5", 2, 33.66),
        ("Set5", 3, 30.39),
        ("Set5", 4, 28.42),
        ("Set14", 2, 30.24),
        ("Set14", 3, 27.55),
        ("Set14", 4, 26.00),
    ],
)
def test_bicubic_scores_as_published(shared_data, folder, scale, published):
    scores = []
    for path in sorted((shared_data / folder / "HR").iterdir()):
        hr = data.crop_to_multiple(data.read_photograph(path).pixels, scale)
        sr = data.imresize(data.imresize(hr, 1 / scale), scale)
        scores.append(metrics.psnr(sr, hr, border=scale))
    assert np.mean(scores) == pytest.approx(published, abs=0.02)
