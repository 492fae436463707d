"""Keras networks as `.tflite` files, in every precision and encoding."""

import copy
import functools
import json

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from networks import HAS_LITERT
from networks import TINY
from networks import small_pairs
from networks import write_tflite

import issp_keras
from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import load_network
from issp_keras.tflite import Reference
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import encoding
from issp_keras.tflite import export
from issp_keras.tflite import export_all
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.products import split_products

RNG = np.random.default_rng(0)
_CONVERTED: dict = {}
# The converter quantises kernels dynamically if they have at least 1024
# weights, so these networks are wide enough.
NETWORKS = {
    "cat": TINY["cat"],
    "edge_sr": lambda: models.edge_sr(2, width=24, blocks=1),
    "edsr": lambda: models.edsr(2, features=16, blocks=1),
    "rcan": lambda: models.rcan(2, 16, groups=1, blocks=1, squeeze=2),
    "swinir": lambda: models.swinir(2, 36, (2,), heads=2),
}


def _prune(model, zeros):
    for kernel in prunable_kernels(model):
        kernel.assign(kernel * (RNG.random(kernel.shape) >= zeros))
    return model


def _options(model, scale=2):
    return {
        "reference": Reference(model, small_pairs(scale)),
        "calibration": [pair.lr for pair in small_pairs(scale)],
    }


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


@functools.cache
def _network(name):
    """A pruned network, and the reference to compare files with."""
    keras.utils.set_random_seed(1)
    model = _prune(NETWORKS[name](), 0.95)
    return model, _options(model)


# The matrix

# Networks and sizes of images. Converting the others takes long.
_QUICK = [(name, side) for name in ("edge_sr", "edsr") for side in (16, None)]
_QUICK += [("rcan", 16)]
_LONG = [("rcan", None), ("swinir", None), ("swinir", 16), ("cat", 16)]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("name", "side"),
    [*_QUICK, *(pytest.param(*of, marks=pytest.mark.long) for of in _LONG)],
)
def test_every_network_in_every_precision_and_encoding(
    name, side, precision, sparse, tmp_path, converted
):
    model, options = _network(name)
    path = tmp_path / "model.tflite"
    exported = export(model, path, precision, sparse, side, side, **options)
    limits = {"float32": 1e-6, "float16": 2e-3}
    assert exported.parity.max_error < limits.get(precision, 3e-2)
    assert abs(exported.parity.drop) < 0.05
    interpreter = TFLiteInterpreter(path)
    assert interpreter.size == (side and (side, side))
    output = interpreter(np.zeros((1, 16, 16, 3), np.float32))
    assert output.shape == (1, 32, 32, 3)
    about = exported.inspection
    assert about.bytes == path.stat().st_size
    kernels = {layer.kernel: layer.operator for layer in about.layers}
    dtype = "int8" if "int8" in precision else precision
    for kernel, operator in kernels.items():
        is_large = kernel.count >= 1024
        assert kernel.dtype == dtype or not is_large
        gain = kernel.dense_bytes - kernel.bytes
        assert gain > 100 if kernel.is_sparse else gain == 0
        # XNNPACK needs dense kernels in fully connected layers of integers.
        must_be_dense = (precision, operator) == ("int8", "FULLY_CONNECTED")
        if is_large:
            assert kernel.is_sparse == (sparse and not must_be_dense)
    assert any(kernel.count >= 1024 for kernel in kernels)
    if precision == "int8":
        assert _float_tensors(path) <= 2  # Input and output.


def _float_tensors(path):
    model = flatbuffer.read(path)
    (graph,) = model.subgraphs
    floats = schema.TensorType.FLOAT32
    return sum(tensor.type == floats for tensor in graph.tensors)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    """Sizes of EDSR-baseline x4's sparse files, by zeros and precision."""
    folder = tmp_path_factory.mktemp("edsr")
    found = {}
    for zeros, precision in (
        (0.95, "float32"),
        (0.95, "float16"),
        (0.95, "int8"),
        (0.99, "float32"),
    ):
        keras.utils.set_random_seed(1)
        model = _prune(models.edsr(4), zeros)
        options = _options(model, 4)
        options["calibration"] = [small_pairs(4)[0].lr[:16, :16]]
        # The ranges of one small patch are too narrow.
        options["tolerance"] = 10
        path = folder / f"{zeros}_{precision}.tflite"
        exported = export(model, path, precision, True, **options)
        found[zeros, precision] = exported.inspection
    return found


@pytest.mark.long
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
    about = sizes[zeros, precision]
    # A dense file stores four bytes for each of the 1,517,571 weights.
    assert times * about.bytes <= 4 * 1_517_571
    assert about.weights.sparse_kernels == about.weights.kernels == 37
    # The size is not far from the lower bound.
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
    uint8 = schema.TensorType.UINT8
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


