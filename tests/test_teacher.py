"""A network learns from the outputs of another network."""

import concurrent.futures
import dataclasses
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from ml_collections import ConfigDict
from networks import write_tflite

from issp_keras import data
from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.inference import Network
from issp_keras.inference import load_network
from issp_keras.programs.train import train
from issp_keras.teacher import Teacher

EDSR_SMALL = pathlib.Path(__file__).parent.parent / "configs/edsr_small.py"


def _teacher(path, seed=0, scale=2):
    keras.utils.set_random_seed(seed)
    model = models.edsr(scale=scale, features=4, blocks=1)
    model.save(path)
    return str(path)


@pytest.fixture
def path(tmp_path):
    return _teacher(tmp_path / "teacher.keras")


@pytest.fixture
def config(folder_of_photographs, path):
    config = runpy.run_path(str(EDSR_SMALL))["get_config"]()
    config.steps = 12
    config.steps_per_epoch = 3
    config.network.features = 4
    config.network.blocks = 1
    config.data.train = str(folder_of_photographs)
    config.data.held_out = str(folder_of_photographs)
    config.data.patch_size = 8
    config.data.batch_size = 2
    config.sparsity.end_step = 7
    config.teacher = ConfigDict({"model": path, "weight": 0.5})
    return config


@pytest.fixture
def pairs(folder_of_photographs):
    return data.load_pairs(str(folder_of_photographs), "train", 2)


@pytest.fixture
def enlarged(monkeypatch):
    """The list of the sizes of all images that networks enlarge."""
    sizes = []
    upscale = Network.upscale

    def counting(self, pixels, *arguments):
        sizes.append(pixels.shape[:2])
        return upscale(self, pixels, *arguments)

    monkeypatch.setattr(Network, "upscale", counting)
    return sizes


def _files(folder):
    return sorted(path.name for path in folder.glob("*.ppm"))


@pytest.mark.parametrize("self_ensemble", [False, True])
def test_the_outputs_are_those_of_the_network(
    path, pairs, tmp_path, self_ensemble
):
    teacher = Teacher(path, 2, self_ensemble)
    taught = teacher.teach(pairs, tmp_path / "cache")
    network = load_network(path, self_ensemble=self_ensemble)
    for before, pair in zip(pairs, taught, strict=True):
        expected = network.upscale(data.to_rgb(before.lr))
        np.testing.assert_array_equal(pair.teacher, expected)
        assert pair.teacher.shape == (*pair.hr.shape[:2], 3)
        assert dataclasses.replace(pair, teacher=None) == before
    for name in _files(tmp_path / "cache"):
        photograph = data.read_photograph(tmp_path / "cache" / name)
        assert photograph.pixels.dtype == np.uint8


def test_a_bundled_network_can_teach(pairs, tmp_path):
    teacher = Teacher("x2_fast", 2, False)
    *_, pair = teacher.teach(pairs[-1:], tmp_path)
    assert pair.teacher.shape == (40, 44, 3)


def test_a_tflite_file_can_teach(pairs, tmp_path):
    keras.utils.set_random_seed(0)
    model = models.edsr(scale=2, features=4, blocks=1)
    write_tflite(model, tmp_path / "teacher.tflite")
    teacher = Teacher(str(tmp_path / "teacher.tflite"), 2, False)
    taught = teacher.teach(pairs, tmp_path / "cache")
    assert [p.teacher.shape for p in taught] == [(48, 60, 3), (40, 36, 3)] + [
        (40, 44, 3)
    ]


def test_outputs_are_made_once(path, pairs, tmp_path, enlarged):
    first = Teacher(path, 2).teach(pairs, tmp_path / "cache")
    assert len(enlarged) == 3
    again = Teacher(path, 2).teach(pairs[::-1], tmp_path / "cache")
    assert len(enlarged) == 3
    for a, b in zip(first, again[::-1], strict=True):
        np.testing.assert_array_equal(a.teacher, b.teacher)


def test_two_trainings_at_once_share_the_work(path, pairs, tmp_path, enlarged):
    teachers = [Teacher(path, 2), Teacher(path, 2)]
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        first, second = threads.map(
            lambda teacher: teacher.teach(pairs, tmp_path / "cache"), teachers
        )
    assert len(enlarged) == 3
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.teacher, b.teacher)


def test_what_is_missing_is_made_again(path, pairs, tmp_path, enlarged):
    folder = tmp_path / "cache"
    first = Teacher(path, 2).teach(pairs, folder)
    names = _files(folder)
    (folder / names[1]).unlink()
    (folder / f".partial-{names[1]}").write_bytes(b"P6\nhalf")
    again = Teacher(path, 2).teach(pairs, folder)
    assert len(enlarged) == 4
    assert _files(folder) == names
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.teacher, b.teacher)


def test_another_teacher_setting_or_photograph_has_another_file(
    path, pairs, tmp_path, enlarged
):
    folder = tmp_path / "cache"
    Teacher(path, 2).teach(pairs, folder)
    Teacher(path, 2, self_ensemble=False).teach(pairs, folder)
    _teacher(path, seed=1)
    Teacher(path, 2).teach(pairs, folder)
    changed = dataclasses.replace(pairs[0], lr=255 - pairs[0].lr)
    Teacher(path, 2).teach([changed], folder)
    assert len(enlarged) == len(_files(folder)) == 10


