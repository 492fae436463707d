"""Keras networks as `.tflite` files, in every precision and encoding."""

import copy
import json

import keras
import numpy as np
import pytest
from networks import TINY
from networks import small_pairs

import issp_keras
from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import load_network
from issp_keras.models import load_model
from issp_keras.tflite import Reference
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import export
from issp_keras.tflite import export_all
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite.convert import PRECISIONS

RNG = np.random.default_rng(0)
_CONVERTED: dict = {}
NETWORKS = ("cat", "edge_sr", "edsr", "rcan", "swinir")


def _prune(model, zeros):
    for kernel in prunable_kernels(model):
        kernel.assign(kernel * (RNG.random(kernel.shape) >= zeros))
    return model


def _options(model, scale=2):
    return {
        "reference": Reference(model, small_pairs(scale)),
        "calibration": [pair.lr for pair in small_pairs(scale)],
    }


@pytest.fixture(scope="module")
def model(sparse_model_path):
    return load_model(sparse_model_path)


@pytest.fixture
def converted(monkeypatch):
    """Lets `export` convert each network once, for both of its encodings."""
    convert = export.__globals__["convert"]

    def once(model, *arguments):
        key = (model, *arguments[:-1])
        if key not in _CONVERTED:
            _CONVERTED[key] = convert(model, *arguments)
        return copy.deepcopy(_CONVERTED[key])

    monkeypatch.setitem(export.__globals__, "convert", once)


@pytest.fixture(scope="module")
def network(request):
    """A pruned network, with what it is compared with."""
    keras.utils.set_random_seed(1)
    model = _prune(TINY[request.param](), 0.95)
    return model, _options(model)


# The matrix


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", NETWORKS, indirect=True)
def test_every_network_in_every_precision_and_encoding(
    network, precision, sparse, tmp_path, converted
):
    model, options = network
    path = tmp_path / "model.tflite"
    exported = export(model, path, precision, sparse, 16, 16, **options)
    limits = {"float32": 1e-6, "float16": 2e-3}
    assert exported.parity.max_error < limits.get(precision, 3e-2)
    assert abs(exported.parity.drop) < 0.05
    interpreter = TFLiteInterpreter(path)
    assert interpreter.size == (16, 16)
    assert interpreter(np.zeros((1, 16, 16, 3), np.float32)).shape == (
        *(1, 32, 32, 3),
    )
    about = exported.inspection
    assert about.bytes == path.stat().st_size
    for kernel in {layer.kernel for layer in about.layers}:
        gain = kernel.dense_bytes - kernel.bytes
        assert gain > 100 if kernel.is_sparse else gain == 0
    largest = max(about.layers, key=lambda layer: layer.kernel.dense_bytes)
    if not sparse:
        assert not any(tensor.is_sparse for tensor in about.tensors)
    elif largest.kernel.dense_bytes > 800:
        is_integer_product = precision == "int8" and (
            largest.operator == "FULLY_CONNECTED"
        )
        assert largest.kernel.is_sparse != is_integer_product
    if precision == "int8":
        assert _float_tensors(path) <= 2  # What comes in and goes out.


def _float_tensors(path):
    model = flatbuffer.read(path)
    (graph,) = model.subgraphs
    floats = flatbuffer.schema.TensorType.FLOAT32
    return sum(tensor.type == floats for tensor in graph.tensors)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    """Sizes of EDSR-baseline x4's files, by zeros, precision and encoding."""
    folder = tmp_path_factory.mktemp("edsr")
    found = {}
    for zeros, precision, sparse in (
        (0.95, "float32", False),
        (0.95, "float32", True),
        (0.95, "float16", True),
        (0.95, "int8", True),
        (0.99, "float32", True),
    ):
        keras.utils.set_random_seed(1)
        model = _prune(models.edsr(4), zeros)
        options = _options(model, 4)
        options["calibration"] = [small_pairs(4)[0].lr[:16, :16]]
        # Ranges of one small patch are too narrow.
        options["tolerance"] = 10
        path = folder / f"{zeros}_{precision}_{sparse}.tflite"
        exported = export(model, path, precision, sparse, **options)
        found[zeros, precision, sparse] = exported.inspection
    return found


