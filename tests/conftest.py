"""Fixtures that tests share: tiny networks and photographs."""

import gc
import importlib.util
import os
import pathlib
import tempfile

import keras
import native
import numpy as np
import pytest

from issp_keras import models
from issp_keras.models import load_model

ROOT = pathlib.Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

# Tests of what the backend computes, and of what must run without TensorFlow.
_CORE = (
    "callbacks",
    "compare",
    "data_parallel",
    "device_patches",
    "distributions",
    "extras",
    "keras_internals",
    "losses",
    "methods",
    "metrics",
    "models",
    "parts",
    "patches",
    "patterns",
    "photographs",
    "plain",
    "prepared",
    "pretrained",
    "resume",
    "schedules",
    "scores",
    "selection",
    "simulated_int8",
    "sparse_training",
    "summary",
    "torch_weights",
    "train",
    "train_jax",
    "zeros",
)


# Marks of tests that run on the TensorFlow backend only, and why.
_ONLY_TENSORFLOW = {
    "tensorflow": "needs the TensorFlow backend",
    "one_backend": "TensorFlow is enough for it",
}


def pytest_configure(config):
    if keras.backend.backend() == "jax":
        _compile_fast(config)


def _compile_fast(config):
    """Makes JAX compile in less time, since tests compute little.

    It optimizes less, and reuses the programs of other models and processes.
    """
    import jax

    # Each worker has its own folder, because JAX locks no files in it.
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    for name, value in {
        "jax_compilation_cache_dir": folder.name,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_disable_most_optimizations": True,
    }.items():
        jax.config.update(name, value)
        # The processes that tests start read the environment.
        os.environ[name.upper()] = str(value)


def pytest_ignore_collect(collection_path):
    """Without TensorFlow, or on another backend, only the core is tested."""
    if (
        _has_tensorflow() and keras.backend.backend() == "tensorflow"
    ) or not collection_path.name.startswith("test_"):
        return None
    return collection_path.stem.removeprefix("test_") not in _CORE


def pytest_runtest_setup(item):
    if not (_has_tensorflow() and keras.backend.backend() == "tensorflow"):
        for mark, reason in _ONLY_TENSORFLOW.items():
            if item.get_closest_marker(mark):
                pytest.skip(reason)
    is_jax = keras.backend.backend() == "jax"
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if is_jax and parameters.get("jit_compile") is False:
        pytest.skip("without jit, JAX runs eagerly: another test's matter")


def _has_tensorflow():
    return importlib.util.find_spec("tensorflow") is not None


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(1)


@pytest.fixture(autouse=True, scope="module")
def _little_garbage():
    """Lets garbage collections skip what imports and earlier tests have left.

    TFLite's converter collects garbage several times for each network. In a
    process with many tests, that would take a third of the time.
    """
    gc.collect()
    gc.freeze()
    yield
    keras.utils.clear_session()


@pytest.fixture(scope="session")
def shared_data():
    """The folder of Set5, Set14 and other test sets."""
    if not SHARED.is_dir():
        pytest.skip("the photographs of Set5 and Set14 are not here")
    return SHARED


@pytest.fixture(scope="session")
def optimized(tmp_path_factory):
    """Folder of the optimized delegate and engine, and of C++ tests."""
    return native.build(
        tmp_path_factory.mktemp("optimized"),
        "issp_sparse_delegate",
        "issp_engine_shared",
        "issp_upscale",
        "kernels_test",
        "delegate_test",
        "soak",
        ISSP_TESTS="ON",
    )


@pytest.fixture(scope="session")
def tiny_edsr():
    keras.utils.set_random_seed(0)
    return models.edsr(scale=2, features=8, blocks=1)


@pytest.fixture(scope="session")
def sparse_model_path(tiny_edsr, tmp_path_factory):
    """A saved EDSR x2 with 90 % zeros in every kernel."""
    # With this seed, int8 costs quality although the weights are not trained.
    keras.utils.set_random_seed(0)
    model = keras.models.clone_model(tiny_edsr)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = layer.kernel.numpy()
            kept = rng.permutation(kernel.size) < 0.1 * kernel.size
            layer.kernel.assign(kernel * kept.reshape(kernel.shape))
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def model(sparse_model_path):
    """The same network, loaded."""
    return load_model(sparse_model_path)


@pytest.fixture
def folder_of_photographs(tmp_path):
    """Two small colour photographs and a grey one."""
    return _write_photographs(tmp_path / "photographs")


@pytest.fixture(scope="session")
def shared_photographs(tmp_path_factory):
    """The same, for trainings that tests share. Tests must not change them."""
    return _write_photographs(tmp_path_factory.mktemp("shared") / "photographs")


def _write_photographs(folder):
    from issp_keras.data import write_photograph

    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in {
        "a.png": (48, 60, 3),
        "b.png": (41, 37, 3),
        "grey.png": (40, 44),
    }.items():
        noise = rng.integers(0, 256, shape, np.uint8)
        write_photograph(folder / name, noise)
    return folder
