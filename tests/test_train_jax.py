"""Training, scores and enlarged photographs on JAX without TensorFlow."""

import csv
import importlib.util
import json

import numpy as np
import pytest
from without import issp_without

from issp_keras import data
from issp_keras.extras import EXTRAS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX"
)

# Packages that `pip install 'issp-keras[jax,sr]'` does not install.
OTHERS = [name for name, (_, of) in EXTRAS.items() if of not in ("jax", "sr")]
TINY = {
    "steps": 12,
    "steps_per_epoch": 6,
    "network.features": 4,
    "network.blocks": 1,
    "data.patch_size": 8,
    "data.batch_size": 2,
    "sparsity.end_step": 7,
}


def _issp(*words):
    done = issp_without(OTHERS, *words, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A training on the photographs in scikit-image."""
    folder = tmp_path_factory.mktemp("jax") / "workdir"
    flags = [f"--config.{name}={value}" for name, value in TINY.items()]
    _issp("train", "--config=edsr_small", f"--workdir={folder}", *flags)
    return folder


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A photograph of 16 bits, with alpha."""
    path = tmp_path_factory.mktemp("photograph") / "deep.png"
    values = np.random.default_rng(0).integers(0, 65536, (20, 30, 4))
    values = values.astype(np.uint16)
    data.write_photograph(path, values[..., :3], values[..., 3])
    return path


def test_a_training_leaves_a_sparse_network_and_its_history(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(10 < float(row["val_psnr"]) < 60 for row in rows)
    with (workdir / "sparsity.csv").open(newline="") as file:
        *_, last = csv.DictReader(file)
    assert float(last["sparsity"]) >= 0.9
    assert (workdir / "model.keras").exists()


def test_a_network_is_scored(workdir, tmp_path):
    scores = tmp_path / "scores.json"
    picture, page = tmp_path / "picture.png", tmp_path / "page.html"
    done = _issp(
        *("evaluate", "-m", workdir / "model.keras", "-o", scores),
        *(f"--comparison={picture}", f"--report={page}"),
    )
    assert "chelsea" in done.stdout
    found = json.loads(scores.read_text())["scores"]["embedded"]
    assert len(found["bicubic"]) == 4
    assert data.read_photograph(picture).pixels.ndim == 3
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_photograph_of_16_bits_is_enlarged(workdir, photograph, tmp_path):
    _issp(
        *("upscale", "-m", workdir / "model.keras", photograph),
        *("-o", tmp_path / "large.png"),
    )
    large = data.read_photograph(tmp_path / "large.png")
    assert large.pixels.shape == (40, 60, 3)
    assert large.pixels.dtype == large.alpha.dtype == np.uint16


def test_what_needs_tensorflow_says_so_in_one_line(workdir):
    done = issp_without(
        ["tensorflow"],
        *("export", workdir / "model.keras", "--precision=float32"),
        KERAS_BACKEND="jax",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("issp export: ")
    assert "pip install 'issp-keras[" in done.stderr
    assert done.stderr.count("\n") == 1
