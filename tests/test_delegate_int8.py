"""In int8, the sparse delegate gives the results of XNNPACK."""

import functools

import graphs
import int8_files
import networks
import numpy as np
import programs
import pytest
import tensorflow as tf

from issp_keras import models
from issp_keras.data import load_pairs
from issp_keras.data import read_photograph
from issp_keras.data import write_photograph
from issp_keras.inference import load_network
from issp_keras.tflite import delegate
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import export

pytestmark = [
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs"),
]

_CHANNELS = 7
_ANY_SIZE = (1, None, None, _CHANNELS)
_ONE_SIZE = (1, 9, 21, _CHANNELS)
# The least share of values that must be equal.
_EQUAL = 0.999


def _kernels():
    """The sets of kernels that this CPU can run in int8."""
    return graphs.runnable_kernels(
        "avx512_vnni",
        "avx512",
        "avx_vnni",
        "avx2",
        "sse4",
        "neon_i8mm",
        "neon_dotprod",
        "neon",
        "portable",
    )


def _constant(*shape, zeros=0.6):
    rng = np.random.default_rng(sum(shape))
    values = rng.standard_normal(shape, np.float32)
    return values * (rng.random(shape) >= zeros)


def _vector(count=_CHANNELS):
    return _constant(count, zeros=0)


def _convolution(
    x, height=3, width=3, outputs=9, strides=1, padding="SAME", dilations=1
):
    kernel = _constant(height, width, x.shape[-1], outputs)
    x = tf.nn.conv2d(x, kernel, strides, padding, dilations=dilations)
    return x + _vector(outputs)


def _depthwise(x, side=3, multiplier=1, strides=1, padding="SAME", dilations=1):
    kernel = _constant(side, side, x.shape[-1], multiplier)
    strides = (1, strides, strides, 1)
    x = tf.nn.depthwise_conv2d(
        x, kernel, strides, padding, dilations=(dilations, dilations)
    )
    return x + _vector(x.shape[-1])


def _prelu(x):
    # The converter recognizes this as PRELU.
    slopes = _vector().reshape(1, 1, -1)
    return tf.nn.relu(x) + -slopes * tf.nn.relu(-x)


def _attention(x):
    weights = tf.reduce_mean(x, [1, 2], keepdims=True)
    weights = tf.nn.relu(_convolution(weights, 1, 1, 4))
    return x * tf.sigmoid(_convolution(weights, 1, 1, _CHANNELS))


def _resized(method, factor):
    size = factor * _ONE_SIZE[1], factor * _ONE_SIZE[2]
    return lambda x: [tf.image.resize(x, size, method)]


