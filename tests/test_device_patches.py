"""Patches that are cut on the device, and several steps in one call."""

import importlib.util

import keras
import numpy as np
import pytest
from ml_collections import ConfigDict

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import data
from issp_keras import models
from issp_keras.fused_steps import fuse_steps
from issp_keras.losses import Distillation
from issp_keras.programs.epochs import StopIfDiverged
from issp_keras.programs.fit import fit

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX"
)
only_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="needs the JAX backend"
)


@pytest.fixture
def patches():
    rng = np.random.default_rng(0)

    def noise(*shape):
        return rng.integers(0, 256, shape, np.uint8)

    pairs = [
        data.Pair(
            str(i), noise(9 + i, 11 + i, 3), noise(18 + 2 * i, 22 + 2 * i, 3)
        )
        for i in range(3)
    ]
    pairs.append(data.Pair("grey", noise(9, 9), noise(18, 18)))
    return data.RandomPatches(pairs, 8, 5, seed=1)


def test_patches_are_those_of_the_host_bit_for_bit(patches):
    import jax

    device = data.DevicePatches(patches)
    cut = jax.jit(device.cut)
    for step, places in enumerate(device.places(0, 12)):
        found = cut(device.pixels, places)
        for array, expected in zip(found, patches.batch(step), strict=True):
            expected = np.divide(expected, 255, dtype=np.float32)
            np.testing.assert_array_equal(np.asarray(array), expected)


def test_more_pixels_than_32_bits_count_are_refused(patches):
    class Huge:
        shape = (2**16, 2**16, 3)

        def __getitem__(self, place):
            return np.broadcast_to(np.zeros(3, np.uint8), self.shape)

    patches.lr = [Huge()]
    with pytest.raises(ValueError, match="Received: 4294967296 pixels"):
        data.DevicePatches(patches)


@only_jax
@pytest.mark.parametrize("at_once", [1, 5])
def test_trains_to_the_weights_of_the_host_pipeline(patches, at_once):
    weights = []
    for is_on_device in (False, True):
        keras.utils.set_random_seed(0)
        model = models.plain(2, features=4, blocks=1)
        model.compile(keras.optimizers.Adam(1e-3), "mae")
        steps = 10
        dataset = data.PatchDataset(patches, 0, 20)
        if is_on_device:
            device = data.DevicePatches(patches)
            fuse_steps(model, device.cut, device.pixels, patches.places(0))
            dataset = data.PlacesDataset(device, 0, 20, at_once)
            steps //= at_once
        history = model.fit(
            dataset,
            epochs=2,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[ISSPCallback(ISSPSchedule(0.8, end_step=15))],
        )
        assert int(keras.ops.copy(model.optimizer.iterations)) == 20
        weights.append([*model.get_weights(), history.history["loss"]])
    # XLA fuses different operations in the two programs, so roundings differ.
    for found, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.fixture
def taught():
    rng = np.random.default_rng(0)
    shapes = [(9, 11, 3), (18, 22, 3), (18, 22, 3)]
    images = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
    return data.RandomPatches([data.Pair("a", *images)], 8, 5, seed=1)


def test_patches_with_a_teacher_are_those_of_the_host(taught):
    device = data.DevicePatches(taught)
    _, hr = device.cut(device.pixels, taught.places(3))
    expected = np.divide(taught.batch(3)[1], 255, dtype=np.float32)
    assert expected.shape == (5, 16, 16, 6)
    np.testing.assert_array_equal(np.asarray(hr), expected)


@only_jax
def test_trains_on_the_device_with_a_teacher(taught):
    losses = []
    for is_on_device in (False, True):
        keras.utils.set_random_seed(0)
        model = models.plain(2, features=4, blocks=1)
        loss = Distillation(keras.losses.MeanAbsoluteError(), 0.5)
        model.compile(keras.optimizers.Adam(1e-3), loss)
        dataset = data.PatchDataset(taught, 0, 10)
        if is_on_device:
            device = data.DevicePatches(taught)
            fuse_steps(model, device.cut, device.pixels, taught.places(0))
            dataset = data.PlacesDataset(device, 0, 10, 1)
        history = model.fit(dataset, shuffle=False, verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)


@only_jax
def test_an_epoch_goes_on_with_other_steps_in_one_call(patches):
    """The rest of an epoch has fewer steps than one call of the next epochs."""
    config = ConfigDict(
        {
            "steps": 12,
            "steps_per_epoch": 6,
            "steps_per_execution": 6,
            "learning_rate": 1e-3,
            "data": {"on_device": True},
        }
    )
    model = models.plain(2, features=4, blocks=1)
    model.compile(keras.optimizers.Adam(1e-3), "mae")
    assert fit(model, config, patches, 4, [StopIfDiverged()], None, False)
    assert int(keras.ops.copy(model.optimizer.iterations)) == 2
