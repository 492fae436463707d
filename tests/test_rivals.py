"""Small dense networks to compare sparse networks with."""

import re

import keras
import numpy as np
import pytest
from keras import ops
from networks import without_values

from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.models.parts.reparameterized import ReparameterizedConv2D
from issp_keras.models.torch_weights.reader import read_torch
from issp_keras.models.torch_weights.writer import write_torch

RNG = np.random.default_rng(0)

TINY = {
    "abpn": lambda scale=2: models.abpn(scale, features=4, blocks=1),
    "dipnet": lambda scale=2: models.dipnet(scale, 4, blocks=1, attention=2),
    "dipnet_relu": lambda scale=2: models.dipnet(
        scale, 4, blocks=1, attention=2, activation="relu"
    ),
    "ecbsr": lambda scale=2: models.ecbsr(scale, features=3, blocks=1),
    "ecbsr_relu": lambda scale=2: models.ecbsr(
        scale, features=3, blocks=1, activation="relu"
    ),
    "ecbsr_reparameterized": lambda scale=2: models.ecbsr(
        scale, features=3, blocks=1, reparameterized=True
    ),
    "fsrcnn": lambda scale=2: models.fsrcnn(scale, 4, shrunk=2, mappings=1),
}


def _random(model):
    """Sets all weights to random values."""
    model.set_weights(
        [RNG.normal(0, 0.3, w.shape).astype("float32") for w in model.weights]
    )
    return model


def _image(height=7, width=9, channels=3):
    return RNG.random((1, height, width, channels), np.float32)


def _convolve(x, kernel):
    return ops.conv(x, kernel, padding="valid", data_format="channels_last")


@pytest.mark.parametrize(
    ("name", "scale", "parameters"),
    [
        ("ecbsr_m4c16", 4, 16_768),
        ("ecbsr_m4c16", 2, 11_548),
        ("ecbsr_m4c32", 4, 51_920),
        ("ecbsr_m6c40", 4, 105_368),
        ("abpn_m4c28", 4, 62_048),
        ("abpn_m4c28", 2, 33_464),
        ("abpn_m6c40", 4, 125_872),
        ("fsrcnn", 4, 24_683),
        ("dipnet", 4, 154_336),
        ("dipnet_relu", 4, 154_336),
    ],
)
def test_networks_have_the_counts_of_released_checkpoints(
    name, scale, parameters
):
    with without_values():
        network = models.NETWORKS[name](scale)
    assert network.count_params() == parameters


@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (14, 2), (15, 40)])
def test_rivals_take_images_of_any_size(network, height, width):
    output = TINY[network]()(RNG.random((2, height, width, 3), np.float32))
    assert output.shape == (2, 2 * height, 2 * width, 3)
    assert np.isfinite(ops.convert_to_numpy(output)).all()


@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_rivals_magnify_as_they_are_told(network, scale):
    model = TINY[network](scale)
    assert model.output_shape == (None, None, None, 3)
    assert model(_image(2, 3)).shape == (1, 2 * scale, 3 * scale, 3)


@pytest.mark.parametrize("network", TINY)
def test_saved_rivals_load(network, tmp_path):
    model = _random(TINY[network]())
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    image = _image(17, 16)
    np.testing.assert_allclose(again(image), model(image), atol=1e-6)


@pytest.mark.parametrize("network", TINY)
def test_rivals_train_in_mixed_precision(network):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = TINY[network]()
    finally:
        keras.config.set_dtype_policy(policy)
    # Compiling takes most of the time here, so only new layers are compiled.
    is_new = network in ("dipnet", "ecbsr_reparameterized")
    is_jax = keras.backend.backend() == "jax"
    model.compile("adam", "mean_absolute_error", jit_compile=is_new or is_jax)
    loss = model.train_on_batch(_image(16, 16), _image(32, 32))
    assert np.isfinite(loss)
    assert model.outputs[0].dtype == "float32"
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize(
    ("network", "arguments", "sentence"),
    [
        (models.abpn, {"scale": 5}, "`scale` must be one of"),
        (models.abpn, {"blocks": 0}, "`blocks` must be a positive"),
        (models.dipnet, {"attention": 0}, "`attention` must be a positive"),
        (models.dipnet, {"activation": "gelu"}, "`activation` must be one of"),
        (models.ecbsr, {"features": 1.5}, "`features` must be a positive"),
        (models.ecbsr, {"activation": None}, "`activation` must be one of"),
        (models.fsrcnn, {"shrunk": 0}, "`shrunk` must be a positive"),
    ],
)
def test_arguments_that_no_rival_has_get_a_sentence(
    network, arguments, sentence
):
    with pytest.raises(ValueError, match=f"{sentence}.*Received"):
        network(**{"scale": 2, **arguments})