# Lists of outputs for the same images, one operator for each output.
_OPERATORS = {
    "convolution": lambda x: [
        _convolution(x, 1, 1),
        _convolution(x, 2, 2),
        _convolution(x, 3, 3),
        _convolution(x, 4, 4),
        _convolution(x, 5, 5),
        _convolution(x, 3, 1),
        tf.nn.conv2d(x, _constant(3, 3, _CHANNELS, 8), 1, "SAME"),
    ],
    "convolution with strides": lambda x: [
        _convolution(x, 1, 1, strides=2),
        _convolution(x, 3, 3, strides=2),
        _convolution(x, 2, 4, strides=3),
        _convolution(x, 5, 5, strides=2, padding="VALID"),
    ],
    "convolution within the image": lambda x: [
        _convolution(x, 3, 3, padding="VALID"),
        _convolution(x, 4, 2, padding="VALID"),
    ],
    "dilated convolution": lambda x: [
        _convolution(x, 3, 3, dilations=2),
        _convolution(x, 3, 3, dilations=2, padding="VALID"),
    ],
    "convolution and activation": lambda x: [
        tf.nn.relu(_convolution(x)),
        tf.nn.relu6(_convolution(x, 2, 2)),
    ],
    "depthwise convolution": lambda x: [
        _depthwise(x, 1),
        _depthwise(x, 3),
        _depthwise(x, 5, padding="VALID"),
        _depthwise(x, multiplier=2),
        _depthwise(x, strides=2),
        tf.nn.relu(_depthwise(x, padding="VALID")),
    ],
    "dilated depthwise convolution": lambda x: [_depthwise(x, dilations=2)],
    "addition of a constant": lambda x: [
        x + _vector(),
        x - _vector(),
        x + np.float32(0.3),
        tf.nn.relu(x + 2 * _vector()),
    ],
    "product with a constant": lambda x: [
        x * _vector(),
        x * np.float32(-1.7),
        tf.nn.relu6(x * 2 * _vector()),
    ],
    "images": lambda x, y: [x + y, x * y, tf.nn.relu(x + y)],
    "image and pixel": lambda x, y: [x + y, x * y],
    "ReLU": lambda x: [tf.nn.relu(x), tf.nn.relu6(x)],
    "leaky ReLU": lambda x: [
        tf.nn.leaky_relu(x, 0.2),
        tf.nn.leaky_relu(x, 1.3),
        tf.nn.leaky_relu(x, -0.3),
    ],
    "PReLU": lambda x: [_prelu(x)],
    "bounds": lambda x: [tf.maximum(x, 0.2)],
    "other scale": lambda x: [tf.minimum(x, 0.4)],
    "padding": lambda x: [
        _convolution(
            tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]]), padding="VALID"
        )
    ],
    "depth to space": lambda x: [
        tf.nn.depth_to_space(x, 2),
        tf.nn.depth_to_space(x, 4),
        tf.nn.depth_to_space(_convolution(x, outputs=12), 2),
    ],
    "concatenation": lambda x, y: [
        tf.concat([x, y], -1),
        tf.concat([y, x, y], -1),
    ],
    "mean": lambda x: [
        tf.reduce_mean(x, [1, 2]),
        tf.reduce_mean(x, [1, 2], keepdims=True),
    ],
    "logistic of a pixel": lambda x: [_attention(x)],
    "fully connected": lambda x: [
        tf.matmul(x, _constant(_CHANNELS, 9)) + _vector(9),
        tf.nn.relu(tf.matmul(x, _constant(_CHANNELS, 30))),
    ],
    **{
        f"{method} x{factor}": _resized(method, factor)
        for method in ("bilinear", "nearest")
        for factor in (2, 3, 4)
    },
}
_SHAPES = {
    "dilated depthwise convolution": [_ONE_SIZE],
    "images": [_ONE_SIZE, _ONE_SIZE],
    "image and pixel": [_ONE_SIZE, (1, 1, 1, _CHANNELS)],
    "ReLU": [_ONE_SIZE],
    "leaky ReLU": [_ONE_SIZE],
    "PReLU": [_ONE_SIZE],
    "depth to space": [(1, None, None, 16)],
    "concatenation": [_ONE_SIZE, (*_ONE_SIZE[:3], 5)],
    "fully connected": [(20, _CHANNELS)],
    **{
        name: [_ONE_SIZE]
        for name in _OPERATORS
        if name.startswith(("bilinear", "nearest"))
    },
}
# XNNPACK does not compute it, and TFLite's own kernel rounds twice.
_EQUAL_BUT = {"PReLU": 0.99}
# TFLite's own kernels round between two passes, or with fewer digits.
_FAR_FROM_TFLITE = {"bilinear x3": 8, "images": 2}


@functools.cache
def _file(name, **options):
    shapes = _SHAPES.get(name, [_ANY_SIZE])
    return int8_files.convert(_OPERATORS[name], *shapes, **options)


def _images(content, size=(13, 37), batch=None):
    """Random images for a file."""
    rng = np.random.default_rng(0)
    found = []
    for of in graphs.interpreter(content).get_input_details():
        shape = of["shape_signature"].copy()
        if shape[1] < 0:
            shape[1:3] = size
        shape[0] = batch or shape[0]
        if of["dtype"] == np.float32:
            found.append(rng.uniform(-1.3, 2.9, shape).astype(np.float32))
        else:
            low = np.iinfo(of["dtype"]).min
            found.append(
                rng.integers(low, low + 256, shape).astype(of["dtype"])
            )
    return found


