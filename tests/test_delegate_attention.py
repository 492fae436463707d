"""Transformers are one node of the delegate, and give TFLite's results."""

import graphs
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import interpreter as litert
from networks import small_pairs

from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.inference import load_network
from issp_keras.tflite import Reference
from issp_keras.tflite import delegate
from issp_keras.tflite import export

# The largest error, as a share of the largest number of an output.
_TOLERANCE = 1e-5
_HEIGHT, _WIDTH, _CHANNELS = 24, 32, 12


def _kernels():
    """The sets of kernels that this CPU runs."""
    return graphs.runnable_kernels("avx512", "avx2", "neon", "portable")


def _file(function, path, shape=(1, _HEIGHT, _WIDTH, _CHANNELS)):
    """Writes a function of an image as a file."""
    signature = tf.function(
        function, input_signature=[tf.TensorSpec(shape, tf.float32)]
    )
    concrete = signature.get_concrete_function()
    path.write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    )
    return path


def _run(path, x, **options):
    """The output of a file for an image, and the delegate's report."""
    delegates = []
    if options:
        delegates = [delegate.load(**options)]
    interpreter = litert.Interpreter(
        str(path), experimental_delegates=delegates, num_threads=1
    )
    (image,) = interpreter.get_input_details()
    if -1 in image["shape_signature"]:
        interpreter.resize_tensor_input(image["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], x)
    interpreter.invoke()
    made = [
        interpreter.get_tensor(output["index"])
        for output in interpreter.get_output_details()
    ]
    return made, delegate.report(delegates[0]) if delegates else None


def _image(shape=(1, _HEIGHT, _WIDTH, _CHANNELS)):
    return np.random.default_rng(7).standard_normal(shape, np.float32)


def _compare(path, x, is_one=True, tolerance=_TOLERANCE):
    """Compares the delegate with TFLite, with all kernels and some threads."""
    expected, _ = _run(path, x)
    reports = []
    for kernels in _kernels():
        for threads in (1, 3):
            made, report = _run(
                path, x, kernels=kernels, num_threads=threads, always=1
            )
            for a, b in zip(made, expected, strict=True):
                error = np.abs(a - b).max() / np.abs(b).max()
                assert error <= tolerance, (kernels, threads)
            reports.append(report)
    if is_one:
        for report in reports:
            assert not report.declined
            assert len(report.parts) == 1
    return reports[0]


def _weights(*shape, seed=0):
    rng = np.random.default_rng(seed + sum(shape))
    return tf.constant(
        rng.standard_normal(shape, np.float32) / np.float32(shape[0] ** 0.5)
    )


def _roll(x, down, across):
    x = tf.concat([x[:, down:], x[:, :down]], 1)
    return tf.concat([x[:, :, across:], x[:, :, :across]], 2)


def _normalize(x, gamma=None, beta=None):
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(
        tf.math.squared_difference(x, mean), -1, keepdims=True
    )
    x = (x - mean) * tf.math.rsqrt(variance + 1e-5)
    return x if gamma is None else x * gamma + beta


def _attention(
    x,
    window=(8, 8),
    heads=3,
    size=4,
    shift=(0, 0),
    bias=True,
    mask=False,
    heads_first=True,
):
    """Attention in windows, like in the networks here or in another way."""
    batch, height, width, channels = x.shape
    down, across = window
    rows, columns = height // down, width // across
    pixels = down * across
    x = _roll(x, *shift)
    qkv = x @ _weights(channels, 3 * heads * size) + _weights(3 * heads * size)
    qkv = tf.reshape(
        qkv, (batch * rows, down, columns, across, 3 * heads, size)
    )
    if heads_first:
        qkv = tf.transpose(qkv, (4, 0, 2, 1, 3, 5))
        qkv = tf.reshape(qkv, (3 * heads, batch * rows * columns, pixels, size))
    else:
        qkv = tf.transpose(qkv, (0, 2, 4, 1, 3, 5))
        qkv = tf.reshape(qkv, (batch * rows * columns, 3 * heads, pixels, size))
    q, k, v = tf.split(qkv, 3, 0 if heads_first else 1)
    scores = tf.matmul(q * size**-0.5, k, transpose_b=True)
    if bias:
        shape = (heads, 1) if heads_first else (heads,)
        scores += _weights(*shape, pixels, pixels)
    if mask:
        windows = rows * columns
        hidden = np.zeros((windows, pixels, pixels), np.float32)
        hidden[columns - 1 :: columns, : pixels // 2, pixels // 2 :] = 100
        hidden = np.tile(hidden, (batch, 1, 1))
        scores -= hidden if heads_first else hidden[:, None]
    x = tf.matmul(tf.nn.softmax(scores), v)
    order = (1, 3, 2, 4, 0, 5) if heads_first else (0, 3, 1, 4, 2, 5)
    if heads_first:
        shape = (heads, batch * rows, columns, down, across, size)
    else:
        shape = (batch * rows, columns, heads, down, across, size)
    x = tf.transpose(tf.reshape(x, shape), order)
    x = tf.reshape(x, (batch, height, width, heads * size))
    x = x @ _weights(heads * size, channels) + _weights(channels)
    return _roll(x, height - shift[0], width - shift[1]) if any(shift) else x


def _layer(x, **options):
    """A transformer layer."""
    channels = x.shape[-1]
    x = x + _attention(_normalize(x), **options)
    hidden = _normalize(x, 1 + _weights(channels), _weights(channels, seed=1))
    hidden = tf.nn.gelu(hidden @ _weights(channels, 2 * channels))
    return x + hidden @ _weights(2 * channels, channels)


def _trained_like(model):
    """Changes all factors of 1 and offsets of 0, like a training."""
    keras.utils.set_random_seed(1)
    for weight in model.weights:
        if len(weight.shape) > 1:
            continue
        noise = keras.random.normal(weight.shape, stddev=0.1)
        weight.assign(weight + noise)
    return model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shift": (4, 4), "mask": True},
        {"window": (4, 4), "heads": 1, "size": 12, "bias": False},
        {"window": (12, 16), "heads": 2, "size": 3},
        {"window": (2, 16), "heads": 4, "size": 1, "shift": (1, 8)},
        {"heads_first": False, "heads": 2, "size": 11},
        {"heads_first": False, "shift": (4, 4), "mask": True, "bias": False},
    ],
    ids=str,
)
def test_a_layer_of_a_transformer_is_one_node_and_equals_tflite(
    options, tmp_path
):
    path = _file(lambda x: _layer(x, **options), tmp_path / "layer.tflite")
    _compare(path, _image())


@pytest.mark.parametrize("heads_first", [True, False])
def test_several_images_at_once_equal_tflite(heads_first, tmp_path):
    shape = (2, _HEIGHT, _WIDTH, _CHANNELS)
    path = _file(
        lambda x: _layer(x, shift=(4, 4), mask=True, heads_first=heads_first),
        tmp_path / "layer.tflite",
        shape,
    )
    _compare(path, _image(shape))


def test_both_kinds_of_gelu_equal_tflite(tmp_path):
    path = _file(
        lambda x: tf.nn.gelu(3 * x) + tf.nn.gelu(2 * x, approximate=True),
        tmp_path / "gelu.tflite",
    )
    _compare(path, 3 * _image())


def test_scores_of_any_size_do_not_overflow(tmp_path):
    path = _file(
        lambda x: _attention(40 * x, bias=False), tmp_path / "large.tflite"
    )
    # A rounding error of a score in the hundreds changes the result a lot.
    _compare(path, _image(), tolerance=1e-3)


def test_layers_between_convolutions_are_one_node(tmp_path):
    kernel = _weights(3, 3, _CHANNELS, _CHANNELS)

    def network(x):
        x = tf.nn.conv2d(x, kernel, 1, "SAME")
        y = _layer(_layer(x), shift=(4, 4), mask=True)
        x = x + tf.nn.conv2d(y, kernel, 1, "SAME")
        return tf.nn.depth_to_space(x, 2)

    _compare(_file(network, tmp_path / "network.tflite"), _image())


def test_what_only_attention_knows_does_not_leave_it(tmp_path):
    def network(x):
        mean = tf.reduce_mean(x, -1, keepdims=True)
        windows = tf.transpose(
            tf.reshape(x, (1, 3, 8, 4, 8, _CHANNELS)), (0, 1, 3, 2, 4, 5)
        )
        return _layer(x), mean, windows

    path = _file(network, tmp_path / "network.tflite")
    report = _compare(path, _image(), is_one=False)
    assert "its output is used by a node that is not taken" in set(
        report.declined.values()
    )
    assert sum(part.nodes for part in report.parts) > 20


def test_convolutions_beside_shuffled_channels_are_still_taken(tmp_path):
    kernel = _weights(3, 3, _CHANNELS, _CHANNELS)

    def network(x):
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
        x = tf.reshape(x, (1, _HEIGHT, _WIDTH, 3, _CHANNELS // 3))
        x = tf.reshape(
            tf.transpose(x, (0, 1, 2, 4, 3)), (1, _HEIGHT, _WIDTH, _CHANNELS)
        )
        return tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))

    path = _file(network, tmp_path / "shuffle.tflite")
    report = _compare(path, _image(), is_one=False)
    assert len(report.parts) == 2


def test_a_rolled_image_may_leave(tmp_path):
    path = _file(
        lambda x: _roll(tf.nn.gelu(_normalize(x)), 3, 5),
        tmp_path / "roll.tflite",
    )
    _compare(path, _image(), is_one=False)


_CAT_R = pytest.param(
    lambda: models.cat(2, 12, (2,), heads=2),
    id="cat_r",
    marks=pytest.mark.long,
)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: models.swinir(2, 12, (2,), heads=2), id="swinir"),
        _CAT_R,
    ],
)
def test_a_file_of_any_size_is_one_node(network, tmp_path):
    """The graph computes the sizes of windows, masks and borders itself."""
    path = tmp_path / "any.tflite"
    export(_trained_like(network()), path, sparse=False)
    for shape in ((1, 9, 13, 3), (2, 24, 40, 3), (1, 1, 1, 3)):
        x = np.random.default_rng(0).random(shape, np.float32)
        _compare(path, x)


