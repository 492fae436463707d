"""Data, metrics and inference together, on Set5 and Set14."""

import numpy as np
import pytest

from issp_keras import data
from issp_keras import metrics
from issp_keras.inference import BUNDLED
from issp_keras.inference import load_network
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score


@pytest.fixture(scope="module")
def set5(shared_data):
    return data.load_pairs(str(shared_data / "Set5"), "held_out", 4)


@pytest.fixture(scope="module")
def network():
    return load_network(BUNDLED)


def test_the_network_that_comes_along_beats_bicubic(set5, network):
    score = mean_score(network.upscale, set5)
    assert score.psnr == pytest.approx(29.77, abs=0.01)
    assert mean_score(bicubic(4), set5).psnr == pytest.approx(28.42, abs=0.02)


def test_a_self_ensemble_is_better_than_one_turn(set5, network):
    ensemble = load_network(BUNDLED, self_ensemble=True)
    gain = (
        mean_score(ensemble.upscale, set5[1:]).psnr
        - mean_score(network.upscale, set5[1:]).psnr
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
            # But for the border, where a patch lacks its surroundings.
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
    # With `bridge` as RGB, as some code bases do.
    assert np.mean(scores) == pytest.approx(27.63, abs=0.01)
