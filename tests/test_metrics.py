import json

import keras
import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics

pytestmark = pytest.mark.versions

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
    """Computes SSIM of one window from its definition, in float64."""
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


def _by_hand(image, reference, border, channels):
    """PSNR and SSIM as BasicSR defines them, in float64, window by window."""
    a, b = (
        x[border : len(x) - border, border : x.shape[1] - border].astype(float)
        for x in (image, reference)
    )
    if channels == "y":
        a, b = (
            (x @ [65.481, 128.553, 24.966] / 255 + 16)[..., None]
            for x in (a, b)
        )
    psnr = 20 * np.log10(255 / np.sqrt(np.mean((a - b) ** 2)))
    gauss = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(gauss, gauss) / gauss.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for channel in range(a.shape[-1]):
        for y in range(len(a) - 10):
            for x in range(a.shape[1] - 10):
                p = a[y : y + 11, x : x + 11, channel]
                q = b[y : y + 11, x : x + 11, channel]
                mp, mq = (window * p).sum(), (window * q).sum()
                vp = (window * (p - mp) ** 2).sum()
                vq = (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                values.append(
                    (2 * mp * mq + c1)
                    * (2 * cov + c2)
                    / ((mp**2 + mq**2 + c1) * (vp + vq + c2))
                )
    return psnr, np.mean(values)


def _images(kind):
    """Two images that differ a little: noise, or nearly flat."""
    image = RNG.integers(0, 256, (22, 25, 3), np.uint8)
    if kind == "flat":
        image = 120 + image // 100
    change = RNG.integers(-6, 7, image.shape)
    return image, np.clip(image + change, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["noise", "flat"])
@pytest.mark.parametrize("channels", ["y", "rgb"])
def test_metrics_equal_the_definition_of_basicsr(kind, channels):
    image, reference = _images(kind)
    psnr, ssim = _by_hand(image, reference, 4, channels)
    arguments = image, reference, 4, channels
    assert metrics.psnr(*arguments) == pytest.approx(psnr, abs=1e-9)
    assert metrics.ssim(*arguments) == pytest.approx(ssim, abs=1e-9)
    floats = image / 255, (reference / np.float32(255)), 4, channels
    assert metrics.psnr(*floats) == pytest.approx(psnr, abs=1e-9)
    for metric, expected, atol in (
        (metrics.PSNR(border=4, channels=channels), psnr, 1e-4),
        (metrics.SSIM(border=4, channels=channels), ssim, 1e-5),
    ):
        metric.update_state(reference[None] / 255, image[None] / 255)
        assert float(metric.result()) == pytest.approx(expected, abs=atol)


def test_floats_are_clipped_and_rounded_to_8_bits():
    flat = np.full((12, 12, 3), 100 / 255)
    nearly = flat + 0.4 / 255
    assert metrics.psnr(nearly, flat) == np.inf
    white = np.ones((12, 12, 3))
    assert metrics.psnr(white + 0.3, white) == np.inf
    metric = metrics.SSIM()
    metric.update_state(white[None], white[None] + 0.3)
    assert float(metric.result()) == 1


def test_keras_metrics_are_the_mean_over_images_in_compile():
    shape = (4, 16, 16, 3)
    x = RNG.random(shape, np.float32)
    y = np.clip(x + RNG.normal(0, 0.05, shape), 0, 1).astype(np.float32)
    model = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.ReLU()]
    )
    model.compile(
        loss="mae",
        metrics=[metrics.PSNR(border=2), metrics.SSIM(border=2)],
    )
    # The batches have different lengths.
    found = model.evaluate(x, y, batch_size=3, verbose=0, return_dict=True)
    pairs = list(zip(x, y, strict=True))
    psnr = np.mean([metrics.psnr(a, b, 2) for a, b in pairs])
    ssim = np.mean([metrics.ssim(a, b, 2) for a, b in pairs])
    assert found["psnr"] == pytest.approx(psnr, abs=1e-4)
    assert found["ssim"] == pytest.approx(ssim, abs=1e-5)


