"""Data, metrics and inference together, on real photographs."""

import hashlib

import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics
from issp_keras.inference import bundled_networks
from issp_keras.inference import load_network
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score


@pytest.fixture(scope="module")
def set5(shared_data):
    return data.load_pairs(str(shared_data / "Set5"), "held_out", 4)


@pytest.mark.parametrize(
    "name", ["Set5", pytest.param("Set14", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    "network", bundled_networks(), ids=lambda network: network.name
)
def test_networks_that_come_along_have_their_scores(shared_data, network, name):
    pairs = data.load_pairs(str(shared_data / name), "held_out", network.scale)
    for precision, of in (("float32", ""), ("int8", "_int8")):
        upscale = load_network(f"{network.name}{of}").upscale
        score = mean_score(upscale, pairs)
        expected = network.scores[precision][name]
        assert score.psnr == pytest.approx(expected["psnr"], abs=0.005)
        assert score.ssim == pytest.approx(expected["ssim"], abs=0.0005)


@pytest.mark.parametrize(("name", "gain"), [("Set5", 2.3), ("Set14", 1.5)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_that_come_along_beat_bicubic(shared_data, scale, name, gain):
    pairs = data.load_pairs(str(shared_data / name), "held_out", scale)
    least = mean_score(bicubic(scale), pairs).psnr + gain
    for network in bundled_networks():
        if network.scale == scale:
            for score in network.scores.values():
                assert score[name]["psnr"] > least


def test_a_self_ensemble_is_better_than_one_turn(set5):
    one, eight = (
        load_network("x4_fast", self_ensemble=of) for of in (False, True)
    )
    gain = (
        mean_score(eight.upscale, set5[1:]).psnr
        - mean_score(one.upscale, set5[1:]).psnr
    )
    assert 0.05 < gain < 0.5


def test_keras_metrics_equal_the_functions(set5):
    for pair in set5:
        result = data.imresize(pair.lr, 4)
        for channels in metrics.CHANNELS:
            for metric, function, atol in (
                (metrics.PSNR, metrics.psnr, 1e-4),
                (metrics.SSIM, metrics.ssim, 1e-5),
            ):
                measured = metric(4, channels)
                measured.update_state(pair.hr[None] / 255, result[None] / 255)
                expected = function(result, pair.hr, 4, channels)
                found = float(measured.result())
                assert found == pytest.approx(expected, abs=atol)


def test_patches_of_what_is_prepared_show_the_photographs(set5, tmp_path):
    data.prepare([lambda pair=pair: pair for pair in set5], 4, tmp_path / "p")
    prepared = data.open_prepared(tmp_path / "p", 4)
    found = data.RandomPatches(prepared, 48, 8, seed=1)
    expected = data.RandomPatches(set5, 48, 8, seed=1)
    for step in range(3):
        lr, hr = found.batch(step)
        for a, b in zip((lr, hr), expected.batch(step), strict=True):
            np.testing.assert_array_equal(a, b)
        for small, large in zip(lr, hr, strict=True):
            # Only inside: at the border, a patch lacks its surroundings.
            again = data.imresize(large, 1 / 4)[4:-4, 4:-4].astype(int)
            assert np.abs(again - small[4:-4, 4:-4]).max() <= 1


def test_the_data_set_for_tfds_is_that_of_the_files(shared_data, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    import issp_keras.data.tfds  # noqa: F401

    builder = tfds.builder("sr_benchmark/set14_x3", data_dir=tmp_path)
    options = tfds.download.DownloadConfig(manual_dir=shared_data)
    builder.download_and_prepare(download_config=options)
    rows = tfds.as_numpy(builder.as_dataset(split="test"))
    scores = [
        metrics.psnr(data.imresize(row["lr"], 3), row["hr"], border=3)
        for row in rows
    ]
    assert len(scores) == 14
    # `bridge` is read as RGB, like in some other code.
    assert np.mean(scores) == pytest.approx(27.63, abs=0.01)


@pytest.mark.parametrize(
    ("name", "scale", "digest"),
    [
        ("chelsea", 2, "351e07c2bf506f7b"),
        ("chelsea", 3, "198797be15fe8523"),
        ("chelsea", 4, "2763b9379ac9f726"),
        ("coffee", 2, "2356f976210326d9"),
        ("coffee", 3, "ec9c2440bc955e42"),
        ("coffee", 4, "5c42e9762536e700"),
    ],
)
def test_imresize_gives_the_same_bits_everywhere(name, scale, digest):
    """The digests are of the version that was compared with MATLAB's files."""
    found = {
        photograph.name: photograph
        for photograph in data.find_source(data.EMBEDDED, "held_out", 1)
    }
    lr = data.imresize(found[name].read(1).hr, 1 / scale)
    assert hashlib.sha256(lr.tobytes()).hexdigest().startswith(digest)


@pytest.mark.parametrize(
    ("scale", "psnr"), [(2, 32.716), (3, 30.629), (4, 29.586)]
)
def test_bicubic_has_its_score_on_scikit_images_photographs(scale, psnr):
    pairs = data.load_pairs(data.EMBEDDED, "held_out", scale)
    score = mean_score(bicubic(scale), pairs)
    assert score.psnr == pytest.approx(psnr, abs=1e-3)
