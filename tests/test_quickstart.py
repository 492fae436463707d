"""What `make quickstart` has made keeps the promises of the README."""

import json
import math
import pathlib

import keras
import numpy as np
import PIL.Image
import pytest

from issp_keras.callbacks import prunable_kernels

RUN = pathlib.Path(__file__).parent.parent / "runs/quickstart"

pytestmark = pytest.mark.skipif(
    not (RUN / "results.json").exists(),
    reason="`make quickstart` has not run here",
)


@pytest.fixture(scope="module")
def rows():
    return json.loads((RUN / "results.json").read_text())["rows"]


def test_every_kernel_is_at_90_percent_zeros_exactly():
    for kernel in prunable_kernels(
        keras.models.load_model(RUN / "model.keras")
    ):
        zeros = np.count_nonzero(kernel.numpy() == 0)
        assert zeros == math.ceil(0.9 * math.prod(kernel.shape))


def test_it_beats_bicubic_by_at_least_0_4_db(rows):
    bicubic = rows[0]
    networks = [row for row in rows if row["file"] and "float" in row["file"]]
    assert len(networks) >= 4
    assert min(row["psnr"] for row in networks) >= bicubic["psnr"] + 0.4
    assert min(row["ssim"] for row in networks) > bicubic["ssim"]


def test_the_sparse_file_is_at_most_a_third_of_the_dense_one(rows):
    dense, sparse = rows[1], rows[-1]
    assert "dense" in dense["file"] and "sparse" in sparse["file"]
    assert 3 * sparse["bytes"] <= dense["bytes"]
    assert sparse["weights"]["nonzeros"] == dense["weights"]["nonzeros"]


def test_the_delegate_takes_the_network_as_one(rows):
    taken = [row for row in rows if row["delegate"]]
    assert {pathlib.Path(row["file"]).stem for row in taken} == {
        "model_float32_dense",
        "model_float32_sparse",
    }
    for row in taken:
        assert row["delegation"]["nodes"] > 10
        # How much faster depends on the machine; it is at any.
        assert row["ratio"] < 1


def test_the_picture_is_there():
    with PIL.Image.open(RUN / "comparison.png") as picture:
        assert picture.mode == "RGB"
