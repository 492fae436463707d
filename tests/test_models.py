import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from networks import TINY
from networks import without_values

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.models.parts.pixel_shuffle import PixelShuffle

RNG = np.random.default_rng(0)


def _edsr_large(scale):
    return models.edsr(scale, features=256, blocks=32, residual_scale=0.1)


@pytest.mark.parametrize(
    ("network", "scale", "parameters", "kernels", "weights", "kept"),
    [
        (models.swinir, 2, 910_152, 103, 861_300, (86_130, 43_065, 8_612)),
        (models.swinir, 3, 918_267, 103, 869_400, (86_940, 43_470, 8_693)),
        (models.swinir, 4, 929_628, 103, 880_740, (88_074, 44_037, 8_807)),
        (models.edsr, 2, 1_369_859, 36, 1_367_424, (136_727, 68_363, 13_652)),
        (models.edsr, 3, 1_554_499, 36, 1_551_744, (155_159, 77_579, 15_495)),
        (models.edsr, 4, 1_517_571, 37, 1_514_880, (151_472, 75_735, 15_126)),
        (
            *(_edsr_large, 2, 40_729_603, 68, 40_711_680),
            (4_071_141, 2_035_569, 407_100),
        ),
        (
            *(_edsr_large, 3, 43_680_003, 68, 43_660_800),
            (4_366_053, 2_183_025, 436_592),
        ),
        (
            *(_edsr_large, 4, 43_089_923, 69, 43_070_976),
            (4_307_070, 2_153_533, 430_692),
        ),
        (
            *(models.cat, 2, 16_456_103, 479, 16_359_444),
            (1_635_835, 817_989, 163_819),
        ),
        (
            *(models.cat, 3, 16_640_743, 479, 16_543_764),
            (1_654_267, 827_205, 165_662),
        ),
        (
            *(models.cat, 4, 16_603_815, 480, 16_506_900),
            (1_650_580, 825_361, 165_293),
        ),
        (
            *(models.rcan, 2, 15_444_643, 814, 15_404_416),
            (1_540_035, 769_817, 153_556),
        ),
        (
            *(models.rcan, 3, 15_629_283, 814, 15_588_736),
            (1_558_467, 779_033, 155_399),
        ),
        (
            *(models.rcan, 4, 15_592_355, 815, 15_551_872),
            (1_554_780, 777_189, 155_030),
        ),
    ],
)
def test_networks_have_the_official_counts(
    network, scale, parameters, kernels, weights, kept
):
    """Table C.1: counts of the official files, and kept at 90, 95 and 99 %."""
    with without_values():
        model = network(scale)
    assert model.count_params() == parameters
    sizes = [math.prod(kernel.shape) for kernel in prunable_kernels(model)]
    assert len(sizes) == kernels
    assert sum(sizes) == weights
    ratios = (0.9, 0.95, 0.99)
    assert (
        tuple(sum(_kept(n, ratio) for n in sizes) for ratio in ratios) == kept
    )


def _kept(weights, sparsity):
    # Round the error of binary floats away.
    pruned = math.ceil(round(sparsity * weights, 6))
    return weights - min(pruned, int(0.995 * weights))


def test_cat_a_has_the_counts_of_cat_r():
    windows = (2, None), (4, None)
    with without_values():
        regular = models.cat(2, 32, (2, 2), heads=2)
        axial = models.cat(2, 32, (2, 2), heads=2, windows=windows)
    assert regular.count_params() == axial.count_params()


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("edge_sr_30k", 30_000),
        ("edge_sr_100k", 100_000),
        ("edge_sr_300k", 300_000),
    ],
)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sizes_of_the_edge_network_have_the_weights_they_say(
    name, about, scale
):
    with without_values():
        count = models.NETWORKS[name](scale).count_params()
    assert 0.9 * about < count < 1.05 * about


@pytest.mark.one_backend
@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (5, 8), (17, 3), (97, 53)]
)
def test_networks_take_images_of_any_size(network, height, width):
    images = RNG.random((2, height, width, 3), np.float32)
    output = TINY[network]()(images)
    assert output.shape == (2, 2 * height, 2 * width, 3)
    assert np.isfinite(ops.convert_to_numpy(output)).all()


@pytest.mark.one_backend
@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize("scale", [3, 4, 8])
def test_networks_magnify_as_they_are_told(network, scale):
    model = TINY[network](scale)
    assert model.output_shape == (None, None, None, 3)
    image = RNG.random((1, 2, 3, 3), np.float32)
    assert model(image).shape == (1, 2 * scale, 3 * scale, 3)


