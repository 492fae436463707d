"""Two processes on loopback train what one process trains."""

import importlib.util
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

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
    """The weights of one process and of two, for each method."""
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