def test_keras_metrics_weigh_samples_and_take_other_ranges():
    x = RNG.integers(0, 256, (2, 16, 16, 1)).astype(np.float32)
    y = np.clip(x + 3, 0, 255)
    metric = metrics.PSNR(max_value=255)
    metric.update_state(y, x, sample_weight=np.array([1.0, 0.0]))
    a, b = (z[0, ..., 0].astype(np.uint8) for z in (x, y))
    assert float(metric.result()) == pytest.approx(metrics.psnr(a, b), abs=1e-4)
    metric.update_state(x, x, sample_weight=np.zeros(2))
    assert np.isfinite(metric.result())
    metric.update_state(x, x)
    assert float(metric.result()) == np.inf


@pytest.mark.parametrize("metric", [metrics.PSNR, metrics.SSIM])
def test_keras_metrics_are_saved_with_a_model(metric):
    config = keras.saving.serialize_keras_object(
        metric(border=3, channels="rgb", max_value=255.0, name="m")
    )
    found = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(config))
    )
    assert type(found) is metric
    assert (found.border, found.channels) == (3, "rgb")
    assert (found.max_value, found.name) == (255.0, "m")


def test_keras_metrics_refuse_what_cannot_be_compared():
    with pytest.raises(ValueError, match="channels='luma'"):
        metrics.PSNR(channels="luma")
    with pytest.raises(ValueError, match="border=-1"):
        metrics.SSIM(border=-1)
    image = np.zeros((1, 12, 12, 3), np.float32)
    with pytest.raises(ValueError, match="at least 13x13"):
        metrics.SSIM(border=1).update_state(image, image)
    with pytest.raises(ValueError, match="at least 13x13"):
        metrics.PSNR(border=6).update_state(image, image)
    for other in ((1, 12, 12, 1), (1, 1, 12, 3), (2, 12, 12, 3)):
        with pytest.raises(ValueError, match="different shapes"):
            metrics.PSNR().update_state(image, np.zeros(other, np.float32))
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels"):
        metrics.PSNR().update_state(image[0], image[0])
    with pytest.raises(ValueError, match="1 or 3 channels"):
        metrics.PSNR().update_state(image[..., :2], image[..., :2])


@pytest.mark.parametrize(
    ("shape", "other", "border", "message"),
    [
        ((8, 8), (8, 9), 0, "different shapes"),
        ((8, 8), (8, 8), 4, "No pixel is left"),
        ((8, 8), (8, 8), -1, "No pixel is left"),
    ],
)
def test_metrics_refuse_what_cannot_be_compared(shape, other, border, message):
    a, b = np.zeros(shape, np.uint8), np.zeros(other, np.uint8)
    with pytest.raises(ValueError, match=message):
        metrics.psnr(a, b, border)


def test_metrics_refuse_other_arrays_and_windows_that_do_not_fit():
    for dtype in (np.int64, np.uint16, bool):
        with pytest.raises(ValueError, match="uint8 or float"):
            metrics.psnr(np.zeros((8, 8), dtype), np.zeros((8, 8), dtype))
    with pytest.raises(ValueError, match="channels='YCbCr'"):
        metrics.psnr(np.zeros((8, 8)), np.zeros((8, 8)), channels="YCbCr")
    with pytest.raises(ValueError, match="shape=\\(8, 8, 4\\)"):
        metrics.psnr(np.zeros((8, 8, 4)), np.zeros((8, 8, 4)))
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
    for photograph in data.find_pairs(shared_data / folder, scale):
        assert photograph.lr is not None
        pair = photograph.read(scale)
        sr = data.imresize(pair.lr, scale)
        scores.append(metrics.psnr(sr, pair.hr, border=scale))
    assert np.mean(scores) == pytest.approx(published, abs=0.02)