@pytest.mark.parametrize("network", ["abpn", "ecbsr"])
def test_networks_with_an_anchor_add_to_the_nearest_pixels(network):
    model = TINY[network](3)
    model.set_weights([0 * weight for weight in model.get_weights()])
    image = _image()
    nearest = image.repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(model(image), nearest)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnn_puts_the_middle_of_its_last_kernel_on_a_first_pixel(scale):
    """Like the released networks: rows 0, 4, 8, ... for x4."""
    model = TINY["fsrcnn"](scale)
    last = model.get_layer("last_part")
    kernel = np.zeros(last.kernel.shape, np.float32)
    kernel[4, 4] = 1
    last.kernel.assign(kernel)
    hit = np.any(ops.convert_to_numpy(model(_image(5, 6)))[0], axis=-1)
    expected = np.zeros((5 * scale, 6 * scale), bool)
    expected[::scale, ::scale] = True
    np.testing.assert_array_equal(hit, expected)


# Convolutions that are trained as sums of branches.


@pytest.mark.parametrize("channels", [3, 5])
def test_a_sum_of_branches_is_what_each_of_them_makes(channels):
    """Between two convolutions, the image is padded with the bias."""
    image = _image(channels=channels)
    layer = ReparameterizedConv2D(5)
    layer.build(image.shape)
    _random(layer)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = _convolve(padded, layer.kernel) + layer.bias
    # The zeros around the image become the bias.
    expanded = padded @ ops.convert_to_numpy(layer.expand_kernel)
    expanded += ops.convert_to_numpy(layer.expand_bias)
    expected += _convolve(expanded, layer.project_kernel) + layer.project_bias
    sobel = np.outer([1, 2, 1], [1, 0, -1])
    laplacian = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    for i, edges in enumerate((sobel, sobel.T, laplacian)):
        features = padded @ ops.convert_to_numpy(layer.edge_kernel[i])
        kernel = np.multiply.outer(np.float32(edges), np.eye(5, dtype="f"))
        found = _convolve(features, kernel)
        expected += found * layer.edge_scale[i] + layer.edge_bias[i]
    without = ReparameterizedConv2D(5, identity=False)
    without.build(image.shape)
    without.set_weights(layer.get_weights())
    np.testing.assert_allclose(without(image), expected, rtol=1e-5, atol=1e-5)
    if channels == 5:
        expected += image
    np.testing.assert_allclose(layer(image), expected, rtol=1e-5, atol=1e-5)


def test_each_branch_is_trained():
    layer = ReparameterizedConv2D(3)
    model = keras.Sequential([keras.Input((6, 7, 2)), layer])
    model.compile("adam", "mean_squared_error")
    before = model.get_weights()
    model.train_on_batch(_image(6, 7, 2), _image(6, 7, 3))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.all(old != new)


def _names(model):
    # Keras appends numbers to default names of layers.
    return [
        (re.sub("_[0-9]+$", "", layer.name), type(layer))
        for layer in model.layers
    ]


def test_merge_keeps_outputs_and_names():
    model = _random(models.ecbsr(3, 5, blocks=2, reparameterized=True))
    before = model.get_weights()
    merged = models.merge(model)
    image = _image()
    np.testing.assert_allclose(
        merged(image), model(image), rtol=1e-5, atol=1e-5
    )
    plain = models.ecbsr(3, 5, blocks=2)
    assert _names(merged) == _names(plain)
    assert merged.count_params() == plain.count_params()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_merge_finds_layers_in_models_and_layers_that_are_shared():
    shared = ReparameterizedConv2D(3, "relu", name="shared")
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), ReparameterizedConv2D(3), shared],
        name="inner",
    )
    image = keras.Input((None, None, 3))
    norm = keras.layers.BatchNormalization()
    model = keras.Model(image, inner(norm(shared(inner(image)))))
    _random(model)
    norm.moving_variance.assign(ops.ones(3))
    merged = models.merge(model)
    kinds = {type(layer) for layer in merged._flatten_layers()}
    assert keras.layers.Conv2D in kinds
    assert ReparameterizedConv2D not in kinds
    x = _image()
    np.testing.assert_allclose(merged(x), model(x), rtol=1e-5, atol=1e-5)


def test_merged_layers_keep_precision_and_whether_they_are_trained():
    layer = ReparameterizedConv2D(2, trainable=False, dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((None, None, 3)), layer])
    (plain,) = models.merge(model).layers
    assert not plain.trainable
    assert plain.compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(layer.merged_kernel().dtype) == (
        "float32"
    )


def test_merge_leaves_a_plain_network_as_it_is():
    model = _random(TINY["dipnet"]())
    image = _image(16, 16)
    np.testing.assert_array_equal(models.merge(model)(image), model(image))


def test_kernels_are_pruned_when_branches_are_merged():
    model = TINY["ecbsr_reparameterized"]()
    with pytest.raises(ValueError, match="has no prunable layer"):
        prunable_kernels(model)
    assert len(prunable_kernels(models.merge(model))) == 3