def _with_delegate(content, images, threads=1, takes_all=True, **options):
    loaded = delegate.load(always=1, tuning_seconds=0, **options)
    interpreter = graphs.interpreter(content, loaded, threads)
    found = graphs.run(interpreter, *images)
    report = delegate.report(loaded)
    assert report.parts
    assert not takes_all or not report.declined
    return found


def _without(content, images, xnnpack=True):
    return graphs.run(graphs.interpreter(content, xnnpack=xnnpack), *images)


def _assert_alike(found, expected, apart=1, equal=_EQUAL):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        difference = np.abs(one.astype(int) - other)
        assert difference.max() <= apart
        assert np.mean(difference == 0) >= equal


def _assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", _OPERATORS)
def test_an_operator_equals_xnnpack(name):
    content = _file(name)
    images = _images(content)
    found = _with_delegate(content, images)
    equal = _EQUAL_BUT.get(name, _EQUAL)
    _assert_alike(found, _without(content, images), equal=equal)
    apart = _FAR_FROM_TFLITE.get(name, 1)
    _assert_alike(found, _without(content, images, xnnpack=False), apart, 0)
    for kernels in _kernels():
        other = _with_delegate(content, images, threads=2, kernels=kernels)
        _assert_same(other, found)


def _residual(x):
    """A network of several operators that become one node."""
    y = tf.nn.relu(_convolution(x, outputs=12))
    y = _convolution(y, outputs=_CHANNELS)
    return tf.nn.depth_to_space(_convolution(x + y, outputs=12), 2)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 150)])
@pytest.mark.parametrize("batch", [1, 2])
def test_images_of_any_size_equal_xnnpack(size, batch):
    content = _network((None, None, None, _CHANNELS))
    images = _images(content, size, batch)
    expected = _without(content, images)
    for threads in (1, 2):
        _assert_same(_with_delegate(content, images, threads), expected)


@functools.cache
def _network(shape=_ANY_SIZE, **options):
    return int8_files.convert(_residual, shape, **options)


def test_an_interpreter_takes_one_size_after_another():
    content = _network()
    interpreter = graphs.interpreter(content, delegate.load(always=1))
    for size in ((4, 5), (13, 37), (4, 5)):
        images = _images(content, size)
        found = graphs.run(interpreter, *images)
        _assert_same(found, _without(content, images))


@pytest.mark.parametrize("ends", [tf.float32, tf.uint8])
def test_what_goes_in_and_out_may_have_other_types(ends):
    content = _network(ends=ends)
    images = _images(content)
    expected = _without(content, images)
    for kernels in _kernels():
        found = _with_delegate(content, images, kernels=kernels)
        _assert_same(found, expected)


def _mixed(x):
    """A depthwise convolution in float32 between layers in int8."""
    y = _depthwise(tf.nn.relu(_convolution(x, outputs=8)))
    return _convolution(y, outputs=5)


@pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter")
def test_networks_of_integers_and_floats_equal_xnnpack():
    content = int8_files.convert(
        _mixed, _ANY_SIZE, denied=["DEPTHWISE_CONV_2D"]
    )
    images = _images(content)
    expected = _without(content, images)
    for kernels in _kernels():
        found = _with_delegate(content, images, kernels=kernels)
        # An error of a sum in float32 may change the rounding.
        scale = np.abs(expected[0]).max() / 100
        np.testing.assert_allclose(found[0], expected[0], atol=scale)
        assert np.mean(found[0] == expected[0]) >= _EQUAL


def test_a_file_without_zeros_gives_the_same(tmp_path):
    dense, sparse = tmp_path / "dense.tflite", tmp_path / "sparse.tflite"
    dense.write_bytes(
        int8_files.convert(
            lambda x: _convolution(
                tf.nn.conv2d(
                    x, _constant(3, 3, _CHANNELS, 40, zeros=0.95), 1, "SAME"
                )
            ),
            _ANY_SIZE,
        )
    )
    assert encode_sparse(dense, sparse)
    images = _images(dense.read_bytes())
    expected = _without(dense.read_bytes(), images)
    for path in (dense, sparse):
        _assert_same(_with_delegate(path.read_bytes(), images), expected)