@pytest.mark.parametrize(
    ("zeros", "precision", "times"),
    [
        (0.95, "float32", 11),
        (0.95, "float16", 16),
        (0.95, "int8", 20),
        (0.99, "float32", 30),
    ],
)
def test_edsr_baseline_becomes_as_small_as_promised(
    sizes, zeros, precision, times
):
    dense = sizes[0.95, "float32", False].bytes
    about = sizes[zeros, precision, True]
    assert times * about.bytes <= dense
    assert about.weights.sparse_kernels == about.weights.kernels == 37
    # Not far from the least that is possible.
    assert about.floor_bytes < about.bytes < 2.1 * about.floor_bytes


# Pixels


@pytest.mark.parametrize("precision", PRECISIONS)
def test_uint8_files_take_and_make_bytes(model, precision, tmp_path):
    path = tmp_path / "model.tflite"
    options = _options(model)
    exported = export(model, path, precision, input="uint8", **options)
    beyond = {"float32": 1e-4, "float16": 1e-3}.get(precision, 3e-3)
    assert exported.parity.max_error < 0.5 / 255 + beyond
    graph = flatbuffer.read(path).subgraphs[0]
    uint8 = flatbuffer.schema.TensorType.UINT8
    for number in (*graph.inputs, *graph.outputs):
        assert graph.tensors[number].type == uint8
    network = load_network(path)
    pixels = small_pairs(2)[0].lr
    difference = network.upscale(pixels).astype(float) - np.clip(
        255 * np.array(model(pixels[None] / np.float32(255)))[0], 0, 255
    )
    assert np.abs(difference).max() < (2.0 if precision == "int8" else 0.55)


@pytest.mark.parametrize("input", ["float32", "uint8"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_what_no_pixel_can_show_is_clipped_in_the_graph(
    precision, input, tmp_path
):
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(3, 1),
            keras.layers.UpSampling2D(),
            keras.layers.Rescaling(3, -1),
        ]
    )
    model.layers[0].kernel.assign(np.eye(3)[None, None])
    path = tmp_path / "model.tflite"
    export(model, path, precision, True, 4, 256, input, **_options(model))
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    image = np.broadcast_to(ramp[:, None], (1, 4, 256, 3))
    output = TFLiteInterpreter(path)(np.ascontiguousarray(image))
    assert output.min() == 0
    assert output.max() == 1
    expected = np.clip(3 * ramp - 1, 0, 1).repeat(2)
    coarse = 0.02 if precision == "int8" else 0.5 / 255
    np.testing.assert_allclose(output[0, 0, :, 0], expected, atol=coarse + 1e-6)


def test_int8_runs_where_all_channels_of_a_layer_are_dead(tmp_path):
    """XNNPACK refuses the range of no width that calibration finds."""
    model = models.rcan(2, 4, groups=1, blocks=1, squeeze=2)
    for weight in model.weights:
        if "squeeze" in weight.path or "down" in weight.path:
            weight.assign(-keras.ops.ones_like(weight))
    export(model, tmp_path / "model.tflite", "int8", **_options(model))


# Sizes of images


def test_a_fixed_size_is_fixed_in_the_file(model, tmp_path):
    path = tmp_path / "fixed.tflite"
    export(model, path, height=8, width=10, **_options(model))
    interpreter = TFLiteInterpreter(path)
    assert interpreter.size == (8, 10)
    image = np.zeros((1, 8, 10, 3), np.float32)
    assert interpreter(image).shape == (1, 16, 20, 3)


def test_a_model_of_a_fixed_size_is_exported_at_that_size(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 10, 3)), keras.layers.UpSampling2D()]
    )
    path = tmp_path / "model.tflite"
    exported = export(model, path)
    assert TFLiteInterpreter(path).size == (8, 10)
    assert exported.inspection.layers == []
    with pytest.raises(InputError, match=r"takes \(8, 10\) only"):
        export(model, path, height=16, width=16)


def test_height_and_width_belong_together(model, tmp_path):
    with pytest.raises(InputError, match="height=8, width=None"):
        export(model, tmp_path / "model.tflite", height=8)


# What is checked