def test_a_sum_of_branches_comes_back_from_its_configuration():
    layer = ReparameterizedConv2D(
        4, "relu", multiplier=3, identity=False, name="conv"
    )
    again = ReparameterizedConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.compute_output_shape((None, 5, 6, 3)) == (None, 5, 6, 4)


# Checkpoints.


def _names_of_etds(name):
    """The names of ECBSR in ECNUSR/ETDS. Other networks have them already."""
    return name.replace(".conv3x3.", ".0.").replace(".act.", ".1.")


@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize("rename", [str, _names_of_etds])
def test_checkpoints_of_rivals_come_back(network, rename, tmp_path):
    model = _random(TINY[network](4))
    models.to_torch(model, tmp_path / "model.pth")
    state = read_torch(tmp_path / "model.pth")["params"]
    state = {rename(name): array for name, array in state.items()}
    write_torch(tmp_path / "renamed.pth", state)
    # Arguments that these checkpoints do not contain.
    given = {
        "fsrcnn": {"scale": 4},
        "dipnet_relu": {"activation": "relu"},
    }.get(network, {})
    again = models.from_torch(tmp_path / "renamed.pth", **given)
    assert again.name == model.name
    image = _image(16, 17)
    np.testing.assert_allclose(again(image), model(image), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "entries"),
    [
        (
            "abpn",
            {
                "backbone.0.weight": (4, 3, 3, 3),
                "backbone.2.0.weight": (4, 4, 3, 3),
                "backbone.3.weight": (12, 4, 3, 3),
                "backbone.5.bias": (12,),
            },
        ),
        (
            "dipnet",
            {
                "conv_1.eval_conv.weight": (4, 3, 3, 3),
                "block_1.c3_r.eval_conv.weight": (4, 4, 3, 3),
                "block_1.c5.weight": (4, 4, 1, 1),
                "block_1.esa.conv3.eval_conv.bias": (2,),
                "conv_2.weight": (4, 4, 1, 1),
                "upsampler.0.eval_conv.weight": (12, 4, 3, 3),
            },
        ),
        (
            "ecbsr_reparameterized",
            {
                "backbone.0.conv3x3.weight": (3, 3, 3, 3),
                "backbone.1.act.weight": (3,),
                "backbone.2.conv3x3.bias": (12,),
            },
        ),
        (
            "fsrcnn",
            {
                "first_part.0.weight": (4, 3, 5, 5),
                "first_part.1.weight": (4,),
                "mid_part.4.weight": (4, 2, 1, 1),
                "last_part.weight": (4, 3, 9, 9),
            },
        ),
    ],
)
def test_checkpoints_of_rivals_have_the_official_entries(
    network, entries, tmp_path
):
    models.to_torch(TINY[network](), tmp_path / "model.pth")
    state = read_torch(tmp_path / "model.pth")["params"]
    shapes = {name: array.shape for name, array in state.items()}
    assert entries.items() <= shapes.items()


@pytest.mark.parametrize("network", ["abpn", "ecbsr", "dipnet"])
def test_the_last_channels_become_pixels_as_in_pytorch(network, tmp_path):
    """In PyTorch, the pixels of a colour are adjacent channels."""
    models.to_torch(TINY[network](), tmp_path / "model.pth")
    state = read_torch(tmp_path / "model.pth")["params"]
    state = {name: 0 * array for name, array in state.items()}
    *_, last = (name for name, array in state.items() if len(array) == 12)
    colours = np.arange(12, dtype="float32")
    if network == "dipnet":
        # The network has no bias. A feature replaces it that is 1 where the
        # image is white, and that only the skip passes on.
        state["conv_1.eval_conv.weight"][0, 0, 1, 1] = 1
        state[last][:, 0, 1, 1] = colours
    else:
        state[last] = colours
    write_torch(tmp_path / "pixels.pth", state)
    model = models.from_torch(tmp_path / "pixels.pth")
    white = np.ones((1, 1, 1, 3), np.float32)
    expected = colours.reshape(3, 2, 2).transpose(1, 2, 0)
    if network != "dipnet":
        expected = expected + 1
    np.testing.assert_allclose(model(white)[0], expected, atol=1e-6)


def test_fsrcnn_needs_to_be_told_its_scale(tmp_path):
    models.to_torch(TINY["fsrcnn"](3), tmp_path / "model.pth")
    with pytest.raises(InputError, match="expected the argument `scale`"):
        models.from_torch(tmp_path / "model.pth")


def test_ecbsr_with_its_branches_is_refused(tmp_path):
    models.to_torch(TINY["ecbsr"](), tmp_path / "model.pth")
    state = read_torch(tmp_path / "model.pth")["params"]
    state["backbone.0.conv1x1_3x3.k0"] = np.zeros((6, 3, 1, 1), np.float32)
    write_torch(tmp_path / "branches.pth", state)
    with pytest.raises(InputError, match=r"as surplus backbone.0.conv1x1_3x3"):
        models.from_torch(tmp_path / "branches.pth")
