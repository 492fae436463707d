"""Tests of the test sets. dummy_data/ has two noise images in each layout."""

import logging

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from issp_keras.data.tfds.sr_benchmark import sr_benchmark_dataset_builder
from issp_keras.errors import InputError

pytestmark = pytest.mark.versions


class SRBenchmarkTest(tfds.testing.DatasetBuilderTestCase):
    """Set5 in the layout of EDSR-PyTorch, Set14 in that of BasicSR, ..."""

    DATASET_CLASS = sr_benchmark_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [
        "set5_x2",
        "set14_x4",
        "b100_x3",
        "urban100_x4",
        "manga109_x3",
    ]
    SPLITS = {"test": 2}


def _load(config, manual_dir, data_dir):
    builder = tfds.builder(f"sr_benchmark/{config}", data_dir=data_dir)
    options = tfds.download.DownloadConfig(manual_dir=manual_dir)
    builder.download_and_prepare(download_config=options)
    return list(tfds.as_numpy(builder.as_dataset(split="test")))


def test_lr_of_another_size_is_refused(tmp_path):
    folder = tmp_path / "manual" / "Set5"
    for name, size in {
        "HR/baby.png": (17, 14),
        "LR_bicubic/X2/babyx2.png": (9, 7),
    }.items():
        (folder / name).parent.mkdir(parents=True)
        PIL.Image.new("RGB", size).save(folder / name)
    with pytest.raises(InputError, match=r"babyx2\.png: is 9x7.*expected 8x7"):
        _load("set5_x2", tmp_path / "manual", tmp_path / "data")


def test_a_missing_set_is_answered_with_the_files_expected(tmp_path):
    (tmp_path / "manual" / "Set5").mkdir(parents=True)
    expected = r"no folder urban100(?s:.)*image_SRF_4"
    with pytest.raises(InputError, match=expected):
        _load("urban100_x2", tmp_path / "manual", tmp_path / "data")


def test_without_a_manual_dir_the_layouts_are_told(tmp_path):
    with pytest.raises(AssertionError, match="image_SRF_4"):
        _load("set5_x2", tmp_path / "nowhere", tmp_path / "data")


def test_grey_images_become_rgb_and_an_incomplete_set_is_told(tmp_path, caplog):
    folder = tmp_path / "manual" / "set14"
    folder.mkdir(parents=True)
    PIL.Image.new("L", (13, 9), 77).save(folder / "bridge.png")
    with caplog.at_level(logging.WARNING):
        (row,) = _load("set14_x3", tmp_path / "manual", tmp_path / "data")
    assert (row["hr"].shape, row["lr"].shape) == ((9, 12, 3), (3, 4, 3))
    assert (np.unique(row["hr"]), np.unique(row["lr"])) == (77, 77)
    assert "holds 1 photographs, set14 has 14" in caplog.text


if __name__ == "__main__":
    tfds.testing.test_main()
