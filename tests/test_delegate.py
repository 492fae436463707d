"""The sparse delegate gives the results of TFLite."""

import ctypes
import itertools
import os
import pathlib
import subprocess
import sys
import threading

import graphs
import networks
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from issp_keras import inference
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.models import load_model
from issp_keras.tflite import delegate
from issp_keras.tflite import export
from issp_keras.tflite.encoding import Encoding

_LIMIT = 1e-5
_ROWS = Encoding((0, 1, 2, 3), (False, False, False, True))
_FAST = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def _kernels():
    """The sets of kernels that this CPU runs."""
    return graphs.runnable_kernels("avx512", "avx2", "neon", "portable")


def _assert_equal(
    content, *images, takes_all=True, threads=1, xnnpack=True, **options
):
    """Compares the delegate with TFLite, for all or parts of a graph."""
    options = {"always": 1, "tuning_seconds": 0, **options}
    loaded = delegate.load(**options)
    interpreter = graphs.interpreter(content, loaded, threads)
    found = graphs.run(interpreter, *images)
    report = delegate.report(loaded)
    assert report.parts
    assert not takes_all or (len(report.parts) == 1 and not report.declined)
    plain = graphs.interpreter(content, xnnpack=xnnpack)
    _assert_close(found, graphs.run(plain, *images))
    return found


def _assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = max(np.abs(other).max(initial=0), 1e-30)
        assert np.abs(one - other).max(initial=0) <= _LIMIT * scale


def _image(rng, shape):
    return rng.standard_normal(shape, np.float32)


def _pruned(rng, shape, zeros):
    values = _image(rng, shape)
    return values * (rng.random(shape) >= zeros)


def _report(content, **options):
    """The delegate's report on a file."""
    loaded = delegate.load(**options)
    interpreter = graphs.interpreter(content, loaded)
    report = delegate.report(loaded)
    del interpreter
    return report


def _convolution(
    graph,
    x,
    out,
    filters,
    bias,
    stride=1,
    dilation=1,
    same=True,
    activation=0,
):
    if bias is None:
        # TFLite needs one.
        channels = graph.shape(out)[-1]
        bias = graph.constant(np.zeros(channels, np.float32))
    return graph.operator(
        "CONV_2D",
        [x, filters, bias],
        out,
        padding=0 if same else 1,
        strideW=stride,
        strideH=stride,
        dilationWFactor=dilation,
        dilationHFactor=dilation,
        fusedActivationFunction=activation,
    )


@st.composite
def _encodings(draw, rank=4):
    """Any order of dimensions, any of them compressed."""
    order = tuple(draw(st.permutations(range(rank))))
    compressed = tuple(draw(st.booleans()) for _ in range(rank))
    return Encoding(order, compressed)


@_FAST
@given(
    seed=st.integers(0, 1 << 20),
    height=st.integers(1, 20),
    width=st.integers(1, 70),
    channels=st.integers(1, 9),
    outputs=st.integers(1, 9),
    kernel=st.sampled_from([(1, 1), (3, 3), (5, 5), (3, 1), (2, 4)]),
    stride=st.sampled_from([1, 1, 2, 3]),
    dilation=st.sampled_from([1, 1, 2]),
    same=st.booleans(),
    activation=st.sampled_from([0, 1, 2, 3]),
    zeros=st.sampled_from([0, 0.5, 0.9, 0.99, 1]),
    batch=st.sampled_from([1, 1, 2]),
    way=st.one_of(st.none(), _encodings()),
    kernels=st.sampled_from(["avx512", "avx2", "neon", "portable"]),
    threads=st.sampled_from([1, 1, 3]),
)
def test_a_convolution_equals_tflite(
    seed,
    height,
    width,
    channels,
    outputs,
    kernel,
    stride,
    dilation,
    same,
    activation,
    zeros,
    batch,
    way,
    kernels,
    threads,
):
    # TFLite supports only a stride or a dilation, not both.
    stride = 1 if dilation > 1 else stride
    least = [(side - 1) * dilation + 1 for side in kernel]
    if not same:
        height, width = max(height, least[0]), max(width, least[1])
    rng = np.random.default_rng(seed)
    graph = graphs.Graph((batch, None, None, channels))
    values = _pruned(rng, (outputs, *kernel, channels), zeros)
    filters = graph.sparse(values, way) if way else graph.constant(values)
    bias = graph.constant(_image(rng, (outputs,)))
    out = graph.image((batch, None, None, outputs))
    _convolution(
        graph,
        graph.inputs[0],
        out,
        filters,
        bias,
        stride,
        dilation,
        same,
        activation,
    )
    _assert_equal(
        graph.write(out),
        _image(rng, (batch, height, width, channels)),
        threads=threads,
        kernels=kernels if kernels in _kernels() else "portable",
    )


