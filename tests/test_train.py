"""The training program on tiny networks and photographs."""

import csv
import json
import math
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

from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.train import train

QUICKSTART = pathlib.Path(__file__).parent.parent / "configs/quickstart.py"


@pytest.fixture
def config(folder_of_photographs):
    config = runpy.run_path(str(QUICKSTART))["get_config"]()
    config.steps = 12
    config.steps_per_epoch = 3
    config.network.features = 4
    config.network.blocks = 1
    config.data.train = str(folder_of_photographs)
    config.data.held_out = str(folder_of_photographs)
    config.data.patch_size = 8
    config.data.batch_size = 2
    config.sparsity.end_step = 7
    return config


def _epochs(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_leaves_a_sparse_model_and_its_history(config, tmp_path):
    workdir = tmp_path / "new" / "workdir"
    train(config, workdir)
    model = keras.models.load_model(workdir / "model.keras")
    for kernel in prunable_kernels(model):
        values = kernel.numpy()
        count = min(math.ceil(0.9 * values.size), int(0.995 * values.size))
        assert np.count_nonzero(values == 0) == count
    assert _epochs(workdir) == [0, 1, 2, 3]
    with (workdir / "metrics.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert set(row) == {"epoch", "loss", "val_psnr", "val_ssim"}
    assert any((workdir / "tensorboard").rglob("events.out.tfevents.*"))
    assert json.loads((workdir / "config.json").read_text())["steps"] == 12
    assert not list(workdir.glob(".partial*"))


def test_a_second_run_changes_nothing(config, tmp_path):
    first = train(config, tmp_path).get_weights()
    second = train(config, tmp_path).get_weights()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert _epochs(tmp_path) == [0, 1, 2, 3]


def test_a_killed_run_goes_on_to_the_same_weights(
    config, tmp_path, folder_of_photographs
):
    config.steps = 24
    whole = train(config, tmp_path / "whole").get_weights()
    workdir = tmp_path / "killed"
    arguments = [
        f"--config={QUICKSTART}",
        f"--workdir={workdir}",
        f"--config.data.train={folder_of_photographs}",
        f"--config.data.held_out={folder_of_photographs}",
    ] + [
        f"--config.{name}={value}"
        for name, value in {
            "steps": 24,
            "steps_per_epoch": 3,
            "network.features": 4,
            "network.blocks": 1,
            "data.patch_size": 8,
            "data.batch_size": 2,
            "sparsity.end_step": 7,
        }.items()
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "issp_keras.train", *arguments]
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
    assert _epochs(workdir) == list(range(8))


def test_rows_of_an_epoch_without_checkpoint_are_written_once(config, tmp_path):
    train(config, tmp_path)
    path = tmp_path / "metrics.csv"
    path.write_text(path.read_text() + "4,0.1,30.0,0.9\n")
    train(config, tmp_path)
    assert _epochs(tmp_path) == [0, 1, 2, 3]


def test_a_workdir_of_another_config_is_refused(config, tmp_path):
    train(config, tmp_path)
    config.seed = 11
    with pytest.raises(InputError, match=r"seed \(10 before, 11 now\)"):
        train(config, tmp_path)


def test_a_broken_checkpoint_is_refused(config, tmp_path):
    train(config, tmp_path)
    checkpoint = tmp_path / "checkpoint.keras"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"checkpoint\.keras: is not a"):
        train(config, tmp_path)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("sparsity.target_sparsity", 1.0, "--config.sparsity: .*below 1"),
        ("sparsity.target_sparsity", -0.1, "--config.sparsity: .*at least 0"),
        ("sparsity.begin_step", 9, "begin_step < end_step"),
        ("sparsity.end_step", 13, "end_step: is 13, expected at most the 12"),
        ("sparsity.shrink_ratio", 1.5, "shrink_ratio=1.5"),
        ("steps", 13, "--config.steps: is 13, expected a multiple"),
        ("network.name", "resnet", "is 'resnet', expected one of edsr"),
        ("network.scale", 5, "--config.network: .*scale=5"),
        ("data.patch_size", 21, r"b\.png: is 37x41.*least 42x42"),
        ("data.train", "nowhere", "nowhere: no such folder"),
        ("data.held_out", "nowhere", "nowhere: no such folder"),
        ("data.batch_size", 0, "--config.data.batch_size: is 0"),
        ("learning_rate", -1.0, r"--config.learning_rate: is -1\.0"),
    ],
)
def test_refuses_bad_entries_before_it_writes(
    config, tmp_path, entry, value, message
):
    config.update_from_flattened_dict({entry: value})
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "workdir")
    assert not (tmp_path / "workdir").exists()


def test_refuses_a_workdir_it_cannot_write_to(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is not a folder"):
        train(config, tmp_path / "file")
    with pytest.raises(InputError, match="in: is not a folder"):
        train(config, tmp_path / "file" / "in")
