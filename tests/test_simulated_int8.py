"""Training with simulated int8."""

import keras
import numpy as np
import pytest
from keras import layers

from issp_keras import models
from issp_keras.activation_ranges import trained_ranges
from issp_keras.callbacks import ISSPCallback
from issp_keras.callbacks import SimulatedInt8
from issp_keras.callbacks import count_zeros
from issp_keras.callbacks.simulated_int8 import round_kernel
from issp_keras.sparsity import ISSPSchedule

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)
X = RNG.random((8, 8, 8, 3), np.float32)
Y = RNG.random((8, 16, 16, 3), np.float32)


def _model(rate=1e-3):
    model = models.plain(2, features=4, blocks=1)
    model.compile(keras.optimizers.Adam(rate), "mae")
    return model


def _fit(model, *callbacks, epochs=2):
    return model.fit(
        X, Y, 4, epochs, verbose=0, shuffle=False, callbacks=list(callbacks)
    )


def test_a_kernel_has_the_levels_of_its_channel_and_keeps_its_zeros():
    kernel = np.array([[127, 0.6], [-3.4, 0], [0, 1.27]], np.float32)
    rounded = keras.ops.convert_to_numpy(round_kernel(kernel, (0,)))
    expected = [[127, 0.6], [-3, 0], [0, 1.27]]
    np.testing.assert_allclose(rounded, expected, rtol=1e-6)


def test_a_kernel_of_zeros_stays_one():
    rounded = round_kernel(np.zeros((3, 2), np.float32), (0,))
    assert not keras.ops.convert_to_numpy(rounded).any()


def test_training_sees_rounded_weights_and_activations():
    losses = []
    for callbacks in ([], [SimulatedInt8()], [SimulatedInt8(begin_step=99)]):
        keras.utils.set_random_seed(1)
        losses.append(_fit(_model(), *callbacks).history["loss"][-1])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[2], rel=1e-6)


def test_the_model_computes_in_float_after_fit():
    model = _model()
    _fit(model, SimulatedInt8())
    plain = models.plain(2, features=4, blocks=1)
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        model.predict(X, verbose=0), plain.predict(X, verbose=0)
    )


def test_frozen_zeros_stay_zeros():
    model = _model()
    sparse = ISSPCallback(ISSPSchedule(0.8, begin_step=0, end_step=4))
    _fit(model, sparse, SimulatedInt8(begin_step=4), epochs=4)
    zeros, weights = count_zeros(model)
    assert zeros >= 0.8 * weights
    assert trained_ranges(model)


def test_ranges_are_those_of_layers_that_compute_an_output():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="before")(image)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(12, 3, padding="same", name="last")(x)
    model = keras.Model(image, x)
    model.compile("sgd", "mae")
    model.fit(X, X.repeat(4, -1), callbacks=[SimulatedInt8()], verbose=0)
    ranges = trained_ranges(model)
    # The output always has the levels of 8-bit images.
    assert set(ranges) == {"relu"}
    assert ranges["relu"][0] == 0 < ranges["relu"][1]


def test_the_file_is_the_plain_network_and_holds_the_ranges(tmp_path):
    model = _model()
    _fit(model, SimulatedInt8())
    model.save(tmp_path / "sr.keras")
    for load in (keras.models.load_model, models.load_model):
        loaded = load(tmp_path / "sr.keras")
        assert len(loaded.weights) == len(model.weights)
        np.testing.assert_array_equal(
            loaded.predict(X, verbose=0), model.predict(X, verbose=0)
        )
    assert trained_ranges(loaded) == trained_ranges(model)


def test_a_resumed_training_equals_the_uninterrupted_one(tmp_path):
    first = _model()
    first.set_weights(_start())
    whole = _model()
    whole.set_weights(_start())
    _fit(whole, SimulatedInt8(momentum=0.5), epochs=4)
    _fit(first, SimulatedInt8(momentum=0.5), epochs=2)
    first.save(tmp_path / "half.keras")
    second = models.load_model(tmp_path / "half.keras", compile=True)
    _fit(second, SimulatedInt8(momentum=0.5), epochs=2)
    assert trained_ranges(second) == trained_ranges(whole)
    for a, b in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _start():
    keras.utils.set_random_seed(3)
    return models.plain(2, features=4, blocks=1).get_weights()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"begin_step": -1}, "begin_step"),
        ({"momentum": 1}, r"`momentum` must be in \[0, 1\)"),
    ],
)
def test_refuses_arguments_outside_their_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimulatedInt8(**arguments)
