"""Inspects `.tflite` files of any origin."""

import gzip
import io
import zipfile

import graphs
import int8_files
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from networks import TINY
from networks import small_pairs
from networks import write_tflite

import issp_keras
from issp_keras.errors import InputError
from issp_keras.tflite import Reference
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import encoding
from issp_keras.tflite import export
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite import probe
from issp_keras.tflite.flatbuffer import writing

RNG = np.random.default_rng(0)
_OF_INTEGERS = pytest.mark.filterwarnings(
    "ignore:Statistics for quantized inputs"
)
_MANY_FILES = settings(
    max_examples=150,
    deadline=10_000,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def paths(model, tmp_path_factory):
    """A network's file with and without its zeros."""
    folder = tmp_path_factory.mktemp("tflite")
    paths = [folder / "dense.tflite", folder / "sparse.tflite"]
    write_tflite(model, paths[0])
    encode_sparse(*paths)
    return paths


def _kernels(model):
    return [
        layer.kernel.numpy()
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]


def test_counts_the_weights_of_both_encodings(model, paths):
    kernels = _kernels(model)
    for path in paths:
        weights = inspect(path).weights
        assert weights.count == sum(kernel.size for kernel in kernels)
        assert weights.nonzeros == sum(map(np.count_nonzero, kernels))
        assert weights.kernels == len(kernels)
    assert inspect(paths[0]).weights.sparse_kernels == 0
    assert inspect(paths[1]).weights.sparse_kernels >= 4


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_counts_the_weights_of_quantised_files(model, tmp_path, precision):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    weights = inspect(path).weights
    kernels = _kernels(model)
    assert weights.count == sum(kernel.size for kernel in kernels)
    nonzeros = sum(map(np.count_nonzero, kernels))
    # int8 may round a small weight to zero.
    assert 0.95 * nonzeros <= weights.nonzeros <= nonzeros


def test_tells_of_each_tensor_what_it_takes(model, paths):
    dense, sparse = map(inspect, paths)
    for about in (dense, sparse):
        for layer, kernel in zip(about.layers, _kernels(model), strict=True):
            tensor = layer.kernel
            outputs = kernel.shape[-1]
            assert tensor.shape == (outputs, 3, 3, kernel.shape[2])
            assert tensor.dtype == "float32"
            assert tensor.dense_bytes == 4 * kernel.size
            assert tensor.floor_bytes == pytest.approx(
                encoding.floor(kernel.size, np.count_nonzero(kernel), 4)
            )
            if not tensor.is_sparse:
                assert tensor.bytes == tensor.dense_bytes
                continue
            assert tensor.encoding.startswith("sparse ")
            assert tensor.floor_bytes < tensor.bytes < tensor.dense_bytes
    names = [layer.name.split("/")[-1] for layer in dense.layers]
    assert names[1] == "body.0.conv1_1"
    biases = [tensor for tensor in dense.tensors if len(tensor.shape) == 1]
    assert biases
    assert not any(tensor.is_sparse for tensor in biases)


def test_sizes_are_those_of_the_file_and_of_an_apk(paths):
    about = inspect(paths[1])
    content = paths[1].read_bytes()
    assert about.bytes == len(content)
    assert about.gzip_bytes == len(gzip.compress(content))
    with zipfile.ZipFile(io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(paths[1])
        assert about.zip_bytes == archive.infolist()[0].compress_size
    assert 0 < about.floor_bytes < about.bytes


@pytest.mark.parametrize("network", ["edge_sr", "edsr", "rcan", "swinir"])
def test_counts_multiply_adds_as_the_summary_of_the_model(network, tmp_path):
    model = TINY[network]()
    path = tmp_path / "model.tflite"
    write_tflite(model, path)
    assert inspect(path).macs is None
    about = inspect(path, size=(16, 32))
    rows = issp_keras.summary(model, (1, 16, 32, 3), print_fn=lambda _: None)
    assert about.macs == rows[-1]["dense_macs"]
    assert about.sparse_macs == pytest.approx(rows[-1]["sparse_macs"])
    assert about.size == (16, 32)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2DTranspose(5, 4, strides=2),
        keras.layers.Conv2DTranspose(5, 3, use_bias=False),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        keras.layers.Conv2D(6, 3, strides=2, groups=2),
        keras.layers.Dense(7),
    ],
)
def test_counts_multiply_adds_of_each_kind_of_layer(layer, tmp_path):
    model = keras.Sequential([keras.Input((9, 10, 4), 1), layer])
    path = tmp_path / "model.tflite"
    write_tflite(model, path)
    rows = issp_keras.summary(model, print_fn=lambda _: None)
    assert inspect(path, size=(9, 10)).macs == rows[-1]["dense_macs"]