@pytest.mark.one_backend
@pytest.mark.parametrize("network", TINY)
def test_each_image_of_a_batch_is_enlarged_by_itself(network):
    model = TINY[network]()
    images = RNG.random((2, 16, 24, 3), np.float32)
    one, two = model(images[:1]), model(images[1:])
    both = ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(both, np.concatenate([one, two]), atol=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize("network", TINY)
def test_networks_begin_near_the_range_of_an_image(network):
    image = RNG.random((1, 16, 16, 3), np.float32)
    output = ops.convert_to_numpy(TINY[network]()(image))
    assert 0.2 < output.mean() < 0.8


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "network",
    [
        pytest.param("cat", marks=pytest.mark.long),
        pytest.param("edge_sr", marks=pytest.mark.long),
        "edsr",
        pytest.param("rcan", marks=pytest.mark.long),
        pytest.param("swinir", marks=pytest.mark.long),
    ],
)
def test_iss_p_trains_each_network_to_exact_counts(network):
    model = TINY[network]()
    model.compile(
        keras.optimizers.Adam(1e-3),
        "mean_absolute_error",
        jit_compile=network == "swinir",
    )
    lr = RNG.random((20, 16, 16, 3), np.float32)
    hr = RNG.random((20, 32, 32, 3), np.float32)
    schedule = ISSPSchedule(0.95, end_step=20)
    history = model.fit(
        *(lr, hr), batch_size=1, callbacks=[ISSPCallback(schedule)], verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()
    for kernel in prunable_kernels(model):
        values = ops.convert_to_numpy(kernel.value)
        assert np.count_nonzero(values) == _kept(values.size, 0.95), kernel.path


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "network", ["cat", "edge_sr", "edsr", "rcan", "swinir"]
)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_clean(network, policy):
    images = RNG.random((1, 16, 16, 3), np.float32)
    single = TINY[network]()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = TINY[network]()
    finally:
        keras.config.set_dtype_policy(before)
    mixed.set_weights(single.get_weights())
    output = mixed(images)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    np.testing.assert_allclose(output, single(images), atol=0.02)
    if policy == "mixed_float16" and network != "cat":
        # SwinIR has all parts of CAT that could lose precision.
        mixed.compile("adam", "mean_absolute_error")
        losses = [mixed.train_on_batch(images, output) for _ in range(2)]
        assert np.isfinite(losses).all()


@pytest.mark.versions
def test_saved_networks_load_without_custom_objects(tmp_path):
    image = RNG.random((1, 9, 14, 3), np.float32)
    for name, make in TINY.items():
        model = make()
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", model(image))
    np.save(tmp_path / "image.npy", image)
    program = (
        "import issp_keras, keras, pathlib, sys\n"
        "import numpy as np\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "image = np.load(folder / 'image.npy')\n"
        "for path in folder.glob('*.keras'):\n"
        "    model = keras.models.load_model(path)\n"
        "    expected = np.load(path.with_suffix('.npy'))\n"
        "    np.testing.assert_allclose(model(image), expected, atol=1e-6)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("network", "names"),
    [
        ("cat", ["layers.0.blocks.1.qkv", "layers.0.blocks.1.attns.1"]),
        ("cat", ["layers.0.blocks.0.get_v", "layers.0.blocks.0.mlp.fc1"]),
        ("edge_sr", ["stem", "body.1.expand", "body.1.depthwise", "head"]),
        ("edsr", ["conv_first", "body.0.conv2", "upsample.0", "conv_last"]),
        ("rcan", ["body.0.residual_group.1.rcab.3.attention.1"]),
        ("swinir", ["layers.0.blocks.1.attn.qkv", "layers.0.blocks.1.attn"]),
        ("swinir", ["patch_embed.norm", "layers.0.conv", "conv_after_body"]),
        ("swinir_classical", ["conv_before_upsample.0", "conv_last"]),
    ],
)
def test_layers_have_the_names_of_the_official_networks(network, names):
    lines: list[str] = []
    TINY[network]().summary(line_length=250, print_fn=lines.append)
    for name in names:
        assert f" {name} (" in "\n".join(lines)


def test_include_matches_the_names_that_summary_shows():
    model = TINY["swinir"]()
    (kernel,) = prunable_kernels(model, r"layers\.0\.blocks\.1\.attn\.qkv")
    assert kernel.shape == (6, 18)
    model = TINY["cat"]()
    assert len(prunable_kernels(model, r"blocks\.0\.attns\.1/pos")) == 4
    without = prunable_kernels(model, exclude=r"attns\.\d/pos")
    assert len(prunable_kernels(model)) - len(without) == 2 * 2 * 4


