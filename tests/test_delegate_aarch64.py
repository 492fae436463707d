"""The delegate for 64-bit ARM, under qemu."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from networks import TINY

from issp_keras import files
from issp_keras.tflite import export

pytestmark = pytest.mark.long

_DELEGATE = pathlib.Path(__file__).parents[1] / "tflite" / "delegate"
_SCRIPT = _DELEGATE / "tests" / "aarch64.py"
_CANNOT = 77


def _folder():
    return files.cache_folder() / "aarch64"


def _make_sparse(model):
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if variable.path.endswith("kernel"):
            kept = random.random(variable.shape) < 0.2
            variable.assign(variable.numpy() * kept)


@pytest.mark.tensorflow
def test_aarch64_delegate_equals_tflite(tiny_edsr, tmp_path):
    _make_sparse(tiny_edsr)
    paths = []
    for sparse in (False, True):
        path = tmp_path / f"x2_{sparse}.tflite"
        export(tiny_edsr, path, sparse=sparse)
        paths.append(path)
    swinir = TINY["swinir"]()
    _make_sparse(swinir)
    paths.append(tmp_path / "swinir.tflite")
    export(swinir, paths[-1], tolerance=99)
    done = subprocess.run(
        [sys.executable, _SCRIPT, _folder(), *paths],
        capture_output=True,
        text=True,
    )
    if done.returncode == _CANNOT:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.count(" off\n") == len(paths)