def test_a_file_of_one_size_counts_for_that(model, tmp_path):
    path = tmp_path / "model.tflite"
    reference = Reference(model, small_pairs())
    export(model, path, height=8, width=10, reference=reference)
    rows = issp_keras.summary(model, (1, 8, 10, 3), print_fn=lambda _: None)
    assert inspect(path).macs == rows[-1]["dense_macs"]
    assert inspect(path).size == (8, 10)
    with pytest.raises(InputError, match=r"`size`: is 16x16, but .* 10x8"):
        inspect(path, size=(16, 16))


def test_kernels_in_the_body_of_a_loop_are_seen(tmp_path):
    import tensorflow as tf

    kernel = tf.constant(RNG.random((64, 64), np.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, 64), tf.float32)])
    def loop(x):
        for _ in tf.range(tf.cast(x[0, 0], tf.int32)):
            x = tf.tanh(x @ kernel)
        return x

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [loop.get_concrete_function()]
    )
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    about = inspect(path, None)
    assert about.weights.kernels == 1
    assert about.weights.count == 64 * 64
    assert about.macs is None


def _convolution(zeros):
    """A file of one convolution with a share of zeros."""
    graph = graphs.Graph((1, 32, 32, 16))
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((16, 3, 3, 16), np.float32)
    kernel *= rng.random(kernel.shape) > zeros
    filters = graph.constant(kernel)
    output = graph.convolution(filters, (1, 32, 32, 16))
    return flatbuffer.parse(graph.write(output), "model.tflite")


def _with_both_graphs(model, other):
    """A file with its own graph and that of another file."""
    (graph,) = other.subgraphs
    for tensor in graph.tensors:
        model.buffers.append(other.buffers[tensor.buffer])
        tensor.buffer = len(model.buffers) - 1
    model.subgraphs.append(graph)
    return flatbuffer.write(model)


@pytest.mark.parametrize("zeros", [(0.95, 0.0), (0.0, 0.95)])
def test_the_delegate_is_asked_about_each_graph(zeros, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(_with_both_graphs(*map(_convolution, zeros)))
    reasons = [layer.delegate for layer in inspect(path, None, True).layers]
    sparse = zeros.index(0.95)
    assert reasons[sparse] is None
    assert "0 % of the weights" in reasons[1 - sparse]


def _integers(kernel, path):
    """An int8 convolution with a kernel of shape (height, width, in, out)."""
    path.write_bytes(
        int8_files.convert(
            lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"),
            (1, 160, 96, kernel.shape[2]),
        )
    )


@_OF_INTEGERS
@pytest.mark.parametrize("channels", [3, 8])
def test_counts_blocks_of_integers(channels, tmp_path):
    kernel = np.zeros((3, 3, channels, 2), np.float32)
    # Two weights in one block, and one in another.
    kernel[0, 0, :2, 0] = kernel[0, 1, -1, 0] = 1
    # The other output needs a non-zero weight to have a scale.
    kernel[2, 2, 0, 1] = 1
    path = tmp_path / "dense.tflite"
    _integers(kernel, path)
    (layer,) = inspect(path).layers
    assert layer.blocks == 3
    assert layer.all_blocks == 18 * -(-channels // 4)


@_OF_INTEGERS
def test_counts_the_same_blocks_of_a_sparse_file(tmp_path):
    kernel = RNG.standard_normal((3, 3, 64, 96), np.float32)
    kernel *= np.repeat(RNG.random((3, 3, 16, 96)) < 0.05, 4, 2)
    paths = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    _integers(kernel, paths[0])
    assert encode_sparse(*paths) == 1
    (dense,), (sparse,) = (inspect(path).layers for path in paths)
    blocks = np.abs(kernel).reshape(3, 3, 16, 4, 96).max(3)
    assert dense.blocks == sparse.blocks == np.count_nonzero(blocks)
    about = inspect(paths[1], delegate=True)
    assert about.layers[0].delegate is None
    assert len(about.speedups) == 1
    assert about.speedups[0] > 1.35


def test_layers_of_floats_have_no_blocks(paths):
    assert {layer.blocks for layer in inspect(paths[1]).layers} == {None}


def test_places_of_a_sparse_tensor_are_those_of_its_values():
    values = np.zeros((6, 1, 2, 8), np.float32)
    values[1, 0, 1, 4:6] = 1, 2
    values[5, 0, 0, 3] = 3
    for way in (
        encoding.Encoding((0, 1, 2, 3), (False, False, False, True)),
        encoding.Encoding((3, 0, 2, 1), (True, False, True, False)),
        encoding.Encoding(
            (0, 1, 2, 3, 4, 5),
            (False, True, True, True, False, False),
            ((0, 2), (3, 4)),
        ),
    ):
        graph = graphs.Graph()
        # The sparse tensor precedes the output of DENSIFY.
        tensor = graph.tensors[graph.sparse(values, way) - 1]
        _, left = encoding.encode(values, way)
        found = np.zeros_like(values)
        found[tuple(flatbuffer.places_of(tensor).T)] = left
        np.testing.assert_array_equal(found, values)


def test_graphs_that_tflite_hides_from_the_delegate_are_no_sparse_ones(
    tmp_path, monkeypatch
):
    path = tmp_path / "model.tflite"
    path.write_bytes(_with_both_graphs(*map(_convolution, (0.95, 0.95))))
    answer = {"speedups": [], "declined": [{}]}
    monkeypatch.setattr(probe, "ask", lambda *_: answer)
    layers = inspect(path, None, True).layers
    reasons = [layer.delegate for layer in layers]
    assert reasons == ["TFLite shows it 1 of 2 graphs"] * 2


def test_a_size_that_the_file_does_not_take_is_refused(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.Conv2D(4, 3),
        ]
    )
    path = tmp_path / "model.tflite"
    write_tflite(model, path)
    with pytest.raises(InputError, match="does not take an image of 3x3"):
        inspect(path, size=(3, 3))


# Files that are not to be trusted


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\0\0TFL3", b"no model", b"\x10\0\0\0TFL3" + bytes(64)],
)
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite"):
        inspect(path)
    with pytest.raises(InputError, match="no such file"):
        inspect(tmp_path / "missing.tflite")
    with pytest.raises(InputError, match="is a folder, expected a"):
        inspect(tmp_path)