@pytest.mark.parametrize("input", ["float32", "uint8"])
def test_int8_runs_where_all_channels_of_a_layer_are_dead(input, tmp_path):
    """Calibration finds a range of width 0, which XNNPACK refuses."""
    dead = keras.layers.Conv2D(2, 1, activation="relu")
    last = keras.layers.Conv2D(3, 1)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), dead, last, keras.layers.UpSampling2D()]
    )
    dead.bias.assign([-10, -10])
    # The output is only this bias. Widening the range must not change it.
    last.bias.assign([0.1, 0.5, 0.9])
    path = tmp_path / "model.tflite"
    exported = export(model, path, "int8", input=input, **_options(model))
    assert exported.parity.max_error < 0.01


# Sizes of images


@pytest.mark.versions
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
    with pytest.raises(
        InputError, match=r"only takes images of size \(8, 10\)"
    ):
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
        InputError, match=r"dB, that of the Keras model is .*`tolerance`"
    ):
        export(model, path, "float16", tolerance=-1e3, **_options(model))
    assert path.read_bytes() == b"an earlier file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            {"precision": "int4"},
            "`precision`: is 'int4', expected one of float32",
        ),
        (
            {"input": "int8"},
            "`input`: is 'int8', expected one of float32, uint8",
        ),
    ],
)
def test_what_no_file_can_be_is_refused(model, tmp_path, argument, message):
    with pytest.raises(InputError, match=message):
        export(model, tmp_path / "model.tflite", **argument)


def test_export_needs_a_folder_to_write_to(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder that can be written"):
        export(model, tmp_path / "file" / "model.tflite")


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


@pytest.mark.versions
def test_the_same_network_gives_the_same_bytes(model, tmp_path):
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        export(model, path, **_options(model))
    assert paths[0].read_bytes() == paths[1].read_bytes()


# Every variant


@pytest.mark.versions
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
    assert all("`tolerance`" in failure for failure in failures)


# Files of other origin


@pytest.mark.parametrize("batch", [1, None])
@pytest.mark.parametrize("precision", ["float32", "float16", "int8_dynamic"])
def test_the_zeros_of_any_pruned_model_are_left_out(precision, batch, tmp_path):
    """A classifier, as in the guides.

    If the batch may have any size, XNNPACK leaves the transposed convolution
    to TFLite. A kernel that is unpacked in two steps would be lost.
    """
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3), batch),
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
    if precision == "float32":
        write_tflite(model, dense)
    else:
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        dense.write_bytes(converter.convert())
    count = encode_sparse(dense, sparse)
    assert count >= 3
    assert sparse.stat().st_size < 0.8 * dense.stat().st_size
    image = RNG.random((1, 16, 16, 3), np.float32)
    expected, output = (_run(path, image) for path in (dense, sparse))
    # The float layers of the sparse file do not round like integer layers.
    rounding = 0.05 if precision == "int8_dynamic" else 1e-4
    largest = np.abs(expected).max()
    np.testing.assert_allclose(output, expected, atol=rounding * largest)
    # Another pass changes nothing.
    content = sparse.read_bytes()
    assert encode_sparse(sparse, sparse) == count
    assert sparse.read_bytes() == content


@pytest.mark.skipif(
    not HAS_LITERT, reason="this Keras does not export for LiteRT"
)
def test_the_zeros_of_what_keras_exports_are_left_out(tmp_path):
    model = _prune(TINY["edsr"](), 0.9)
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    model.export(dense, format="litert", verbose=False)
    assert encode_sparse(dense, sparse) == 6
    image = RNG.random((1, 9, 7, 3), np.float32)
    output = TFLiteInterpreter(sparse)(image)
    np.testing.assert_allclose(output, model(image), atol=1e-5)


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
    write_tflite(model, dense)
    assert encode_sparse(dense, sparse) == 1
    output = _run(sparse, np.ones((1, 8, 8, 16), np.float32))
    np.testing.assert_array_equal(output[0, 0, 0], np.arange(64))


def test_a_network_without_zeros_is_written_as_it_is(tmp_path):
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    write_tflite(TINY["edsr"](), dense)
    assert encode_sparse(dense, sparse) == 0
    assert sparse.stat().st_size <= dense.stat().st_size
    assert json.dumps(inspect(sparse).metadata) == "null"


def test_a_file_that_computes_otherwise_with_xnnpack_is_not_written(
    tmp_path, monkeypatch
):
    """A network whose kernel XNNPACK loses, without the rule against it."""
    import tensorflow as tf

    from issp_keras.tflite import sparse

    model = keras.Sequential(
        [keras.Input((8, 8, 8)), keras.layers.Conv2DTranspose(32, 3)]
    )
    _prune(model, 0.9)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    monkeypatch.setattr(sparse, "_is_taken", lambda *_: True)
    with pytest.raises(
        InputError, match="different results in TFLite with and without XNNPACK"
    ):
        encode_sparse(path, tmp_path / "sparse.tflite")
    assert list(tmp_path.iterdir()) == [path]


