"""The program that puts trained networks into the package."""

import hashlib
import json
import pathlib
import subprocess
import sys
import zipfile

import finished
import numpy as np
import PIL.Image
import pytest

from issp_keras.inference import bundled
from issp_keras.inference import load_network
from issp_keras.models import load_model
from issp_keras.tflite import inspect

_BUNDLE = pathlib.Path(__file__).parent.parent / "benchmarks" / "bundle.py"

pytestmark = pytest.mark.long


def _run(folder, *flags):
    command = [sys.executable, _BUNDLE, "--runs=runs", "--output=networks"]
    command += ["--data_dir=sets", *flags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with trainings, test sets and a package."""
    folder = tmp_path_factory.mktemp("bundle")
    finished.write_training(folder / "runs" / "a", "x2_small", 0.95)
    finished.write_training(folder / "runs" / "b", "x2_other", 0.9)
    noise = np.random.default_rng(0).integers(0, 256, (64, 72, 3), np.uint8)
    for name in ("Set5", "Set14", "Kodak24"):
        path = folder / "sets" / name / "HR" / "noise.png"
        path.parent.mkdir(parents=True)
        PIL.Image.fromarray(noise).save(path)
    (folder / "networks").mkdir()
    older = {
        "name": "x4_old",
        "scale": 4,
        "scores": {"float32": {"Kodak24": {"psnr": 1}}},
    }
    (folder / "networks" / "networks.json").write_text(json.dumps([older]))
    done = _run(folder, "--only=x2_small")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_network_is_put_into_the_package(folder):
    listed = json.loads((folder / "networks" / "networks.json").read_text())
    assert [entry["name"] for entry in listed] == ["x4_old", "x2_small"]
    network = bundled.BundledNetwork(**listed[1])
    assert (network.scale, network.steps) == (2, 5)
    names = [f"x2_small{of}" for of in (".keras", ".tflite", "_int8.tflite")]
    made = {path.name for path in (folder / "networks").iterdir()}
    assert made == {"networks.json", *names}
    for scores in network.scores.values():
        assert list(scores) == ["Kodak24", "Set5", "Set14"]
        # They are measured, not copied from the training.
        assert scores["Set5"]["psnr"] != 20
    for name in names:
        path = folder / "networks" / name
        assert load_network(path).scale == 2
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert network.sha256[name] == digest
    # The digest of the settings, which tells versions of a config apart.
    assert network.settings == "x2_small"
    assert network.zeros_in == "blocks of 4 input channels"
    assert (network.loss, network.teacher) == ("l1_fft", None)
    assert network.backend == "tensorflow"


def _begin_with(folder, run, pretrained):
    path = folder / "runs" / run / "config.json"
    config = json.loads(path.read_text())
    config["pretrained"] = pretrained
    config["sparsity"]["method"] = "l1_norm"
    config["simulated_int8"] = {"begin_step": 1}
    path.write_text(json.dumps(config))


def test_a_network_that_was_trained_further_keeps_its_facts(folder):
    listed = folder / "networks" / "networks.json"
    before = {of["name"]: of for of in json.loads(listed.read_text())}
    finished.write_training(folder / "runs" / "c", "x2_tuned", 0.9)
    _begin_with(folder, "c", "x2_small")
    done = _run(folder, "--only=x2_tuned")
    assert done.returncode == 0, done.stderr
    after = {of["name"]: of for of in json.loads(listed.read_text())}
    assert {"x2_small", "x4_old"} < {*after}
    network = bundled.BundledNetwork(**after["x2_tuned"])
    assert (network.steps, network.int8_steps) == (10, 5)
    assert network.settings == "x2_small, x2_tuned"
    assert network.made_by == "configs/bundled.py, configs/bundled_int8.py"
    assert network.licence == before["x2_small"]["licence"]
    assert before["x2_small"]["int8_steps"] == 0
    # The same training does not count twice.
    _begin_with(folder, "c", "x2_tuned")
    done = _run(folder, "--only=x2_tuned")
    assert done.returncode
    assert "x2_tuned has had this training already" in done.stderr
    for name in ("x2_tuned.tflite", "x2_tuned_int8.tflite"):
        found = inspect(folder / "networks" / name)
        assert found.metadata["method"] == "latent"


def test_what_it_began_with_must_be_in_the_package(folder):
    finished.write_training(folder / "runs" / "d", "x2_lost", 0.9)
    _begin_with(folder, "d", "x9")
    done = _run(folder, "--only=x2_lost")
    assert done.returncode
    assert "x2_lost: began with x9, expected a network of " in done.stderr


def test_the_keras_file_is_the_same_but_smaller(folder):
    before = folder / "runs" / "a" / "model.keras"
    after = folder / "networks" / "x2_small.keras"
    assert after.stat().st_size < before.stat().st_size / 2
    image = np.random.default_rng(0).random((1, 9, 8, 3), np.float32)
    a, b = (load_model(path)(image) for path in (before, after))
    np.testing.assert_array_equal(a, b)
    # Keras before 3.14 has no such operation.
    with zipfile.ZipFile(after) as content:
        assert b"DepthToSpace" not in content.read("config.json")


def test_a_name_that_was_not_trained_is_refused(folder):
    done = _run(folder, "--only=x9")
    assert done.returncode
    assert "--only: x9 is no training, expected some of x2_" in done.stderr


def test_missing_test_sets_are_found_before_anything_is_written(folder):
    before = sorted((folder / "networks").iterdir())
    done = _run(folder, "--data_dir=gone")
    assert done.returncode
    assert "gone/Kodak24: no such folder" in done.stderr
    assert sorted((folder / "networks").iterdir()) == before


def test_photographs_of_unknown_licence_are_refused(folder):
    path = folder / "runs" / "b" / "config.json"
    config = json.loads(path.read_text())
    config["data"]["train"] = "holidays"
    path.write_text(json.dumps(config))
    done = _run(folder, "--only=x2_other")
    assert done.returncode
    assert "was trained on holidays, whose licence" in done.stderr