@_FAST
@given(
    seed=st.integers(0, 1 << 20),
    height=st.integers(1, 12),
    width=st.integers(1, 40),
    channels=st.integers(1, 6),
    multiplier=st.sampled_from([1, 1, 2]),
    side=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    same=st.booleans(),
    way=st.one_of(st.none(), _encodings()),
)
def test_a_depthwise_convolution_equals_tflite(
    seed, height, width, channels, multiplier, side, stride, same, way
):
    if not same:
        height, width = max(height, side), max(width, side)
    rng = np.random.default_rng(seed)
    outputs = channels * multiplier
    graph = graphs.Graph((1, None, None, channels))
    values = _pruned(rng, (1, side, side, outputs), 0.5)
    filters = graph.sparse(values, way) if way else graph.constant(values)
    out = graph.image((1, None, None, outputs))
    graph.operator(
        "DEPTHWISE_CONV_2D",
        [graph.inputs[0], filters, graph.constant(_image(rng, (outputs,)))],
        out,
        padding=0 if same else 1,
        strideW=stride,
        strideH=stride,
        depthMultiplier=multiplier,
    )
    _assert_equal(graph.write(out), _image(rng, (1, height, width, channels)))


@_FAST
@given(
    seed=st.integers(0, 1 << 20),
    height=st.integers(1, 12),
    width=st.integers(1, 70),
    channels=st.integers(1, 40),
    beta=st.sampled_from([1, 0.125, 20]),
    batch=st.sampled_from([1, 2]),
    convolves=st.booleans(),
    kernels=st.sampled_from(["avx512", "avx2", "neon", "portable"]),
    threads=st.sampled_from([1, 1, 3]),
)
def test_softmax_of_channels_equals_tflite(
    seed,
    height,
    width,
    channels,
    beta,
    batch,
    convolves,
    kernels,
    threads,
):
    rng = np.random.default_rng(seed)
    shape = (batch, None, None, channels)
    graph = graphs.Graph(shape)
    x = graph.operator("SOFTMAX", graph.inputs, graph.image(shape), beta=beta)
    if convolves:
        filters = graph.constant(_image(rng, (4, 3, 3, channels)))
        out = graph.image((batch, None, None, 4))
        x = _convolution(graph, x, out, filters, None)
    _assert_equal(
        graph.write(x),
        3 * _image(rng, (batch, height, width, channels)),
        threads=threads,
        kernels=kernels if kernels in _kernels() else "portable",
    )


