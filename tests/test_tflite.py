import gzip
import pathlib
import shutil

import keras
import numpy as np
import pytest
import skimage

from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.models import load_model
from issp_keras.tflite import export
from issp_keras.tflite import inspect
from issp_keras.tflite.benchmark import benchmark
from issp_keras.tflite.benchmark import latencies

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(sparse_model_path):
    return load_model(sparse_model_path)


@pytest.fixture(scope="module")
def paths(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    paths = [folder / "dense.tflite", folder / "sparse.tflite"]
    for path in paths:
        export(model, path, sparse=path.stem == "sparse")
    return paths


# Export


@pytest.mark.parametrize("shape", [(1, 6, 7, 3), (1, 16, 16, 3), (2, 5, 4, 3)])
def test_both_encodings_equal_the_keras_model(model, paths, shape):
    images = RNG.random(shape, np.float32)
    expected = model(images, training=False)
    dense, sparse = (TFLiteInterpreter(path)(images) for path in paths)
    np.testing.assert_allclose(dense, expected, atol=1e-5)
    np.testing.assert_array_equal(sparse, dense)


def test_the_sparse_file_is_smaller(paths):
    dense, sparse = (path.stat().st_size for path in paths)
    assert sparse < 0.75 * dense


def test_a_fixed_size_is_fixed_in_the_file(model, tmp_path):
    path = tmp_path / "fixed.tflite"
    export(model, path, height=8, width=10)
    interpreter = TFLiteInterpreter(path)
    assert interpreter.size == (8, 10)
    assert interpreter(np.zeros((1, 8, 10, 3), np.float32)).shape == (
        1,
        16,
        20,
        3,
    )
    assert inspect(path).sparse_kernels > 0


def test_a_file_that_differs_from_the_model_is_not_written(
    model, tmp_path, monkeypatch
):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"an earlier file")
    other = keras.models.clone_model(model)
    convert = export.__globals__["_convert"]
    monkeypatch.setitem(
        export.__globals__,
        "_convert",
        lambda _, *arguments: convert(other, *arguments),
    )
    with pytest.raises(
        InputError, match=r"differs.*at most 1e-04.*not written"
    ):
        export(model, path)
    assert path.read_bytes() == b"an earlier file"
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_of_a_fixed_size_is_exported_at_that_size(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 10, 3)), keras.layers.UpSampling2D()]
    )
    export(model, tmp_path / "model.tflite")
    assert TFLiteInterpreter(tmp_path / "model.tflite").size == (8, 10)
    with pytest.raises(InputError, match=r"takes \(8, 10\) only"):
        export(model, tmp_path / "model.tflite", height=16, width=16)


def test_height_and_width_belong_together(model, tmp_path):
    with pytest.raises(InputError, match="height=8, width=None"):
        export(model, tmp_path / "model.tflite", height=8)


def test_export_needs_a_folder_to_write_to(model, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        export(model, tmp_path / "missing" / "model.tflite")


# Inspect


def test_counts_the_weights_of_both_encodings(model, paths):
    kernels = [
        layer.kernel.numpy()
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    for path in paths:
        weights = inspect(path)
        assert weights.count == sum(kernel.size for kernel in kernels)
        assert weights.nonzeros == sum(map(np.count_nonzero, kernels))
        assert weights.kernels == len(kernels)
    assert inspect(paths[0]).sparse_kernels == 0
    assert inspect(paths[1]).sparse_kernels == len(kernels)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_counts_the_weights_of_quantised_files(model, tmp_path, precision):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    weights = inspect(path)
    kernels = [
        layer.kernel.numpy()
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert weights.count == sum(kernel.size for kernel in kernels)
    nonzeros = sum(map(np.count_nonzero, kernels))
    # A level of int8 may round a small weight to zero.
    assert 0.95 * nonzeros <= weights.nonzeros <= nonzeros


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0TFL3", b"no model"])
def test_inspect_refuses_what_is_no_model(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite"):
        inspect(path)
    with pytest.raises(InputError, match="no such file"):
        inspect(tmp_path / "missing.tflite")


# Benchmark


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
    export(model, path, height=4, width=6)
    (latency,) = latencies([path], 4, 6, rounds=3)
    assert latency > 0
    with pytest.raises(InputError, match=r"takes \(4, 6\) pixels only"):
        latencies([path], 16, 16, rounds=3)


def test_files_of_different_scales_are_not_compared(paths, tmp_path):
    from issp_keras import models

    other = tmp_path / "x3.tflite"
    export(models.edsr(3, features=4, blocks=1), other)
    with pytest.raises(InputError, match="magnifies 3 times, expected 2"):
        benchmark([paths[0], other], [], rounds=1)
