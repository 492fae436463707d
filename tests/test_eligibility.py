"""Which layers XNNPACK runs sparse, and the rule that forbids it.

XNNPACK's own library for ARM was tried under emulation. It takes the sparse
path for the network that follows all rules. It does not with another stem, 3x3
kernels or too few zeros.
"""

import keras
import numpy as np
import pytest
from keras import layers
from networks import write_tflite

from issp_keras.models.parts.pixel_shuffle import pixel_shuffle
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import inspect
from issp_keras.tflite.contents import NOT_ASKED
from issp_keras.tflite.eligibility import PLATFORMS

RNG = np.random.default_rng(0)


def _network(
    channels=3,
    padding=1,
    stem=None,
    middle=lambda x: x,
    before_end=lambda x: x,
    after_end=lambda y, x: y,
):
    """A network that follows all rules, unless the arguments break one."""
    image = keras.Input((16, 16, channels), 1)
    x = layers.ZeroPadding2D(padding)(image) if padding else image
    stem = {"strides": 2, "activation": "relu", **(stem or {})}
    x = layers.Conv2D(32, stem.pop("kernel", 3), name="stem", **stem)(x)
    y = layers.Conv2D(64, 1, activation="relu", name="expand")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="filter")(y)
    y = middle(y)
    y = layers.Conv2D(32, 1, name="project")(y)
    x = layers.Add(name="merge")([x, y])
    y = before_end(layers.Conv2D(48, 1, name="head")(x))
    y = pixel_shuffle(y, 4)
    return keras.Model(image, after_end(y, x))


def _inspect(
    model, folder, zeros=0.9, sparse=True, quantised=False, dynamic=False
):
    for layer in model.layers:
        # A kernel without zeros would not be stored sparse.
        if "expand" in layer.name or "project" in layer.name:
            kept = RNG.permutation(layer.kernel.numpy().size)
            kept = kept >= zeros * kept.size
            layer.kernel.assign(layer.kernel * kept.reshape(layer.kernel.shape))
    if "head" in [layer.name for layer in model.layers]:
        head = model.get_layer("head").kernel
        head.assign(head * (RNG.random(head.shape) >= zeros))
    path = folder / "model.tflite"
    if quantised or dynamic:
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantised:
            converter.representative_dataset = lambda: (
                [RNG.random((1, 16, 16, 3), np.float32)] for _ in range(2)
            )
        path.write_bytes(converter.convert())
    else:
        write_tflite(model, path)
    if sparse:
        encode_sparse(path, path)
    return _layers(path)


def _layers(path):
    return {
        layer.name.split("/")[-1].removesuffix("_1"): layer
        for layer in inspect(path).layers
    }


def test_a_network_that_keeps_all_rules_runs_sparse(tmp_path):
    found = _inspect(_network(), tmp_path)
    assert set(found) == {"stem", "expand", "filter", "project", "head"}
    for name, layer in found.items():
        for platform in ("ARM64", "ARMv7", "WebAssembly"):
            if name in ("stem", "filter"):
                assert (
                    "only 1x1 kernels can be sparse" in layer.xnnpack[platform]
                )
            else:
                assert layer.xnnpack[platform] is None
    assert "without AVX" in found["expand"].xnnpack["x86"]
    assert set(found["expand"].xnnpack) == set(PLATFORMS)


def test_sparse_int8_kernels_run_dense_in_browsers(tmp_path):
    """Measured with LiteRT.js 2.5.3."""
    found = _inspect(_network(), tmp_path, dynamic=True)["expand"]
    assert found.kernel.dtype == "int8"
    assert found.kernel.is_sparse
    assert found.xnnpack["ARM64"] is None
    assert (
        "LiteRT.js computes such layers dense" in found.xnnpack["WebAssembly"]
    )


def test_a_mean_may_end_what_runs_sparse(tmp_path):
    model = _network(
        before_end=lambda x: (
            layers.GlobalAveragePooling2D(keepdims=True)(x)
            * np.ones((1, 4, 4, 1), np.float32)
        )
    )
    assert _inspect(model, tmp_path)["project"].xnnpack["ARM64"] is None


def test_a_mean_over_channels_ends_nothing(tmp_path):
    model = _network(
        before_end=lambda x: (
            keras.ops.mean(x, 3, keepdims=True)
            * np.ones((1, 1, 1, 48), np.float32)
        )
    )
    reason = _inspect(model, tmp_path)["project"].xnnpack["ARM64"]
    assert "does not end in DEPTH_TO_SPACE" in reason


@pytest.mark.parametrize(
    "after", [lambda y, x: layers.ReLU()(y), lambda y, x: y + y]
)
def test_what_follows_the_end_does_not_matter(after, tmp_path):
    found = _inspect(_network(after_end=after), tmp_path)
    assert found["project"].xnnpack["ARM64"] is None


