"""The plain body."""

import keras
import numpy as np
import pytest
from networks import without_values

from issp_keras import models
from issp_keras.callbacks import prunable_kernels


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("plain_16x8", 25_968),
        ("plain_16x16", 44_528),
        ("plain_24x16", 94_416),
        ("plain_32x16", 162_736),
        # 172, 375, 657 and 1456 thousand, as in the measurements.
        ("plain_res32x16", 171_984),
        ("plain_res48x16", 375_456),
        ("plain_res64x16", 657_264),
        ("plain_res96x16", 1_455_888),
    ],
)
def test_presets_have_their_numbers_of_weights(name, weights):
    with without_values():
        network = models.NETWORKS[name](scale=4)
    assert network.count_params() == weights


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_takes_images_of_any_size(scale, size):
    model = models.plain(scale, features=4, blocks=1)
    image = np.zeros((2, *size, 3), "float32")
    expected = (2, scale * size[0], scale * size[1], 3)
    assert model(image).shape == expected


def test_the_head_learns_the_difference_from_the_nearest_neighbour():
    model = models.plain(2)
    image = np.random.default_rng(0).uniform(size=(1, 6, 7, 3))
    nearest = image.repeat(2, axis=1).repeat(2, axis=2)
    model.get_layer("head").kernel.assign(np.zeros((3, 3, 32, 12)))
    found = keras.ops.convert_to_numpy(model(image))
    np.testing.assert_allclose(found, nearest, atol=1e-6)


def test_blocks_may_have_no_residual():
    def names(**arguments):
        model = models.plain(2, 4, blocks=2, convs=3, **arguments)
        return [k.path for k in prunable_kernels(model)], [
            layer.name for layer in model.layers if "add" in layer.name
        ]

    convolutions, adds = names(residual=False, last_conv=True)
    assert len(convolutions) == 1 + 6 + 1 + 1
    assert adds == ["add"]
    convolutions, adds = names()
    assert len(convolutions) == 1 + 6 + 1
    assert adds == ["body.0.add", "body.1.add", "add"]


def test_activations_are_those_of_residual_blocks():
    model = models.plain(2, 4, blocks=1)
    found = {
        layer.name: layer.activation.__name__
        for layer in model.layers
        if hasattr(layer, "activation")
    }
    assert found == {
        "conv_first": "relu",
        "body.0.conv1": "relu",
        "body.0.conv2": "linear",
        "head": "linear",
    }


def test_a_sum_of_branches_merges_into_the_plain_network():
    model = models.plain(2, 4, blocks=1, reparameterized=True)
    image = np.random.default_rng(0).uniform(size=(1, 6, 7, 3))
    merged = models.merge(model)
    np.testing.assert_allclose(merged(image), model(image), atol=1e-5)
    plain = models.plain(2, 4, blocks=1)
    assert [w.path for w in merged.weights] == [w.path for w in plain.weights]
    with pytest.raises(ValueError, match="no prunable layer"):
        prunable_kernels(model)


@pytest.mark.parametrize("reparameterized", [False, True])
def test_a_training_begins_near_the_anchor(reparameterized):
    keras.utils.set_random_seed(1)
    model = models.plain(2, 16, blocks=8, reparameterized=reparameterized)
    image = np.random.default_rng(0).uniform(size=(1, 8, 8, 3))
    nearest = image.repeat(2, 1).repeat(2, 2)
    assert np.abs(model(image) - nearest).mean() < 0.3


def test_the_features_are_no_branch_of_the_head():
    # It has as many inputs as outputs here. Only an image may be a branch.
    model = models.plain(2, 12, blocks=1, reparameterized=True)
    head = model.get_layer("head")
    before = np.array(head.merged_kernel())
    for weight in head.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    assert before.shape == (3, 3, 12, 12)
    assert not np.any(head.merged_kernel())


def test_the_anchor_keeps_all_levels_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.plain(2, 4, blocks=1)
    finally:
        keras.config.set_dtype_policy("float32")
    model.get_layer("head").kernel.assign(np.zeros((3, 3, 4, 12)))
    image = np.full((1, 2, 2, 3), 0.3, "float32")
    found = keras.ops.convert_to_numpy(model(image))
    np.testing.assert_allclose(found, 0.3, rtol=1e-6)


@pytest.mark.parametrize("name", ["features", "blocks", "convs"])
def test_refuses_sizes_that_are_not_positive(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        models.plain(2, **{name: 0})
