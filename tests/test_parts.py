"""The layers of networks, on tensors that a person can check."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from issp_keras.models.parts.attention import DynamicPositionBias
from issp_keras.models.parts.gelu import gelu
from issp_keras.models.parts.image import CropToScale
from issp_keras.models.parts.image import Enlarge
from issp_keras.models.parts.image import PadToMultiple
from issp_keras.models.parts.normalization import ChannelNormalization
from issp_keras.models.parts.stochastic_depth import StochasticDepth
from issp_keras.models.parts.transformer import drop_path_rates
from issp_keras.models.parts.windows import Roll
from issp_keras.models.parts.windows import WindowMask
from issp_keras.models.parts.windows import attend
from issp_keras.models.parts.windows import relative_positions

RNG = np.random.default_rng(0)


def _row(*values):
    """An image of one row and one channel."""
    return np.array(values, np.float32)[None, None, :, None]


@pytest.mark.parametrize(
    ("mode", "row", "expected"),
    [
        ("reflect", (1, 2, 3), [1, 2, 3, 2]),
        ("symmetric", (1, 2, 3), [1, 2, 3, 3]),
        ("reflect", (1, 2, 3, 4, 5), [1, 2, 3, 4, 5, 4, 3, 2]),
        ("symmetric", (1, 2), [1, 2, 2, 1]),
        # If more is missing than can be mirrored, the edge is repeated.
        ("reflect", (1, 2), [1, 2, 2, 2]),
        ("symmetric", (1,), [1, 1, 1, 1]),
        ("reflect", (1, 2, 3, 4), [1, 2, 3, 4]),
    ],
)
def test_padding_mirrors_as_far_as_it_can(mode, row, expected):
    padded = ops.convert_to_numpy(PadToMultiple(4, mode)(_row(*row)))
    assert padded[0, 0, :, 0].tolist() == expected
    # All other rows repeat the only row.
    assert padded.shape[1] == 4
    np.testing.assert_array_equal(padded[0, 3], padded[0, 0])
    column = PadToMultiple(4, mode)(_row(*row).transpose(0, 2, 1, 3))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(column).transpose(0, 2, 1, 3), padded
    )


def test_a_crop_has_the_size_of_the_enlarged_image():
    enlarged = np.arange(64, dtype="float32").reshape(1, 8, 8, 1)
    original = np.zeros((1, 3, 2, 1), np.float32)
    cropped = ops.convert_to_numpy(CropToScale(2)(enlarged, original))
    np.testing.assert_array_equal(cropped, enlarged[:, :6, :4])


@pytest.mark.parametrize(
    ("interpolation", "expected"),
    [
        ("nearest", [0, 0, 4, 4]),
        ("bilinear", [0, 1, 3, 4]),
    ],
)
def test_an_image_is_enlarged_about_the_centres_of_its_pixels(
    interpolation, expected
):
    enlarged = ops.convert_to_numpy(Enlarge(2, interpolation)(_row(0, 4)))
    assert enlarged[0, 0, :, 0].tolist() == expected
    assert enlarged[0, 1, :, 0].tolist() == expected


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "layer",
    [
        PadToMultiple(4),
        PadToMultiple(4, "symmetric"),
        Enlarge(2, "bilinear"),
        Roll(1, -2),
        WindowMask((2, None), (1, 0)),
    ],
    ids=lambda layer: layer.name,
)
def test_a_size_that_is_known_late_makes_no_difference(layer):
    import tensorflow as tf

    images = RNG.random((1, 6, 4, 2), np.float32)
    late = tf.function(
        lambda x: layer(x), input_signature=[tf.TensorSpec([None] * 3 + [2])]
    )
    np.testing.assert_array_equal(late(images), layer(images))


def test_a_roll_moves_up_and_left_and_back():
    image = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)
    rolled = ops.convert_to_numpy(Roll(1, 1)(image))
    assert rolled[0, :, :, 0].tolist() == [[4, 5, 3], [1, 2, 0]]
    np.testing.assert_array_equal(Roll(-1, -1)(rolled), image)


def test_relative_positions_are_numbered_as_in_swin_transformer():
    differences, index = relative_positions((2, 2))
    assert index.tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]
    assert differences[:4].tolist() == [[-1, -1], [-1, 0], [-1, 1], [0, -1]]
    differences, index = relative_positions((2, 3))
    assert differences[index[5, 0]].tolist() == [1, 2]


def test_a_mask_keeps_apart_what_a_roll_has_brought_together():
    image = np.zeros((1, 1, 8, 1), np.float32)
    mask = ops.convert_to_numpy(WindowMask((1, 4), (0, 1))(image))
    assert mask.shape == (2, 4, 4)
    # Only the last pixel of the last window comes from the other side.
    assert not mask[0].any()
    assert mask[1].tolist() == [
        [0, 0, 0, 100],
        [0, 0, 0, 100],
        [0, 0, 0, 100],
        [100, 100, 100, 0],
    ]


def test_a_mask_has_the_windows_of_every_image():
    layer = WindowMask((2, 2), (1, 1))
    one, two = (
        ops.convert_to_numpy(layer(np.zeros((batch, 4, 6, 1), np.float32)))
        for batch in (1, 2)
    )
    assert one.shape == layer.compute_output_shape((1, 4, 6, 1)) == (6, 4, 4)
    np.testing.assert_array_equal(two, np.concatenate([one, one]))
    assert layer.compute_output_shape((None, 4, 6, 1)) == (None, 4, 4)


def test_a_mask_knows_both_directions_and_windows_without_end():
    image = np.zeros((1, 4, 4, 1), np.float32)
    mask = ops.convert_to_numpy(WindowMask((2, 2), (1, 1))(image))
    # The first of four windows has no seam, and the last one has two.
    assert [(window > 0).sum() for window in mask] == [0, 8, 8, 12]
    mask = ops.convert_to_numpy(WindowMask((None, 2), (0, 1))(image))
    assert mask.shape == (2, 8, 8)
    assert [(window > 0).sum() for window in mask] == [0, 32]


def test_attention_is_that_of_each_window_and_head():
    heads, rows, columns, size = 2, 2, 3, 4
    qkv = RNG.standard_normal((2, 4, 6, 3 * heads * size)).astype("float32")
    bias = RNG.standard_normal((heads, 1, 6, 6)).astype("float32")
    mask = np.where(RNG.random((8, 6, 6)) < 0.3, 100, 0).astype("float32")
    output = ops.convert_to_numpy(
        attend(qkv, heads, (rows, columns), bias, mask)
    )
    expected = np.empty((2, 4, 6, heads * size))
    for image, top, left, head in np.ndindex(2, 2, 2, heads):
        place = (
            image,
            slice(rows * top, rows * top + rows),
            slice(columns * left, columns * left + columns),
        )
        query, key, value = (
            qkv[place].reshape(6, 3, heads, size)[:, i, head] for i in range(3)
        )
        logits = query @ key.T / np.sqrt(size) + bias[head, 0]
        logits = np.exp(logits - mask[4 * image + 2 * top + left])
        shares = logits / logits.sum(axis=1, keepdims=True)
        channels = slice(head * size, head * size + size)
        expected[(*place, channels)] = (shares @ value).reshape(
            rows, columns, size
        )
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_the_position_network_is_that_of_cat():
    """Linear, then three times layer norm, ReLU and linear (cat_arch.py)."""
    layer = DynamicPositionBias(heads=3, width=5)
    positions = RNG.integers(-3, 4, (7, 2)).astype("float32")
    layer(positions)
    names = [weight.name for weight in layer.weights]
    weights = {
        weight.name: RNG.standard_normal(weight.shape).astype("float32")
        for weight in layer.weights
    }
    layer.set_weights([weights[name] for name in names])
    x = positions @ weights["pos_proj.kernel"] + weights["pos_proj.bias"]
    for i in (1, 2, 3):
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(
            x.var(axis=1, keepdims=True) + 1e-5
        )
        x = x * weights[f"pos{i}.0.gamma"] + weights[f"pos{i}.0.beta"]
        x = np.maximum(x, 0) @ weights[f"pos{i}.2.kernel"]
        x = x + weights[f"pos{i}.2.bias"]
    np.testing.assert_allclose(layer(positions), x, rtol=1e-4, atol=1e-4)


def test_channel_normalization_learns_as_layer_normalization_does():
    _learn_alike(
        ChannelNormalization,
        lambda: layers.LayerNormalization(epsilon=1e-5),
    )


def test_gelu_learns_as_that_of_keras_does():
    _learn_alike(
        lambda: layers.Activation(gelu), lambda: layers.Activation("gelu")
    )


def _learn_alike(*kinds):
    """Compares the results of training steps, which depend on gradients."""
    x = RNG.standard_normal((4, 5, 6, 8)).astype("float32")
    y = RNG.standard_normal((4, 5, 6, 8)).astype("float32")
    results = []
    for kind in kinds:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [layers.Dense(8), kind(), layers.Dense(8), kind()]
        )
        model.compile(keras.optimizers.SGD(0.5), "mean_squared_error")
        model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
        results.append((model.get_weights(), ops.convert_to_numpy(model(x))))
    (own, output), (other, expected) = results
    np.testing.assert_allclose(output, expected, atol=1e-5)
    for a, b in zip(own, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_rates_of_stochastic_depth_grow_from_block_to_block():
    rates = drop_path_rates(0.3, (2, 2))
    np.testing.assert_allclose(rates, [[0.0, 0.1], [0.2, 0.3]])
    assert drop_path_rates(0.3, (1,)) == [[0.0]]


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    layer = StochasticDepth(0.25, seed=0)
    x = np.ones((4000, 2, 3), np.float32)
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.75], rtol=1e-6)
    assert (y == y[:, :1, :1]).all()
    assert abs(y.mean() - 1) < 0.03
    np.testing.assert_array_equal(layer(x), x)


def test_stochastic_depth_goes_on_where_a_checkpoint_was_made(tmp_path):
    x = np.ones((50, 1), np.float32)
    image = keras.Input((1,))
    model = keras.Model(image, StochasticDepth(0.5, seed=3)(image))
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    draws = [ops.convert_to_numpy(model(x, training=True)) for _ in range(2)]
    again = keras.models.load_model(tmp_path / "model.keras")
    for draw in draws:
        np.testing.assert_array_equal(again(x, training=True), draw)
    assert not (draws[0] == draws[1]).all()