@pytest.mark.parametrize("convolves", [False, True])
def test_channels_one_behind_the_other_equal_tflite(convolves):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, 9, 37, 3), (1, 9, 37, 2))
    first, second = graph.inputs
    if convolves:
        filters = graph.constant(_image(rng, (3, 3, 3, 3)))
        first = _convolution(
            graph, first, graph.image((1, 9, 37, 3)), filters, None
        )
    out = graph.operator(
        "CONCATENATION",
        [second, first, second],
        graph.image((1, 9, 37, 7)),
        axis=3,
    )
    images = _image(rng, (1, 9, 37, 3)), _image(rng, (1, 9, 37, 2))
    for kernels in _kernels():
        _assert_equal(graph.write(out), *images, kernels=kernels)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_of_channels_equal_tflite(groups):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 8))
    filters = graph.constant(_pruned(rng, (12, 3, 3, 8 // groups), 0.5))
    out = graph.image((1, None, None, 12))
    _convolution(graph, graph.inputs[0], out, filters, None)
    _assert_equal(graph.write(out), _image(rng, (1, 7, 33, 8)))


@pytest.mark.parametrize("alike", [2, 3, 4, 8])
@pytest.mark.parametrize("zeros", [0, 0.9])
def test_filters_with_weights_at_the_same_places_equal_tflite(alike, zeros):
    rng = np.random.default_rng(alike)
    graph = graphs.Graph((1, None, None, 8))
    mask = rng.random((-(-19 // alike), 3, 3, 8)) >= zeros
    values = _image(rng, (19, 3, 3, 8)) * np.repeat(mask, alike, 0)[:19]
    out = graph.image((1, None, None, 19))
    filters = graph.sparse(values, _ROWS)
    bias = graph.constant(_image(rng, (19,)))
    _convolution(graph, graph.inputs[0], out, filters, bias, activation=1)
    content = graph.write(out)
    for kernels in _kernels():
        for size in ((1, 1), (9, 70)):
            _assert_equal(content, _image(rng, (1, *size, 8)), kernels=kernels)


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("shape", [(30, 20), (1, 128, 20), (2, 64, 20), (20,)])
def test_a_fully_connected_layer_of_pixels_equals_tflite(shape, keeps):
    rng = np.random.default_rng(0)
    graph = graphs.Graph(shape)
    way = Encoding((0, 1), (False, True))
    weights = graph.sparse(_pruned(rng, (17, 20), 0.8), way)
    pixels = np.prod(shape[:-1], dtype=int)
    out = (*shape[:-1], 17) if keeps else (pixels, 17)
    if len(shape) == 1:
        out = (1, 17)
    out = graph.operator(
        "FULLY_CONNECTED",
        [graph.inputs[0], weights, graph.constant(_image(rng, (17,)))],
        graph.image(out),
        fusedActivationFunction=1,
        keepNumDims=keeps and len(shape) > 1,
    )
    _assert_equal(graph.write(out), _image(rng, shape))


def test_parts_that_have_nothing_in_common_are_computed_apart():
    """The parts have different sizes and batches."""
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 4), (3, None, None, 2))
    outs = []
    for x, inner, batch in zip(graph.inputs, (4, 2), (1, 3)):
        filters = graph.constant(_pruned(rng, (5, 3, 3, inner), 0.8))
        out = graph.image((batch, None, None, 5))
        outs.append(_convolution(graph, x, out, filters, None))
    images = _image(rng, (1, 9, 20, 4)), _image(rng, (3, 5, 33, 2))
    loaded = delegate.load(always=1)
    interpreter = graphs.interpreter(graph.write(*outs), loaded)
    found = graphs.run(interpreter, *images)
    assert len(delegate.report(loaded).parts) == 2
    plain = graphs.interpreter(graph.write(*outs))
    _assert_close(found, graphs.run(plain, *images))


def test_a_dense_branch_is_left_to_tflite():
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 32))
    outs = []
    for zeros in (0.95, 0):
        x = graph.operator(
            "TANH", [graph.inputs[0]], graph.image((1, None, None, 32))
        )
        filters = graph.constant(_pruned(rng, (32, 3, 3, 32), zeros))
        out = graph.image((1, None, None, 32))
        outs.append(_convolution(graph, x, out, filters, None))
    report = _report(graph.write(*outs))
    assert [part.nodes for part in report.parts] == [1]
    assert sum("are zero" in of for of in report.declined.values()) == 1


def test_blocks_are_read():
    rng = np.random.default_rng(0)
    for blocks in [((0, 4),), ((3, 2),), ((0, 2), (3, 4))]:
        rank = 4 + len(blocks)
        way = Encoding(
            tuple(range(rank)),
            (False, True, True, True) + (False,) * (rank - 4),
            blocks,
        )
        graph = graphs.Graph((1, None, None, 8))
        filters = graph.sparse(_pruned(rng, (8, 3, 3, 8), 0.9), way)
        out = graph.image((1, None, None, 8))
        _convolution(graph, graph.inputs[0], out, filters, None)
        _assert_equal(graph.write(out), _image(rng, (1, 9, 21, 8)))


def test_float16_is_read():
    rng = np.random.default_rng(0)
    for is_sparse in (False, True):
        graph = graphs.Graph((1, None, None, 4))
        values = _pruned(rng, (8, 3, 3, 4), 0.9).astype(np.float16)
        values[0, 0, 0, 0] = np.float16(6e-7)  # Less than normal numbers.
        half = (
            graph.sparse(values, _ROWS) if is_sparse else graph.constant(values)
        )
        filters = graph.image(values.shape)
        graph.operator("DEQUANTIZE", [half], filters)
        out = graph.image((1, None, None, 8))
        _convolution(graph, graph.inputs[0], out, filters, None)
        # Some versions of XNNPACK do only the first of two steps of unpacking.
        _assert_equal(
            graph.write(out), _image(rng, (1, 9, 21, 4)), xnnpack=False
        )


def test_int8_is_read():
    rng = np.random.default_rng(0)
    image = _image(rng, (1, 9, 21, 4))
    values = rng.integers(-127, 128, (8, 3, 3, 4)).astype(np.int8)
    values[rng.random(values.shape) < 0.9] = 0
    for is_sparse in (False, True):
        graph = graphs.Graph((1, None, None, 4))
        stored = (
            graph.sparse(values, _ROWS, scales=[0.01])
            if is_sparse
            else graph.constant(values, scales=[0.01])
        )
        filters = graph.image(values.shape)
        graph.operator("DEQUANTIZE", [stored], filters)
        out = graph.image((1, None, None, 8))
        _convolution(graph, graph.inputs[0], out, filters, None)
        _assert_equal(graph.write(out), image, xnnpack=False)


@pytest.mark.parametrize("kind", ["ADD", "MUL", "SUB"])
@pytest.mark.parametrize("constant", [(), (1,), (6,), (1, 1, 1, 6)])
def test_constants_are_combined_with_images(kind, constant):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 6))
    (x,) = graph.inputs
    # Before a convolution, after it, and after its activation.
    first = graph.operator(
        kind,
        [x, graph.constant(_image(rng, constant))],
        graph.image((1, None, None, 6)),
    )
    filters = graph.constant(_pruned(rng, (6, 3, 3, 6), 0.5))
    made = _convolution(
        graph, first, graph.image((1, None, None, 6)), filters, None
    )
    last = made
    for activation in (1, 0):
        last = graph.operator(
            kind,
            [last, graph.constant(_image(rng, constant))],
            graph.image((1, None, None, 6)),
            fusedActivationFunction=activation,
        )
    if kind != "SUB":
        last = graph.operator(
            kind,
            [graph.constant(_image(rng, constant)), last],
            graph.image((1, None, None, 6)),
        )
    _assert_equal(graph.write(last), _image(rng, (1, 8, 19, 6)))


