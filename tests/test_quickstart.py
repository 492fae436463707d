"""The results of `make quickstart` are as the README says."""

import json
import pathlib

import PIL.Image
import pytest

from issp_keras.callbacks import prunable_kernels
from issp_keras.models import load_model

RUN = pathlib.Path(__file__).parent.parent / "runs/quickstart"

pytestmark = pytest.mark.skipif(
    not (RUN / "results.json").exists(),
    reason="`make quickstart` has not run here",
)


@pytest.fixture(scope="module")
def rows():
    return json.loads((RUN / "results.json").read_text())["rows"]


def test_every_kernel_has_90_percent_zeros_in_blocks_of_4_inputs():
    kernels = prunable_kernels(load_model(RUN / "model.keras"))
    assert len(kernels) == 18
    for kernel in kernels:
        pruned = kernel.numpy() == 0
        assert 0.9 <= pruned.mean() < 0.91
        if kernel.shape[2] % 4 == 0:
            blocks = pruned.reshape(9, -1, 4, kernel.shape[3])
            assert (blocks.all(2) == blocks.any(2)).all()


def test_it_beats_bicubic_by_at_least_1_db(rows):
    bicubic = rows[0]
    networks = [row for row in rows if row["file"] and "float" in row["file"]]
    assert len(networks) >= 4
    # 0.3 dB more than the EDSR that was here before, 33.50 dB.
    assert min(row["psnr"] for row in networks) >= bicubic["psnr"] + 1.08
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
        "model_int8_dense",
    }
    for row in taken:
        assert row["delegation"]["nodes"] > 10
        # The ratio depends on the machine, but it is always faster.
        assert row["ratio"] < 1


def test_the_picture_is_there():
    with PIL.Image.open(RUN / "comparison.png") as picture:
        assert picture.mode == "RGB"
