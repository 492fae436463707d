"""Tests of DF2K, with a few small images in place of DIV2K."""

import io
import unittest.mock

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from issp_keras.data import imresize
from issp_keras.data.tfds.df2k import df2k_dataset_builder
from issp_keras.errors import InputError

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _png(height, width):
    buffer = io.BytesIO()
    pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _div2k():
    rows = {"lr": [_png(5, 4), _png(6, 3)], "hr": [_png(10, 8), _png(12, 6)]}
    return tf.data.Dataset.from_tensor_slices(rows)


class DF2KTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = df2k_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["bicubic_x2"]
    SPLITS = {"train": 2 + 2, "validation": 2}

    def setUp(self):
        super().setUp()
        # DF2K calls this function to get DIV2K. The mock downloads nothing.
        patcher = unittest.mock.patch.object(
            df2k_dataset_builder, "_load_div2k", self._load_div2k
        )
        patcher.start()
        self.patchers.append(patcher)

    def _load_div2k(self, name, data_dir):
        assert name == "bicubic_x2"
        return {"train": _div2k(), "validation": _div2k()}


def _store_div2k(data_dir):
    """Stores small images as the prepared `div2k` of TFDS."""
    features = tfds.builder("div2k/bicubic_x2", data_dir=data_dir).info.features

    def rows(count, first):
        for i in range(count):
            hr = np.full((8, 6, 3), first + i, np.uint8)
            yield i, {"lr": hr[::2, ::2], "hr": hr}

    tfds.dataset_builders.store_as_tfds_dataset(
        name="div2k",
        config="bicubic_x2",
        version="2.0.0",
        data_dir=data_dir,
        split_datasets={"train": rows(3, 10), "validation": rows(1, 90)},
        features=features,
        disable_shuffling=True,
    )


def test_joins_the_div2k_of_tfds_and_a_folder_of_flickr2k(tmp_path):
    _store_div2k(tmp_path / "data")
    folder = tmp_path / "manual" / "Flickr2K" / "Flickr2K_HR"
    folder.mkdir(parents=True)
    photograph = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    PIL.Image.fromarray(photograph).save(folder / "000001.png")
    builder = tfds.builder("df2k/bicubic_x2", data_dir=tmp_path / "data")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=tmp_path / "manual"
        )
    )
    train, validation = (
        list(tfds.as_numpy(builder.as_dataset(split=split)))
        for split in ("train", "validation")
    )
    assert sorted(
        row["hr"][0, 0, 0]
        for row in train
        if len(row["hr"]) == 8 and np.ptp(row["hr"]) == 0
    ) == [10, 11, 12]
    (flickr,) = [row for row in train if np.ptp(row["hr"])]
    np.testing.assert_array_equal(flickr["hr"], photograph[:8, :6])
    np.testing.assert_array_equal(
        flickr["lr"], imresize(photograph[:8, :6], 0.5)
    )
    assert [row["hr"][0, 0, 0] for row in validation] == [90]


def test_a_missing_flickr2k_is_answered_before_any_download(tmp_path):
    (tmp_path / "manual" / "Flickr").mkdir(parents=True)
    builder = tfds.builder("df2k/bicubic_x2", data_dir=tmp_path / "data")
    with pytest.raises(
        InputError, match=r"Flickr2K: no such(?s:.)*000001\.png"
    ):
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=tmp_path / "manual"
            )
        )


if __name__ == "__main__":
    tfds.testing.test_main()