@pytest.mark.parametrize(
    "kind",
    [
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RELU_0_TO_1",
        "LEAKY_RELU",
        "PRELU",
        "MINIMUM",
        "MAXIMUM",
    ],
)
@pytest.mark.parametrize("place", ["input", "convolution", "shuffled"])
def test_functions_of_values_equal_tflite(kind, place):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 8))
    (x,) = graph.inputs
    channels = 8
    if place != "input":
        filters = graph.constant(4 * _pruned(rng, (8, 3, 3, 8), 0.5))
        x = _convolution(
            graph, x, graph.image((1, None, None, 8)), filters, None
        )
    if place == "shuffled":
        channels = 2
        x = graph.operator(
            "DEPTH_TO_SPACE",
            [x],
            graph.image((1, None, None, 2)),
            blockSize=2,
        )
    inputs, options = [x], {}
    if kind == "LEAKY_RELU":
        options = {"alpha": 0.3}
    if kind == "PRELU":
        inputs.append(graph.constant(_image(rng, (1, 1, channels))))
    if kind in ("MINIMUM", "MAXIMUM"):
        inputs.append(graph.constant(np.float32(0.2)))
    out = graph.operator(
        kind, inputs, graph.image((1, None, None, channels)), **options
    )
    _assert_equal(graph.write(out), _image(rng, (2, 6, 37, 8)))


@pytest.mark.parametrize("block", [2, 3, 4, 8])
def test_an_image_is_added_before_and_behind_depth_to_space(block):
    rng = np.random.default_rng(0)
    count = 2 * block * block
    graph = graphs.Graph((1, 5, 19, 3), (1, 5 * block, 19 * block, 2))
    x, other = graph.inputs
    filters = graph.constant(_pruned(rng, (count, 3, 3, 3), 0.7))
    one, two = (
        _convolution(graph, x, graph.image((1, 5, 19, count)), filters, None)
        for _ in range(2)
    )
    summed = graph.operator("ADD", [one, two], graph.image((1, 5, 19, count)))
    shape = (1, 5 * block, 19 * block, 2)
    large = graph.operator(
        "DEPTH_TO_SPACE", [summed], graph.image(shape), blockSize=block
    )
    out = graph.operator("ADD", [other, large], graph.image(shape))
    out = graph.operator("MUL", [out, other], graph.image(shape))
    wide = graph.constant(_pruned(rng, (3, 5, 5, 2), 0.5))
    last = _convolution(
        graph, out, graph.image((*shape[:3], 3)), wide, None, activation=1
    )
    _assert_equal(
        graph.write(last, out), _image(rng, (1, 5, 19, 3)), _image(rng, shape)
    )


@pytest.mark.parametrize("keeps", [True, False])
def test_attention_to_channels_equals_tflite(keeps):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((2, None, None, 8))
    (x,) = graph.inputs
    filters = graph.constant(_pruned(rng, (8, 3, 3, 8), 0.9))
    made = _convolution(
        graph, x, graph.image((2, None, None, 8)), filters, None
    )
    axes = graph.constant(np.array([1, 2], np.int32))
    if not keeps:
        mean = graph.operator("MEAN", [made, axes], graph.image((2, 8)))
        weights = graph.constant(_image(rng, (5, 8)))
        out = graph.operator(
            "FULLY_CONNECTED", [mean, weights], graph.image((2, 5))
        )
        _assert_equal(graph.write(out), _image(rng, (2, 13, 39, 8)))
        return
    pixel = graph.operator(
        "MEAN", [made, axes], graph.image((2, 1, 1, 8)), keepDims=True
    )
    for inner, outer in ((8, 2), (2, 8)):
        weights = graph.constant(_image(rng, (outer, 1, 1, inner)))
        pixel = _convolution(
            graph,
            pixel,
            graph.image((2, 1, 1, outer)),
            weights,
            graph.constant(_image(rng, (outer,))),
            activation=int(outer == 2),
        )
    pixel = graph.operator("LOGISTIC", [pixel], graph.image((2, 1, 1, 8)))
    scaled = graph.operator(
        "MUL", [made, pixel], graph.image((2, None, None, 8))
    )
    out = graph.operator("ADD", [scaled, x], graph.image((2, None, None, 8)))
    content = graph.write(out)
    for threads in (1, 2):
        _assert_equal(
            content,
            _image(rng, (2, 13, 39, 8)),
            threads=threads,
            cache_bytes=10_000,
        )


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_part_of_the_convolution(same, stride):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, None, None, 3))
    amounts = np.array([[0, 0], [1, 2], [3, 0], [0, 0]], np.int32)
    padded = graph.operator(
        "PAD",
        [graph.inputs[0], graph.constant(amounts)],
        graph.image((1, None, None, 3)),
    )
    filters = graph.constant(_pruned(rng, (4, 3, 3, 3), 0.5))
    out = _convolution(
        graph,
        padded,
        graph.image((1, None, None, 4)),
        filters,
        None,
        stride,
        same=same,
    )
    for size in ((1, 1), (8, 40), (9, 17)):
        _assert_equal(graph.write(out), _image(rng, (1, *size, 3)))


