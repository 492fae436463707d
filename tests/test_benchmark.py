"""Comparing `.tflite` files."""

import gzip
import pathlib
import shutil

import pytest
import skimage
from networks import small_pairs

from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.tflite import Reference
from issp_keras.tflite import export
from issp_keras.tflite.benchmark import benchmark
from issp_keras.tflite.benchmark import latencies


def _export(model, path, scale=2, **options):
    export(
        model, path, reference=Reference(model, small_pairs(scale)), **options
    )


@pytest.fixture(scope="module")
def paths(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    paths = [folder / "dense.tflite", folder / "sparse.tflite"]
    for path in paths:
        _export(model, path, sparse=path.stem == "sparse")
    return paths


def test_a_row_for_bicubic_and_one_for_each_file(paths, tmp_path):
    chelsea = pathlib.Path(skimage.__file__).parent / "data/chelsea.png"
    shutil.copy(chelsea, tmp_path)
    sources = [str(tmp_path)]
    bicubic, dense, sparse = benchmark(paths, sources, 8, 8, rounds=2)
    assert bicubic.psnr == pytest.approx(35.2, abs=0.1)
    assert bicubic.weights is None
    assert (dense.name, sparse.name) == ("dense TFLite", "sparse TFLite")
    assert dense.psnr == sparse.psnr
    for row, path in zip((dense, sparse), paths, strict=True):
        assert row.bytes == path.stat().st_size
        assert row.file == str(path)
        assert row.gzip_bytes == len(gzip.compress(path.read_bytes()))
        assert row.latency_ms > 0


def test_times_a_file_of_a_fixed_size_at_that_size_only(model, tmp_path):
    path = tmp_path / "fixed.tflite"
    _export(model, path, height=4, width=6)
    (latency,) = latencies([path], 4, 6, rounds=3)
    assert latency > 0
    with pytest.raises(InputError, match=r"takes \(4, 6\) pixels only"):
        latencies([path], 16, 16, rounds=3)


def test_files_of_different_scales_are_not_compared(paths, tmp_path):
    other = tmp_path / "x3.tflite"
    _export(models.edsr(3, features=4, blocks=1), other, 3)
    with pytest.raises(InputError, match="magnifies 3 times, expected 2"):
        benchmark([paths[0], other], [], rounds=1)