def test_int16_is_left_to_tflite_with_a_reason():
    content = int8_files.convert(
        lambda x: _convolution(x), _ANY_SIZE, ends=tf.int16, int16=True
    )
    loaded = delegate.load(always=1)
    interpreter = graphs.interpreter(content, loaded)
    (reason,) = delegate.report(loaded).declined.values()
    assert reason == "its images are int16, and float32 or int8 is expected"
    del interpreter


@pytest.fixture(scope="module")
def networks_in_int8(tmp_path_factory):
    """An EDSR and a plain network with zeros, as `issp-export` writes them."""
    folder = tmp_path_factory.mktemp("int8")
    paths = []
    for name, model in {
        "edsr": models.edsr(2, features=32, blocks=2),
        "plain": models.plain(2, features=32, blocks=2),
    }.items():
        networks.in_blocks(model)
        paths.append(folder / f"{name}.tflite")
        export(model, paths[-1], precision="int8", tolerance=99)
    return paths


def _pairs(folder=None):
    if folder is None:
        return load_pairs("embedded", "held_out", 2)
    return load_pairs(str(folder), "held_out", 2)


def _assert_equal_on_photographs(path, pairs):
    loaded = delegate.load(always=1)
    stock, fast = load_network(path), load_network(path, delegate=loaded)
    assert not delegate.report(loaded).declined
    for pair in pairs:
        np.testing.assert_array_equal(
            fast.upscale(pair.lr), stock.upscale(pair.lr)
        )


def test_whole_networks_equal_xnnpack_on_photographs(networks_in_int8):
    for path in networks_in_int8:
        _assert_equal_on_photographs(path, _pairs())


def test_whole_networks_equal_xnnpack_on_set5(networks_in_int8, shared_data):
    for path in networks_in_int8:
        _assert_equal_on_photographs(path, _pairs(shared_data / "Set5"))


def test_a_network_in_blocks_is_taken_without_being_asked_to(
    networks_in_int8,
):
    for path in networks_in_int8:
        loaded = delegate.load()
        interpreter = graphs.interpreter(path.read_bytes(), loaded)
        report = delegate.report(loaded)
        assert len(report.parts) == 1
        del interpreter


def _narrow(x):
    """Layers without zeros, which are slow in XNNPACK since they are narrow."""
    for _ in range(8):
        kernel = _constant(3, 3, 24, 24, zeros=0)
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
    return x


def test_narrow_layers_need_no_zeros_where_their_costs_were_measured():
    content = int8_files.convert(_narrow, (1, 90, 160, 24))
    for options in ({"min_sparsity": 0.3}, {"kernels": "portable"}):
        loaded = delegate.load(**options)
        interpreter = graphs.interpreter(content, loaded)
        found = delegate.report(loaded)
        assert not found.parts
        assert all("% must be" in why for why in found.declined.values())
        del interpreter
    images = _images(content)
    loaded = delegate.load()
    interpreter = graphs.interpreter(content, loaded)
    found = delegate.report(loaded)
    assert bool(found.parts) == (found.kernels == "avx512_vnni")
    made = graphs.run(interpreter, *images)
    _assert_same(made, _without(content, images))


@pytest.mark.long
@pytest.mark.versions
def test_issp_upscale_gives_what_the_stock_interpreter_gives(
    networks_in_int8, tmp_path
):
    path = networks_in_int8[0]
    write_photograph(tmp_path / "photo.png", _pairs()[0].lr)
    made = []
    with programs.started() as run:
        for folder, options in (("a", []), ("b", ["--delegate=sparse"])):
            result = run(
                "upscale",
                f"--model={path}",
                "photo.png",
                f"--output={folder}",
                *options,
                cwd=tmp_path,
            )
            assert result.returncode == 0, result.stderr
            (photo,) = (tmp_path / folder).glob("*.png")
            made.append(np.asarray(read_photograph(photo).pixels, int))
    assert np.abs(made[0] - made[1]).max() <= 1