def test_prepared_photographs_have_the_same_outputs(
    path, pairs, tmp_path, enlarged
):
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, tmp_path / "p")
    Teacher(path, 2).teach(pairs, tmp_path / "cache")
    prepared = data.load_pairs(str(tmp_path / "p"), "train", 2)
    Teacher(path, 2).teach(prepared, tmp_path / "cache")
    assert len(enlarged) == 3


def test_stops_in_time(path, pairs, tmp_path, enlarged):
    folder = tmp_path / "cache"
    assert Teacher(path, 2).teach(pairs, folder, time.monotonic()) is None
    # Each call enlarges at least one, so repeated calls come to an end.
    assert len(enlarged) == 1
    Teacher(path, 2).teach(pairs, folder)
    # Cached images take no time.
    assert Teacher(path, 2).teach(pairs, folder, time.monotonic())


def test_another_file_under_the_name_is_refused(path, pairs, tmp_path):
    folder = tmp_path / "cache"
    Teacher(path, 2).teach(pairs, folder)
    (folder / _files(folder)[0]).write_bytes(b"P6\n3 3\n255\n")
    message = r"a-.*ppm: is not a PPM file of 60x48"
    with pytest.raises(InputError, match=message):
        Teacher(path, 2).teach(pairs, folder)


def test_a_training_does_not_go_on_with_another_teacher(config, tmp_path):
    # It stops after the first epoch.
    while train(config, tmp_path / "workdir", until=time.monotonic()) is None:
        if (tmp_path / "workdir" / "checkpoint.keras").exists():
            break
    _teacher(config.teacher.model, seed=1)
    message = "--config.teacher.model: is another network than when .*workdir"
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "workdir")


def test_the_workdir_is_no_folder_for_outputs(config, tmp_path):
    with config.unlocked():
        config.teacher.cache = str(tmp_path / "workdir")
    with pytest.raises(InputError, match="cache: is the --workdir, expected"):
        train(config, tmp_path / "workdir")


@pytest.mark.long
def test_training_learns_from_the_teacher_and_goes_on_the_same(
    config, tmp_path, enlarged
):
    whole = train(config, tmp_path / "whole").get_weights()
    # Three images for the teacher, and three for each of four scores.
    assert len(enlarged) == 3 + 12
    assert len(_files(tmp_path / "whole" / "teacher")) == 3
    enlarged.clear()
    train(config, tmp_path / "whole")
    assert not enlarged
    config.teacher.weight = 0.0
    without = train(config, tmp_path / "without").get_weights()
    assert not np.array_equal(whole[0], without[0])
    with config.unlocked():
        del config.teacher
    plain = train(config, tmp_path / "plain").get_weights()
    for a, b in zip(without, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.long
def test_trainings_share_a_cache(config, tmp_path, enlarged):
    with config.unlocked():
        config.teacher.cache = str(tmp_path / "cache")
    first = train(config, tmp_path / "first").get_weights()
    enlarged.clear()
    second = train(config, tmp_path / "second").get_weights()
    assert len(enlarged) == 12
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "first" / "teacher").exists()


@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_weights(config, tmp_path):
    with config.unlocked():
        config.teacher.cache = None
        config.loss = "l1_fft"
    config.steps = 24
    whole = train(config, tmp_path / "whole").get_weights()
    workdir = tmp_path / "killed"
    file = tmp_path / "config.py"
    file.write_text(
        "import json\n"
        "from ml_collections import ConfigDict\n"
        "def get_config():\n"
        f"    return ConfigDict(json.loads({config.to_json()!r}))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "issp_keras.programs.train"]
        + [f"--config={file}", f"--workdir={workdir}"]
    )
    while not (workdir / "checkpoint.keras").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (workdir / "model.keras").exists()
    resumed = train(config, workdir).get_weights()
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model", "nowhere.keras", "nowhere.keras: no such file"),
        ("model", None, "--config.teacher.model: is None, expected the path"),
        ("model", __file__, "test_teacher.py: is not a Keras model"),
        ("weight", 1.5, "--config.teacher.weight: is 1.5, expected a number"),
        ("weight", None, "--config.teacher.weight: is None, expected"),
        ("self_ensemble", "yes", "self_ensemble: is 'yes', expected True or"),
        ("self_ensemble", 0, "self_ensemble: is 0, expected True or False"),
        ("cache", __file__, "test_teacher.py: is not a folder"),
        ("cache", 1, "--config.teacher.cache: is 1, expected the path"),
        (
            "wieght",
            0.5,
            "--config.teacher.wieght: is not an entry, expected one",
        ),
    ],
)
def test_refuses_bad_entries_before_it_writes(
    config, tmp_path, name, value, message
):
    with config.ignore_type(), config.unlocked():
        config.teacher[name] = value
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "workdir")
    assert not (tmp_path / "workdir").exists()


def test_refuses_a_teacher_that_is_no_group_or_of_another_scale(
    config, tmp_path
):
    _teacher(config.teacher.model, scale=3)
    with pytest.raises(InputError, match="enlarges 3 times, expected 2 times"):
        train(config, tmp_path / "workdir")
    with config.ignore_type():
        config.teacher = "teacher.keras"
    with pytest.raises(InputError, match=r"--config.teacher: is 'teacher\.k"):
        train(config, tmp_path / "workdir")
    assert not (tmp_path / "workdir").exists()