@pytest.mark.parametrize("kind", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 37), (16, 16)])
def test_resizing_by_a_whole_number_equals_tflite(kind, factor, size):
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, *size, 3))
    (x,) = graph.inputs
    large = (size[0] * factor, size[1] * factor)
    out = graph.operator(
        kind,
        [x, graph.constant(np.array(large, np.int32))],
        graph.image((1, *large, 3)),
        halfPixelCenters=True,
    )
    out = graph.operator("RELU", [out], graph.image((1, *large, 3)))
    _assert_equal(graph.write(out), _image(rng, (1, *size, 3)))


def _chain(rng, blocks, features=6, zeros=0.8):
    """Residual blocks and a tail, like in EDSR."""
    graph = graphs.Graph((1, None, None, 3))
    shape = (1, None, None, features)

    def convolve(x, inner, outer, activation=0):
        filters = graph.constant(_pruned(rng, (outer, 3, 3, inner), zeros))
        return _convolution(
            graph,
            x,
            graph.image((*shape[:3], outer)),
            filters,
            graph.constant(_image(rng, (outer,))),
            activation=activation,
        )

    first = x = convolve(graph.inputs[0], 3, features)
    for _ in range(blocks):
        y = convolve(convolve(x, features, features, 1), features, features)
        scaled = graph.operator(
            "MUL", [y, graph.constant(np.float32(0.1))], graph.image(shape)
        )
        x = graph.operator("ADD", [x, scaled], graph.image(shape))
    x = graph.operator("ADD", [x, first], graph.image(shape))
    x = convolve(x, features, 12)
    x = graph.operator(
        "DEPTH_TO_SPACE", [x], graph.image((*shape[:3], 3)), blockSize=2
    )
    return graph.write(convolve(x, 3, 3), first)