@pytest.mark.parametrize(
    ("network", "arguments", "sentence"),
    [
        *(
            (network, {"scale": 5}, "`scale` must be one of 2, 3, 4, 8")
            for network in models.NETWORKS.values()
        ),
        (models.edsr, {"features": 0}, "`features` must be a positive"),
        (models.edsr, {"blocks": -1}, "`blocks` must be a positive"),
        (models.rcan, {"groups": 1.5}, "`groups` must be a positive"),
        (models.rcan, {"features": 8}, "`features` must be at least `squeeze`"),
        (models.swinir, {"heads": 7}, "`heads` must divide `embedding`"),
        (models.swinir, {"heads": (6, 6)}, "one for each of 4 groups"),
        (models.swinir, {"depths": (6, 0)}, "`depths` must be a positive"),
        (models.swinir, {"depths": ()}, "`depths` must be a sequence"),
        (models.swinir, {"window": 0}, "`window` must be a positive"),
        (models.swinir, {"window": 1}, "`window` must be at least 2"),
        (models.swinir, {"mlp_ratio": 0.0}, "`embedding . mlp_ratio` must be"),
        (models.swinir, {"mlp_ratio": None}, "`mlp_ratio` must be a finite"),
        (models.swinir, {"heads": 2.0}, "`heads` must be a positive whole"),
        (models.swinir, {"depths": 2}, "`depths` must be a sequence"),
        (models.swinir, {"drop_path": "no"}, "`drop_path` must be a finite"),
        (models.swinir, {"scale": np.int64(2)}, "`scale` must be one of"),
        (models.edsr, {"scale": 2.0}, "`scale` must be one of"),
        (models.edsr, {"blocks": True}, "`blocks` must be a positive whole"),
        (models.edsr, {"residual_scale": math.nan}, "`residual_scale` must be"),
        (models.swinir, {"upsampler": "nearest"}, "`upsampler` must be one of"),
        (models.swinir, {"drop_path": 1.0}, "`drop_path` must be at least 0"),
        (models.cat, {"heads": 7}, "`heads` must divide `embedding`"),
        (models.cat, {"heads": 5}, "`heads` must be even"),
        (models.cat, {"windows": (4, 16, 4)}, "`windows` must be one pair"),
        (models.cat, {"windows": (0, 16)}, "`windows` must be a positive"),
        (models.cat, {"windows": 16}, "`windows` must be one pair"),
        (models.cat, {"windows": None}, "`windows` must be one pair"),
        (models.edge_sr, {"expansion": 0}, "`expansion` must be a positive"),
        (models.edge_sr, {"skip": "cubic"}, "`skip` must be one of"),
    ],
)
def test_arguments_that_no_network_has_get_a_sentence(
    network, arguments, sentence
):
    with pytest.raises(ValueError, match=f"{sentence}.*Received"):
        network(**{"scale": 2, **arguments})


@pytest.mark.versions
@pytest.mark.tensorflow
@pytest.mark.parametrize("network", ["cat", "cat_axial", "edge_sr", "rcan"])
def test_networks_compile_with_xla(network):
    """Other tests compile SwinIR, and the networks on JAX."""
    import tensorflow as tf

    model = TINY[network]()
    image = RNG.random((1, 13, 16, 3), np.float32)
    output = tf.function(model, jit_compile=True)(image)
    np.testing.assert_allclose(output, model(image), atol=1e-5)


@pytest.mark.parametrize("network", TINY)
def test_a_grey_image_counts_as_three_equal_channels(network):
    model = TINY[network]()
    grey = RNG.random((1, 8, 9, 1), np.float32)
    if network == "plain":
        # Its first operator is a convolution, which needs three channels.
        with pytest.raises(ValueError, match=r"expected.*3"):
            model(grey)
        return
    rgb = np.repeat(grey, 3, axis=-1)
    np.testing.assert_allclose(model(grey), model(rgb), atol=1e-6)


@pytest.mark.parametrize("network", TINY)
def test_an_image_of_two_channels_is_refused(network):
    with pytest.raises(ValueError, match=r"(?s)expected.*3.*\(1, 8, 8, 2\)"):
        TINY[network]()(np.zeros((1, 8, 8, 2), np.float32))


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