def test_constants_that_repeat_values_are_stored_as_these(tmp_path):
    """Like the position biases of windows: the same places in each layer."""
    places = RNG.integers(0, 100, (1, 32, 32, 4))
    image = x = keras.Input((32, 32, 4), 1)
    for _ in range(3):
        x = x + RNG.random(100, np.float32)[places]
        x = keras.ops.sin(x)
    unlike = RNG.random((1, 32, 32, 4), np.float32)
    model = keras.Model(image, x)
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    write_tflite(model, dense)
    assert encode_sparse(dense, sparse) == 0
    # The places are stored once, and three times a hundred values.
    assert sparse.stat().st_size < 4 * 32 * 32 * 4 + 3 * 400 + 4000
    assert dense.stat().st_size > 3 * 4 * 32 * 32 * 4
    np.testing.assert_array_equal(_run(sparse, unlike), _run(dense, unlike))


def test_constants_that_repeat_matrices_are_stored_as_these(tmp_path):
    """Like the mask of shifted windows, most of which are equal."""
    matrices = RNG.random((3, 16, 16), np.float32)
    mask = matrices[RNG.integers(0, 3, 64)]
    image = keras.Input((64, 16, 16), 1)
    model = keras.Model(image, keras.ops.sin(image - mask))
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    write_tflite(model, dense)
    assert encode_sparse(dense, sparse) == 0
    assert dense.stat().st_size > mask.nbytes
    assert sparse.stat().st_size < matrices.nbytes + 64 * 4 + 2500
    unlike = RNG.random((1, 64, 16, 16), np.float32)
    np.testing.assert_array_equal(_run(sparse, unlike), _run(dense, unlike))


@pytest.mark.parametrize("is_used", [False, True])
def test_a_product_that_is_split_becomes_a_product_for_each_part(
    is_used, tmp_path
):
    image = keras.Input((2, 3, 8), 1)
    whole = keras.layers.Dense(12, bias_initializer="normal")(image)
    one, two, three = keras.ops.split(whole, 3, axis=-1)
    result = (0.5 * one) * two - three
    outputs = [result, whole] if is_used else result
    path, again = tmp_path / "whole.tflite", tmp_path / "split.tflite"
    write_tflite(keras.Model(image, outputs), path)
    converted = flatbuffer.read(path)
    split_products(converted)
    again.write_bytes(flatbuffer.write(converted))
    graph = flatbuffer.Graph(converted)
    kinds = [graph.kind(operator) for operator in graph.operators]
    assert kinds.count("FULLY_CONNECTED") == (1 if is_used else 3)
    assert kinds.count("SPLIT") == is_used
    # A factor of only one part becomes part of its kernel.
    assert kinds.count("MUL") == (2 if is_used else 1)
    images = RNG.standard_normal((1, 2, 3, 8)).astype("float32")
    np.testing.assert_allclose(_run(again, images), _run(path, images), 1e-6)


def test_export_leaves_the_dense_layers_of_a_model_as_they_were(tmp_path):
    image = keras.Input((None, None, 3))
    dense = keras.layers.Dense(3, "relu")
    model = keras.Model(image, keras.layers.UpSampling2D()(dense(image)))
    before = np.array(model(np.ones((1, 2, 2, 3), np.float32)))
    export(model, tmp_path / "model.tflite", height=4, width=5)
    assert "call" not in vars(dense)
    after = np.array(model(np.ones((1, 2, 2, 3), np.float32)))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("size", [4, 5, 6, 8, 12])
def test_no_kernel_is_stored_sparse_that_a_file_would_grow_by(size, tmp_path):
    """Also, no kernel stays dense if its sparse form is much smaller."""
    model = keras.Sequential(
        [keras.Input((8, 8, size), 1), keras.layers.Conv2D(size, 3)]
    )
    _prune(model, 0.9)
    path, again = tmp_path / "dense.tflite", tmp_path / "again.tflite"
    write_tflite(model, path)
    again.write_bytes(flatbuffer.write(flatbuffer.read(path)))
    is_sparse = encode_sparse(path, path)
    gain = again.stat().st_size - path.stat().st_size
    assert gain > 0 if is_sparse else gain == 0
    if not is_sparse:
        kernel = model.layers[0].kernel.numpy()
        _, least = encoding.choose(kernel.transpose(3, 0, 1, 2))
        assert kernel.nbytes - least < 400


def test_buffers_are_aligned_as_the_schema_asks(tmp_path):
    path = tmp_path / "model.tflite"
    write_tflite(_prune(TINY["edsr"](), 0.9), path)
    encode_sparse(path, path)
    content = path.read_bytes()
    model = flatbuffer.parse(content, path)
    begin = _address(np.frombuffer(content, np.uint8))
    places = [
        _address(buffer.data) - begin
        for buffer in model.buffers
        if buffer.data is not None
    ]
    assert len(places) > 6
    assert all(place % 16 == 0 for place in places)


def _address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("precision", ["float32", "int8_dynamic"])
def test_mixed_precision_is_exported_from_float32(precision, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _prune(TINY["edsr"](), 0.9)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[2].compute_dtype == "float16"
    path = tmp_path / "model.tflite"
    exported = export(model, path, precision, **_options(model))
    assert exported.parity.max_error < 1e-5
    image = RNG.random((1, 8, 8, 3), np.float32)
    expected = np.clip(model(image), 0, 1)
    output = TFLiteInterpreter(path)(image)
    np.testing.assert_allclose(output, expected, atol=0.01)