@pytest.mark.parametrize(
    "precision, sparse",
    [
        ("float32", True),
        pytest.param("float16", False, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize(
    "network",
    [
        pytest.param(
            lambda: models.swinir(2, 12, (2, 2), heads=2), id="swinir"
        ),
        _CAT_R,
    ],
)
def test_networks_are_one_node_and_equal_tflite(
    network, sparse, precision, tmp_path
):
    model = _trained_like(network())
    path = tmp_path / "model.tflite"
    export(model, path, precision=precision, sparse=sparse, height=32, width=48)
    x = np.random.default_rng(0).random((1, 32, 48, 3), np.float32)
    _compare(path, x)


@pytest.mark.long
def test_what_mirrors_an_image_up_to_whole_windows_is_left(tmp_path):
    model = _trained_like(models.swinir(2, 12, (2, 2), heads=2))
    path = tmp_path / "model.tflite"
    export(model, path, sparse=False, height=21, width=34)
    x = np.random.default_rng(0).random((1, 21, 34, 3), np.float32)
    report = _compare(path, x, is_one=False)
    assert max(part.nodes for part in report.parts) > 200
    assert len(report.declined) <= 8


@pytest.mark.long
def test_a_photograph_upscaled_by_swinir_light_is_that_of_tflite(tmp_path):
    """The network of the official size, for any image size, with 95 % zeros."""
    model = models.swinir(4)
    rng = np.random.default_rng(0)
    for kernel in prunable_kernels(model):
        kernel.assign(kernel * (rng.random(kernel.shape) < 0.05))
    path = tmp_path / "swinir_light.tflite"
    export(
        model, path, tolerance=99, reference=Reference(model, small_pairs(4))
    )
    photograph = small_pairs(4)[0].lr
    made, expected = (
        load_network(path, delegate=name).upscale(photograph)
        for name in ("sparse", None)
    )
    assert np.abs(made.astype(int) - expected).max() <= 1