@pytest.mark.parametrize(
    ("network", "layer", "rule"),
    [
        (
            {"stem": {"strides": 1}},
            "stem",
            "3x3 with stride 1, and XNNPACK allows 3x3 only in the first",
        ),
        (
            {"channels": 4},
            "stem",
            "3x3 with 4 input channels, and XNNPACK allows",
        ),
        (
            {"padding": 0, "stem": {"padding": "same"}},
            "stem",
            "with TensorFlow's padding 'same', and XNNPACK allows",
        ),
        (
            {"padding": 0},
            "stem",
            "with padding (0, 0, 0, 0), and XNNPACK allows",
        ),
        (
            {"padding": 2},
            "stem",
            "with padding (2, 2, 2, 2), and XNNPACK allows",
        ),
        ({"stem": {"kernel": 5}}, "stem", "its kernel is 5x5, not 1x1"),
        (
            {"stem": {"strides": 1}},
            "expand",
            "the output of CONV_2D from outside of the sparse cluster: its "
            "kernel is 3x3 with stride 1",
        ),
        (
            {"middle": layers.Conv2D(64, 3, padding="same", name="body")},
            "body",
            "3x3 with stride 1",
        ),
        (
            {"middle": layers.Conv2D(64, 3, padding="same", name="body")},
            "project",
            "the output of CONV_2D from outside of the sparse cluster",
        ),
        (
            {"middle": layers.Conv2D(64, 1, groups=2)},
            "convolution",
            "it is a grouped convolution",
        ),
        (
            {"middle": layers.DepthwiseConv2D(7, padding="same", name="body")},
            "body",
            "depthwise 7x7, not 3x3 or 5x5",
        ),
        (
            {
                "middle": layers.DepthwiseConv2D(
                    3, padding="same", depth_multiplier=2, name="body"
                )
            },
            "body",
            "several output channels of each input channel",
        ),
        (
            {"middle": lambda x: keras.ops.sin(x) - x},
            "project",
            "the output of SUB from outside of the sparse cluster: SUB has "
            "no sparse kernel",
        ),
        (
            {"middle": lambda x: x + RNG.random((1, 1, 8, 64), np.float32)},
            "project",
            "or a constant that is not a vector",
        ),
        (
            {"after_end": lambda y, x: [y, x]},
            "expand",
            "is also used outside of the sparse cluster",
        ),
        (
            {"after_end": lambda y, x: [y, x - 1]},
            "expand",
            "is also used outside of the sparse cluster",
        ),
        (
            {"before_end": lambda x: x - keras.ops.sin(x)},
            "expand",
            "does not end in DEPTH_TO_SPACE",
        ),
    ],
)
def test_each_rule_that_is_broken_is_named(network, layer, rule, tmp_path):
    found = _inspect(_network(**network), tmp_path)
    for platform in PLATFORMS:
        assert rule in found[layer].xnnpack[platform]


def test_a_1x1_kernel_has_no_stride(tmp_path):
    model = _network(
        middle=lambda x: layers.UpSampling2D()(
            layers.Conv2D(64, 1, strides=2, name="body")(x)
        )
    )
    found = _inspect(model, tmp_path)
    assert "it is 1x1 with stride 2" in found["body"].xnnpack["ARM64"]


@pytest.mark.parametrize("name", ["project", "filter"])
def test_dilation_is_a_broken_rule(name, tmp_path):
    """Another converter may write such files. That of Keras avoids dilation."""
    _inspect(_network(), tmp_path)
    model = flatbuffer.read(tmp_path / "model.tflite")
    (graph,) = model.subgraphs
    for operator in graph.operators:
        made = flatbuffer.name(graph.tensors[operator.outputs[0]])
        if name in made and "CONV" in flatbuffer.kind_of(model, operator):
            operator.builtinOptions.dilationHFactor = 2
    (tmp_path / "model.tflite").write_bytes(flatbuffer.write(model))
    reason = _layers(tmp_path / "model.tflite")[name].xnnpack["ARM64"]
    assert reason == "it is dilated"


@pytest.mark.parametrize("zeros", [0.6, 0.7])
def test_more_than_two_thirds_must_be_zero(zeros, tmp_path):
    reason = _inspect(_network(), tmp_path, zeros)["expand"].xnnpack["ARM64"]
    if zeros > 2 / 3:
        assert reason is None
    else:
        assert "% of the weights of the 1x1 convolutions" in reason
        assert "two thirds" in reason


def test_a_file_that_stores_zeros_does_not_run_sparse(tmp_path):
    found = _inspect(_network(), tmp_path, sparse=False)
    reason = found["expand"].xnnpack["ARM64"]
    assert reason == "no kernel of the file is stored sparse"


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_integers_do_not_run_sparse(tmp_path):
    found = _inspect(_network(), tmp_path, quantised=True)
    assert all("integers" in of.xnnpack["ARM64"] for of in found.values())


def _larger(x):
    """A layer with so many zeros that the delegate takes all layers."""
    return layers.Conv2D(128, 3, padding="same", name="expand_3x3")(x)


def test_the_delegate_says_which_layers_it_runs(tmp_path):
    found = _inspect(_network(middle=_larger), tmp_path)
    assert all(of.delegate == NOT_ASKED for of in found.values())
    taken = inspect(tmp_path / "model.tflite", delegate=True).layers
    assert [of.delegate for of in taken] == [None] * len(taken)


def test_the_delegate_says_why_it_leaves_a_layer(tmp_path):
    _inspect(_network(), tmp_path, zeros=0)
    for layer in inspect(tmp_path / "model.tflite", delegate=True).layers:
        assert "of its part of the graph are zero" in layer.delegate
    _inspect(_network(), tmp_path)
    # The same share of zeros would be enough in wider images.
    for layer in inspect(tmp_path / "model.tflite", delegate=True).layers:
        assert "times as fast as dense" in layer.delegate
