import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.models.pixel_shuffle import PixelShuffle

GOLDEN = pathlib.Path(__file__).parent / "golden"
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("scale", "parameters", "weights", "kernels"),
    [
        (2, 1_369_859, 1_367_424, 36),
        (3, 1_554_499, 1_551_744, 36),
        (4, 1_517_571, 1_514_880, 37),
    ],
)
def test_edsr_baseline_has_the_official_parameter_counts(
    scale, parameters, weights, kernels
):
    model = models.edsr(scale)
    assert model.count_params() == parameters
    prunable = prunable_kernels(model)
    assert len(prunable) == kernels
    assert sum(np.prod(kernel.shape) for kernel in prunable) == weights


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (17, 3)])
def test_edsr_takes_images_of_any_size(scale, height, width):
    model = models.edsr(scale, features=4, blocks=1)
    images = RNG.random((2, height, width, 3), np.float32)
    output = model(images)
    assert output.shape == (2, scale * height, scale * width, 3)


@pytest.mark.parametrize(
    ("scale", "residual_scale"), [(2, 1.0), (3, 0.1), (4, 0.1)]
)
def test_edsr_equals_the_official_network(scale, residual_scale):
    """Weights, input and output of BasicSR's EDSR in PyTorch."""
    golden = np.load(GOLDEN / f"edsr_x{scale}_f8_b2.npz")
    model = models.edsr(scale, 8, 2, residual_scale)
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel = golden[f"{layer.name}.weight"].transpose(2, 3, 1, 0)
        bias = golden[f"{layer.name}.bias"]
        if layer.name.startswith("upsample"):
            # PyTorch shuffles channels (c, dy, dx), TensorFlow (dy, dx, c).
            pixels = 9 if scale == 3 else 4
            order = np.arange(len(bias)).reshape(-1, pixels).T.ravel()
            kernel, bias = kernel[..., order], bias[order]
        layer.set_weights([kernel, bias])
    output = ops.convert_to_numpy(model(golden["input"]))
    expected = golden["output"]
    assert np.abs(output - expected).max() <= 2e-6 * np.abs(expected).max()


def test_edsr_begins_near_the_range_of_an_image():
    image = RNG.random((1, 16, 16, 3), np.float32)
    output = ops.convert_to_numpy(models.edsr(2)(image))
    assert 0.2 < output.mean() < 0.8


def test_the_residual_scale_scales_the_blocks_alone():
    one, zero = (
        models.edsr(2, features=4, blocks=2, residual_scale=scale)
        for scale in (1.0, 0.0)
    )
    zero.set_weights(one.get_weights())
    for layer in one.layers:
        if layer.name.endswith(".conv2"):
            layer.kernel.assign(0 * layer.kernel)
            layer.bias.assign(0 * layer.bias)
    images = RNG.random((1, 6, 6, 3), np.float32)
    np.testing.assert_allclose(one(images), zero(images), atol=1e-6)


def test_names_of_the_paper_name_the_layers():
    names = {layer.name for layer in models.edsr(4, blocks=2).layers}
    assert names >= {
        "conv_first",
        "body.1.conv2",
        "conv_after_body",
        "upsample.2",
        "conv_last",
    }


@pytest.mark.parametrize(
    "arguments",
    [{"scale": 5}, {"scale": 2, "features": 0}, {"scale": 2, "blocks": -1}],
)
def test_edsr_refuses_sizes_it_has_not(arguments):
    with pytest.raises(ValueError, match="Received"):
        models.edsr(**arguments)


@pytest.mark.skipif(
    not hasattr(keras.ops, "depth_to_space"),
    reason="Keras before 3.14 has no depth_to_space of its own",
)
def test_a_saved_edsr_loads_with_keras_alone(sparse_model_path):
    program = (
        "import keras, sys\n"
        f"model = keras.models.load_model({str(sparse_model_path)!r})\n"
        "assert model.output_shape == (None, None, None, 3)\n"
        "assert 'issp_keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_saved_edsr_gives_the_same_output(tiny_edsr, tmp_path):
    tiny_edsr.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    images = RNG.random((1, 6, 7, 3), np.float32)
    np.testing.assert_array_equal(tiny_edsr(images), again(images))


@pytest.mark.tensorflow
def test_pixel_shuffle_for_older_keras_equals_depth_to_space():
    import tensorflow as tf

    images = RNG.random((2, 3, 4, 12), np.float32)
    expected = tf.nn.depth_to_space(images, 2)
    layer = PixelShuffle(2)
    np.testing.assert_array_equal(layer(images), expected)
    np.testing.assert_array_equal(layer.rearrange(images), expected)
    assert layer.compute_output_shape((None, None, 4, 12)) == (None, None, 8, 3)
    assert PixelShuffle.from_config(layer.get_config()).scale == 2