def test_a_file_that_differs_from_the_model_is_not_written(
    model, tmp_path, monkeypatch
):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"an earlier file")
    other = keras.models.clone_model(model)
    convert = export.__globals__["convert"]
    monkeypatch.setitem(
        export.__globals__,
        "convert",
        lambda _, *arguments: convert(other, *arguments),
    )
    with pytest.raises(
        InputError, match=r"differs.*at most 1\.0e-04.*not written"
    ):
        export(model, path, **_options(model))
    with pytest.raises(
        InputError, match=r"dB where the Keras model has .*--tolerance"
    ):
        export(model, path, "float16", tolerance=-1e3, **_options(model))
    assert path.read_bytes() == b"an earlier file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            {"precision": "int4"},
            "--precision: is 'int4', expected one of float32",
        ),
        (
            {"input": "int8"},
            "--input: is 'int8', expected one of float32, uint8",
        ),
    ],
)
def test_what_no_file_can_be_is_refused(model, tmp_path, argument, message):
    with pytest.raises(InputError, match=message):
        export(model, tmp_path / "model.tflite", **argument)


def test_export_needs_a_folder_to_write_to(model, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        export(model, tmp_path / "missing" / "model.tflite", **_options(model))


def test_a_file_says_what_it_holds(model, tmp_path):
    path = tmp_path / "model.tflite"
    export(
        model, path, "float16", input="uint8", method="srp", **_options(model)
    )
    about = inspect(path).metadata
    zeros = 1 - inspect(path).weights.nonzeros / inspect(path).weights.count
    assert about == {
        "version": issp_keras.__version__,
        "network": "edsr",
        "scale": 2,
        "precision": "float16",
        "input": {"dtype": "uint8", "range": [0, 255]},
        "method": "srp",
        "sparsity": pytest.approx(zeros, abs=1e-6),
    }


def test_the_same_network_gives_the_same_bytes(model, tmp_path):
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        export(model, path, **_options(model))
    assert paths[0].read_bytes() == paths[1].read_bytes()


# Every variant


def test_all_variants_are_written_and_those_that_fail_named(model, tmp_path):
    stem = tmp_path / "model"
    written, failures = export_all(model, stem, **_options(model))
    assert failures == []
    names = {
        f"model_{precision}_{encoding}.tflite"
        for precision in PRECISIONS
        for encoding in ("dense", "sparse")
    }
    assert {path.name for path in tmp_path.iterdir()} <= names
    assert {f"model_{p}_dense.tflite" for p in PRECISIONS} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert len(written) == len(list(tmp_path.iterdir()))
    written, failures = export_all(
        model, stem, tolerance=-1e3, **_options(model)
    )
    assert written == []
    assert len(failures) == 8
    assert all("--tolerance" in failure for failure in failures)


# Files of other origin


@pytest.mark.parametrize("quantised", [False, True])
def test_the_zeros_of_any_pruned_model_are_left_out(quantised, tmp_path):
    """As the README says, of a classifier."""
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.DepthwiseConv2D(3, padding="same"),
            keras.layers.Conv2DTranspose(16, 4, strides=2),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    _prune(model, 0.9)
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    if quantised:
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        dense.write_bytes(converter.convert())
    else:
        model.export(dense, format="litert", verbose=False)
    count = encode_sparse(dense, sparse)
    assert count >= 3
    assert sparse.stat().st_size < 0.7 * dense.stat().st_size
    image = RNG.random((1, 16, 16, 3), np.float32)
    outputs = [_run(path, image) for path in (dense, sparse)]
    np.testing.assert_allclose(*outputs, atol=2e-3 if quantised else 1e-6)
    # Once more changes nothing.
    content = sparse.read_bytes()
    assert encode_sparse(sparse, sparse) == count
    assert sparse.read_bytes() == content


def _run(path, image):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_a_kernel_of_zeros_alone_is_left_out_too(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 16)), keras.layers.Conv2D(64, 3)]
    )
    model.layers[0].kernel.assign(np.zeros((3, 3, 16, 64)))
    model.layers[0].bias.assign(np.arange(64))
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    model.export(dense, format="litert", verbose=False)
    assert encode_sparse(dense, sparse) == 1
    output = _run(sparse, np.ones((1, 8, 8, 16), np.float32))
    np.testing.assert_array_equal(output[0, 0, 0], np.arange(64))


def test_a_network_without_zeros_is_written_as_it_is(tmp_path):
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    TINY["edsr"]().export(dense, format="litert", verbose=False)
    assert encode_sparse(dense, sparse) == 0
    assert sparse.stat().st_size <= dense.stat().st_size
    assert json.dumps(inspect(sparse).metadata) == "null"