@pytest.mark.parametrize("cache", [1, 4_000, 30_000, 10_000_000])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bands_and_threads_do_not_change_a_bit(cache, threads):
    rng = np.random.default_rng(0)
    content = _chain(rng, 4)
    image = _image(rng, (1, 37, 50, 3))
    whole = _assert_equal(content, image, cache_bytes=10_000_000)
    bands = _assert_equal(
        content, image, cache_bytes=cache, threads=threads, tuning_seconds=0.05
    )
    for one, other in zip(whole, bands, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kernels", ["avx512", "avx2", "neon", "portable"])
def test_kernels_of_all_cpus_equal_tflite(kernels):
    if kernels not in _kernels():
        pytest.skip(f"this CPU has no {kernels}")
    rng = np.random.default_rng(0)
    content = _chain(rng, 2)
    for size in ((1, 1), (3, 70), (31, 16), (40, 129)):
        _assert_equal(content, _image(rng, (1, *size, 3)), kernels=kernels)


def test_the_size_may_change_between_runs():
    rng = np.random.default_rng(0)
    content = _chain(rng, 2)
    interpreter = graphs.interpreter(content, delegate.load(always=1))
    plain = graphs.interpreter(content)
    for size in ((8, 8), (1, 70), (33, 5), (8, 8), (64, 48)):
        image = _image(rng, (1, *size, 3))
        _assert_close(graphs.run(interpreter, image), graphs.run(plain, image))


def test_a_chain_becomes_one_node():
    report = _report(_chain(np.random.default_rng(0), 3, zeros=0.9), always=1)
    (part,) = report.parts
    assert part.nodes == 3 + 2 * 3 + 2 * 3 + 2
    assert not report.declined
    assert 0.85 < part.sparsity < 0.95
    names = [layer.name for layer in part.layers]
    # Only the input, the convolutions and two outputs are not fused.
    assert len(names) == 1 + 9 + 2


def test_a_dense_network_is_left_to_tflite():
    report = _report(_chain(np.random.default_rng(0), 2, zeros=0))
    assert not report.parts
    assert all("must be" in reason for reason in report.declined.values())
    assert not _report(
        _chain(np.random.default_rng(0), 2, features=32, zeros=0),
        min_sparsity=0,
    ).parts


def test_a_sparse_network_is_taken_and_min_sparsity_forbids_it():
    content = _chain(np.random.default_rng(0), 2, features=32, zeros=0.95)
    assert _report(content).parts
    assert not _report(content, min_sparsity=0.99).parts


def _convolved(graph, image, filters, side, is_depthwise):
    """Adds a convolution that keeps the size of a square image."""
    channels = filters.shape[-1 if is_depthwise else 0]
    # TFLite needs one.
    bias = np.zeros(channels, np.float32)
    options = {"depthMultiplier": 1} if is_depthwise else {}
    return graph.operator(
        "DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D",
        [image, graph.constant(filters), graph.constant(bias)],
        graph.image((1, side, side, channels)),
        padding=0,
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
        **options,
    )


def _inverted_residual(rng, side, zeros):
    """A block of MobileNetV2."""
    graph = graphs.Graph((1, side, side, 32))
    (image,) = graph.inputs
    x = image
    for shape in ((192, 1, 1, 32), (1, 3, 3, 192), (32, 1, 1, 192)):
        is_depthwise = shape[0] == 1
        filters = _pruned(rng, shape, 0 if is_depthwise else zeros)
        x = _convolved(graph, x, filters, side, is_depthwise)
    out = graph.image((1, side, side, 32))
    return graph.write(graph.operator("ADD", [x, image], out))


def test_a_block_of_a_mobile_network_is_left_since_its_images_are_small():
    rng = np.random.default_rng(0)
    content = _inverted_residual(rng, 7, zeros=0.8)
    report = _report(content)
    assert not report.parts
    assert all("times as fast" in of for of in report.declined.values())
    (part,) = _report(content, always=1).parts
    assert 0.6 < part.sparsity < 0.8
    assert part.expected_speedup < 1
    # For wider images, the expected speedup is larger.
    (wide,) = _report(_inverted_residual(rng, 64, zeros=0.8), always=1).parts
    assert wide.expected_speedup > 2 * part.expected_speedup


def _depthwise(filters):
    """A depthwise convolution."""
    graph = graphs.Graph((1, 56, 56, 96))
    (image,) = graph.inputs
    return graph.write(_convolved(graph, image, filters, 56, True))


def test_depthwise_filters_are_not_expected_to_share_their_inputs():
    filters = np.ones((1, 3, 3, 96), np.float32)
    (whole,) = _report(_depthwise(filters), always=1).parts
    filters[0, 0, 0, 0] = 0
    (almost,) = _report(_depthwise(filters), always=1).parts
    assert whole.sparsity == 0 < almost.sparsity
    assert whole.expected_speedup == pytest.approx(
        almost.expected_speedup, rel=0.02
    )


def test_there_are_no_more_threads_than_cores():
    tasks = pathlib.Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("only Linux tells")
    rng = np.random.default_rng(0)
    content = _chain(rng, 2, features=32, zeros=0.95)
    before = len(list(tasks.iterdir()))
    interpreter = graphs.interpreter(content, delegate.load(num_threads=250))
    graphs.run(interpreter, _image(rng, (1, 8, 8, 3)))
    # TFLite has threads of its own.
    cores = len(os.sched_getaffinity(0))
    assert len(list(tasks.iterdir())) < before + max(100, 2 * cores)


def test_images_of_unknown_sizes_are_not_added():
    graph = graphs.Graph((1, None, None, 4), (1, None, None, 4))
    a, b = graph.inputs
    out = graph.operator("ADD", [a, b], graph.image((1, None, None, 4)))
    content = graph.write(out)
    (reason,) = _report(content, always=1).declined.values()
    assert reason == "its images may have different sizes"


def _spoil_order(sparsity):
    sparsity.traversalOrder = np.array([0, 1, 1, 3], np.int32)


def _spoil_segments(sparsity):
    segments = sparsity.dimMetadata[3].arraySegments
    segments.values = segments.values.copy()
    segments.values[2] = segments.values[3] + 1


def _spoil_index(sparsity):
    indices = sparsity.dimMetadata[3].arrayIndices
    indices.values = indices.values.copy()
    indices.values[5] = 200


def _spoil_size(sparsity):
    sparsity.dimMetadata[1].denseSize = 1 << 30


def _spoil_end(sparsity):
    segments = sparsity.dimMetadata[3].arraySegments
    segments.values = segments.values.astype(np.int32)
    segments.values[-1] = 1 << 30


@pytest.mark.parametrize(
    "spoil",
    [_spoil_order, _spoil_segments, _spoil_index, _spoil_size, _spoil_end],
)
def test_a_corrupt_sparse_tensor_is_refused(spoil):
    graph = graphs.Graph((1, 8, 8, 4))
    rng = np.random.default_rng(0)
    filters = graph.sparse(_pruned(rng, (8, 3, 3, 4), 0.9), _ROWS)
    out = graph.image((1, 8, 8, 8))
    _convolution(graph, graph.inputs[0], out, filters, None)
    (stored,) = (t for t in graph.tensors if t.sparsity is not None)
    spoil(stored.sparsity)
    with pytest.raises(
        RuntimeError, match="IsspSparseDelegate: tensor constant1 has "
    ):
        graphs.interpreter(graph.write(out), delegate.load(always=1))


def _swap_indices(stored):
    """Swaps two indices in a row, as an encoder may do."""
    level = stored.sparsity.dimMetadata[3]
    starts = np.asarray(level.arraySegments.values, np.int64)
    first = starts[np.argmax(np.diff(starts) > 1)]
    indices = level.arrayIndices.values.copy()
    indices[[first, first + 1]] = indices[[first + 1, first]]
    level.arrayIndices.values = indices


def test_a_constant_in_an_unusual_order_leaves_its_part_to_tflite():
    rng = np.random.default_rng(0)
    graph = graphs.Graph((1, 8, 8, 4))
    x = graph.inputs[0]
    for _ in range(2):
        filters = graph.sparse(_pruned(rng, (4, 3, 3, 4), 0.5), _ROWS)
        x = _convolution(graph, x, graph.image((1, 8, 8, 4)), filters, None)
        x = graph.operator("TANH", [x], graph.image((1, 8, 8, 4)))
    _swap_indices(next(t for t in graph.tensors if t.sparsity is not None))
    content = graph.write(x)
    _assert_equal(content, _image(rng, (1, 8, 8, 4)), takes_all=False)
    declined = _report(content, always=1).declined.values()
    assert sum("do not increase" in reason for reason in declined) == 1


def test_two_interpreters_run_in_two_threads():
    rng = np.random.default_rng(0)
    content = _chain(rng, 3)
    images = [_image(rng, (1, 24, 40, 3)) for _ in range(2)]
    plain = graphs.interpreter(content)
    expected = [graphs.run(plain, image) for image in images]
    shared = delegate.load(always=1, num_threads=2)
    found: dict[int, list] = {}

    def work(number, loaded):
        interpreter = graphs.interpreter(content, loaded)
        found[number] = [
            graphs.run(interpreter, images[number]) for _ in range(10)
        ]

    for delegates in ([shared, shared], [delegate.load(always=1), shared]):
        threads = [
            threading.Thread(target=work, args=(i, of))
            for i, of in enumerate(delegates)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 2
        for number, results in found.items():
            for result in results:
                _assert_close(result, expected[number])


_ORDERS = """
import sys, gc, numpy as np
from ai_edge_litert import interpreter as litert
from issp_keras.tflite import delegate
for first in ("delegate", "interpreter"):
    loaded = delegate.load(always=1, num_threads=2)
    interpreter = litert.Interpreter(
        sys.argv[1], experimental_delegates=[loaded]
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    if first == "delegate":
        # As a C program may do it, under the interpreter's feet.
        loaded.__del__()
        loaded._library = None
        interpreter.invoke()
        del loaded, interpreter
    else:
        del interpreter
        gc.collect()
        del loaded
    gc.collect()
print("done")
"""


def test_a_delegate_may_go_before_the_interpreter_and_after(tmp_path):
    path = tmp_path / "chain.tflite"
    path.write_bytes(_chain(np.random.default_rng(0), 2))
    done = subprocess.run(
        [sys.executable, "-c", _ORDERS, str(path)],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "done\n", done.stderr


@pytest.mark.versions
@pytest.mark.parametrize("name", ["edsr", "rcan", "edge_sr"])
def test_networks_equal_tflite(name, tmp_path):
    rng = np.random.default_rng(0)
    model = networks.TINY[name]()
    model.set_weights(
        [
            weight * (rng.random(weight.shape) > 0.7)
            if weight.ndim > 1
            else weight
            for weight in model.get_weights()
        ]
    )
    for size in ((None, None), (16, 24)):
        path = tmp_path / f"{name}.tflite"
        export(model, path, height=size[0], width=size[1], tolerance=99)
        for shape in ((16, 24),) if size[0] else ((16, 24), (7, 9)):
            _assert_equal(
                path.read_bytes(),
                rng.random((1, *shape, 3), np.float32),
                takes_all=name != "edge_sr" or bool(size[0]),
            )


def test_the_delegate_is_loaded_into_tensorflow(tmp_path):
    import tensorflow as tf

    content = _chain(np.random.default_rng(0), 2)
    image = _image(np.random.default_rng(1), (1, 9, 17, 3))
    loaded = tf.lite.experimental.load_delegate(
        str(delegate.library()), {"always": "1"}
    )
    with pytest.warns(UserWarning, match="deprecated"):
        interpreter = tf.lite.Interpreter(
            model_content=content, experimental_delegates=[loaded]
        )
    plain = graphs.interpreter(content)
    _assert_close(graphs.run(interpreter, image), graphs.run(plain, image))


def test_an_option_that_is_wrong_is_named():
    for options in (
        {"min_sparsity": 2},
        {"kernels": "mmx"},
        {"colour": 1},
        {"num_threads": 1.5},
        {"always": 0.5},
    ):
        (key,) = options
        with pytest.raises(ArgumentError, match=f"`{key}`: is .*, expected"):
            delegate.load(**options)


class _Unheard:
    """A delegate made without a function for errors, as TFLite's tools do."""

    def __init__(self, name, value):
        self._library = ctypes.CDLL(str(delegate.library()))
        create = self._library.tflite_plugin_create_delegate
        create.restype = ctypes.c_void_p
        texts = [(ctypes.c_char_p * 1)(of.encode()) for of in (name, value)]
        self._pointer = create(*texts, ctypes.c_size_t(1), None)

    def _get_native_delegate_pointer(self):
        return self._pointer

    def __del__(self):
        pointer = ctypes.c_void_p(self._pointer)
        self._library.tflite_plugin_destroy_delegate(pointer)


def test_a_program_that_does_not_hear_of_a_wrong_option_does_not_crash(capfd):
    filters = np.float32([[[[0, 1]]]])
    graph = graphs.Graph((1, 4, 9, 2))
    out = graph.convolution(graph.constant(filters), (1, 4, 9, 1))
    content = graph.write(out)
    for name, value in (("always", "2"), ("colour", "1")):
        wrong = _Unheard(name, value)
        why = f"IsspSparseDelegate: option {name} is '{value}', expected "
        assert why in capfd.readouterr().err
        with pytest.raises(RuntimeError, match=why):
            graphs.interpreter(content, wrong)
        report = delegate.report(wrong)
        assert not report.parts and not report.declined
    graphs.interpreter(content, _Unheard("always", "1"))


def test_switches_are_numbers_or_booleans():
    for value in (0, 1, False, True):
        delegate.load(always=value)


@pytest.mark.versions
def test_a_network_is_used_with_the_delegate(sparse_model_path, tmp_path):
    path = tmp_path / "x.tflite"
    export(load_model(sparse_model_path), path, tolerance=99)
    plain = inference.load_network(path)
    fast = inference.load_network(path, delegate="sparse")
    (pair,) = networks.small_pairs()[:1]
    found, expected = fast.upscale(pair.lr), plain.upscale(pair.lr)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_all_ways_to_encode_are_read():
    """One kernel, with all orders and all choices of compressed levels."""
    rng = np.random.default_rng(0)
    values = _pruned(rng, (3, 2, 3, 4), 0.8)
    image = _image(rng, (1, 4, 9, 4))
    for order in itertools.permutations(range(4)):
        for bits in range(1, 16, 5):
            compressed = tuple(bool(bits >> i & 1) for i in range(4))
            graph = graphs.Graph((1, 4, 9, 4))
            filters = graph.sparse(values, Encoding(order, compressed))
            out = graph.image((1, 4, 9, 3))
            _convolution(graph, graph.inputs[0], out, filters, None)
            _assert_equal(graph.write(out), image)


def test_without_a_compiler_one_sentence_says_so(tmp_path, monkeypatch):
    from issp_keras.tflite.delegate import build
    from issp_keras.tflite.delegate import loading

    monkeypatch.setattr(loading, "_PACKAGED", tmp_path / "no.so")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "compiler", lambda: None)
    with pytest.raises(
        InputError, match="delegate is not built, since there is no C"
    ):
        loading.library.__wrapped__()
    monkeypatch.setattr(build, "compiler", lambda: ["false"])
    with pytest.raises(InputError, match="since false failed"):
        loading.library.__wrapped__()
    assert not list(pathlib.Path(tmp_path).rglob("*.so"))


def test_what_keeps_it_from_being_built_is_named(tmp_path, monkeypatch):
    from issp_keras.tflite.delegate import loading

    monkeypatch.setattr(loading, "_PACKAGED", tmp_path / "no.so")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "g++ 'x")
    with pytest.raises(InputError, match=r"CXX is .*, expected a command"):
        loading.library.__wrapped__()
    monkeypatch.delenv("CXX")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"no folder .*XDG_CACHE_HOME"):
        loading.library.__wrapped__()

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(loading.pathlib.Path, "home", no_home)
    with pytest.raises(InputError, match=r"home directory.*XDG_CACHE_HOME"):
        loading.library.__wrapped__()


def test_only_what_was_compiled_from_these_sources_is_current(tmp_path):
    from issp_keras.tflite.delegate import build

    library = tmp_path / "library.so"
    assert not build.is_current(library)
    library.write_bytes(b"0123" + build.version().encode() + b"0123")
    assert build.is_current(library)
    library.write_bytes(b"zzzz" + build.version()[:-1].encode() + b"zzzz")
    assert not build.is_current(library)


def test_what_is_built_is_found_again(tmp_path, monkeypatch):
    from issp_keras.tflite.delegate import build
    from issp_keras.tflite.delegate import loading

    there = delegate.library()
    monkeypatch.setattr(loading, "_PACKAGED", tmp_path / "no.so")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def copy(output):
        output.parent.mkdir(parents=True)
        output.write_bytes(there.read_bytes())

    monkeypatch.setattr(build, "build", copy)
    path = loading.library.__wrapped__()
    assert path.is_relative_to(tmp_path)
    monkeypatch.setattr(build, "build", None)
    assert loading.library.__wrapped__() == path
