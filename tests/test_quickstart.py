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
    bicubic, dense, sparse = rows
    assert min(dense["psnr"], sparse["psnr"]) >= bicubic["psnr"] + 0.4
    assert min(dense["ssim"], sparse["ssim"]) > bicubic["ssim"]


def test_the_sparse_file_is_at_most_a_third_of_the_dense_one(rows):
    _, dense, sparse = rows
    assert 3 * sparse["bytes"] <= dense["bytes"]
    assert sparse["weights"]["nonzeros"] == dense["weights"]["nonzeros"]


def test_the_picture_is_there():
    with PIL.Image.open(RUN / "comparison.png") as picture:
        assert picture.mode == "RGB"