def _inspect_or_refuse(path, content):
    path.write_bytes(content)
    for look in (inspect, _leave_out_zeros):
        try:
            look(path)
        except InputError as error:
            assert str(error).startswith(str(path))
            assert len(str(error)) < 300
            assert len(str(error).splitlines()) == 1


def _leave_out_zeros(path):
    """Like `encode_sparse`, but the interpreter does not run the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "ask", lambda *_, **__: True)
        encode_sparse(path, path.with_suffix(".sparse"))


@_MANY_FILES
@given(data=st.data())
def test_a_damaged_file_is_described_or_refused(data, paths, tmp_path):
    content = bytearray(data.draw(st.sampled_from(paths)).read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    _inspect_or_refuse(tmp_path / "model.tflite", bytes(content))


@_MANY_FILES
@given(data=st.data())
def test_numbers_that_lead_elsewhere_are_found(data, paths, tmp_path):
    """Changes offsets and lengths of four bytes in the tables of the file."""
    content = bytearray(paths[1].read_bytes())
    tables = len(content) // 8
    for _ in range(data.draw(st.integers(1, 4))):
        place = 4 * data.draw(st.integers(0, tables))
        number = data.draw(
            st.one_of(
                st.integers(0, 2**32 - 1),
                st.integers(0, len(content)),
                st.integers(0, 64),
            )
        )
        content[place : place + 4] = number.to_bytes(4, "little")
    _inspect_or_refuse(tmp_path / "model.tflite", bytes(content))


@settings(max_examples=100, deadline=10_000, derandomize=True)
@given(content=st.binary(max_size=400))
def test_bytes_of_no_meaning_are_refused(content):
    with pytest.raises(InputError, match="is not a TFLite model"):
        flatbuffer.parse(content[:4] + b"TFL3" + content[4:], "model.tflite")


def test_a_file_that_is_cut_short_is_told_so(paths, tmp_path):
    content = paths[0].read_bytes()
    with pytest.raises(
        InputError, match=r"a TFLite model: the file is truncated"
    ):
        flatbuffer.parse(content[: len(content) // 2], "model.tflite")


def test_a_small_file_does_not_unfold_to_a_large_one(paths, tmp_path):
    """The file refers to one graph a million times."""
    model = flatbuffer.read(paths[0])
    graph = writing._Once(model.subgraphs[0])
    model.subgraphs = [graph] * 10_000
    content = _write_without_sharing(model)
    assert len(content) < 200_000
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match="more tables than any network"):
        inspect(path)


def _write_without_sharing(model):
    builder = writing._Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 99),
            "buffer 99",
        ),
        (
            lambda m: setattr(m.subgraphs[0].operators[-1], "opcodeIndex", 9),
            "operator code 9",
        ),
        (
            lambda m: m.subgraphs[0].operators[-1].inputs.__setitem__(0, 999),
            "tensor",
        ),
        (
            lambda m: setattr(m.buffers[3], "offset", 4096),
            "outside of the flatbuffer",
        ),
        (lambda m: setattr(m, "subgraphs", []), "no graph"),
    ],
)
def test_numbers_beyond_their_lists_are_named(change, message, paths, tmp_path):
    model = flatbuffer.read(paths[0])
    for operator in model.subgraphs[0].operators:
        operator.inputs = operator.inputs.copy()
    change(model)
    path = tmp_path / "model.tflite"
    path.write_bytes(_write_without_sharing(model))
    with pytest.raises(InputError, match=message):
        inspect(path)


def test_a_sparse_tensor_that_does_not_fit_is_refused(paths, tmp_path):
    model = flatbuffer.read(paths[1])
    (graph,) = model.subgraphs
    sparse = next(t for t in graph.tensors if t.sparsity is not None)
    level = sparse.sparsity.dimMetadata[-1]
    level.arrayIndices.values = level.arrayIndices.values[:-1]
    path = tmp_path / "model.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(InputError, match="levels do not fit"):
        inspect(path)
