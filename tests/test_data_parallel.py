"""Two processes, or two replicas, give the weights of one process."""

import importlib.util
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.versions

PROGRAM = """
import sys
import keras
import numpy as np
from keras import layers
from issp_keras import ISSPSchedule, SparseTraining
from issp_keras.sparsity import METHODS

processes, index, coordinator, path = sys.argv[1:]
processes, index = int(processes), int(index)
if processes > 1:
    keras.distribution.initialize(coordinator, processes, index)
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(auto_shard_dataset=False)
    )
rng = np.random.default_rng(0)
x = rng.normal(size=(20, processes, 8 // processes, 4)).astype("float32")
y = rng.normal(size=(20, processes, 8 // processes, 3)).astype("float32")
x, y = x[:, index].reshape(-1, 4), y[:, index].reshape(-1, 3)
for method in ("iss_p", "srp"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(16, "relu"), layers.Dense(3)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    callback = SparseTraining(ISSPSchedule(0.7, end_step=30), METHODS[method]())
    model.fit(x, y, batch_size=8 // processes, epochs=2, shuffle=False,
              verbose=0, callbacks=[callback])
    if index == 0:
        np.savez(f"{path}/{method}-{processes}.npz", *model.get_weights())
"""


def _train(folder, processes):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        coordinator = f"localhost:{probe.getsockname()[1]}"
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", PROGRAM, str(processes), str(index)),
                *(coordinator, str(folder)),
            ],
            env=os.environ | {"KERAS_BACKEND": "jax"},
        )
        for index in range(processes)
    ]
    assert [process.wait() for process in running] == [0] * processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the weights of one process and of two, for each method."""
    folder = tmp_path_factory.mktemp("weights")
    _train(folder, 1)
    _train(folder, 2)
    return folder


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
@pytest.mark.parametrize("method", ["iss_p", "srp"])
def test_two_processes_equal_one(folder, method):
    with (
        np.load(folder / f"{method}-1.npz") as one,
        np.load(folder / f"{method}-2.npz") as two,
    ):
        one, two = list(one.values()), list(two.values())
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(a == 0, b == 0)
    for kernel in (one[0], one[2]):
        assert (kernel == 0).sum() == np.ceil(0.7 * kernel.size)


MIRRORED = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    2 * [tf.config.LogicalDeviceConfiguration()],
)
import keras
import numpy as np
from issp_keras import ISSPCallback, ISSPSchedule, SimulatedInt8, models
from issp_keras.activation_ranges import trained_ranges

folder = sys.argv[1]
rng = np.random.default_rng(0)
x = rng.random((2, 4, 8, 8, 3), np.float32)
# Both replicas see the same images, so that their extremes are those of all.
x = np.concatenate([x, x], axis=1).reshape(-1, 8, 8, 3)
y = x.repeat(2, 1).repeat(2, 2) ** 2

def train(strategy, done=0):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = models.plain(2, features=4, blocks=1)
        model.compile(keras.optimizers.SGD(0.01, momentum=0.5), "mse")
    sparse = ISSPCallback(ISSPSchedule(0.8, end_step=4))
    int8 = SimulatedInt8(begin_step=5, momentum=0.5)
    if done:
        for callback in (sparse, int8):
            callback.set_model(model)
        model.load_weights(f"{folder}/{done}.keras")
    save = keras.callbacks.ModelCheckpoint(folder + "/{epoch}.keras")
    model.fit(x, y, batch_size=8, epochs=4, initial_epoch=done, shuffle=False,
              verbose=0, callbacks=[sparse, int8, save])
    return model

def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

alone = train(tf.distribute.get_strategy())
whole = train(mirrored())
for weight in whole.weights:
    first, second = (value.numpy() for value in weight.value.values)
    np.testing.assert_array_equal(first, second)
for a, b in zip(whole.get_weights(), alone.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(a == 0, b == 0)
ranges = trained_ranges(whole)
assert ranges
for name, ends in trained_ranges(alone).items():
    np.testing.assert_allclose(ranges[name], ends, rtol=1e-3, atol=1e-5)
assert trained_ranges(models.load_model(folder + "/4.keras")) == ranges
resumed = train(mirrored(), done=3)
assert trained_ranges(resumed) == ranges
for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)
"""


@pytest.mark.long
@pytest.mark.tensorflow
def test_replicas_that_simulate_int8_equal_one(tmp_path):
    subprocess.run([sys.executable, "-c", MIRRORED, str(tmp_path)], check=True)
