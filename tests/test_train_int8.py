"""The training program simulates int8 after the zeros are final."""

import csv
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import programs
import pytest

from issp_keras.activation_ranges import trained_ranges
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.models import load_model
from issp_keras.programs import configuration
from issp_keras.programs.train import train
from issp_keras.tflite import flatbuffer

EDSR_SMALL = pathlib.Path(__file__).parent.parent / "configs/edsr_small.py"
SMALL = {
    "steps": 12,
    "steps_per_epoch": 3,
    "network.features": 4,
    "network.blocks": 1,
    "data.patch_size": 8,
    "data.batch_size": 2,
    "sparsity.end_step": 5,
    "simulated_int8.begin_step": 7,
}


@pytest.fixture
def config(folder_of_photographs):
    config = runpy.run_path(str(EDSR_SMALL))["get_config"]()
    config.update_from_flattened_dict(SMALL)
    config.data.train = str(folder_of_photographs)
    config.data.held_out = str(folder_of_photographs)
    return config


def _flags(photographs, workdir):
    entries = {
        **SMALL,
        "data.train": photographs,
        "data.held_out": photographs,
    }
    return [
        f"--config={EDSR_SMALL}",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in entries.items()),
    ]


def _assert_same(first, second):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert trained_ranges(first) == trained_ranges(second)
    assert trained_ranges(first)


def _in_pieces(config, workdir):
    """Trains with a new call for each epoch. Returns network and calls."""
    for calls in range(1, 99):
        network = train(config, workdir, until=time.monotonic())
        if network is not None:
            return network, calls
    pytest.fail("the training never ends")


@pytest.mark.long
def test_flags_train_for_int8_and_the_file_is_exported(
    folder_of_photographs, tmp_path
):
    workdir = tmp_path / "workdir"
    with programs.started() as run:
        trained = run(
            "train", *_flags(folder_of_photographs, workdir), cwd=tmp_path
        )
        assert trained.returncode == 0, trained.stderr
        exported = run(
            "tflite.programs.export",
            workdir / "model.keras",
            "--precision=int8",
            f"--calibration={folder_of_photographs}",
            f"--data={folder_of_photographs}",
            "--tolerance=1",
            cwd=tmp_path,
        )
    assert exported.returncode == 0, exported.stderr
    model = load_model(workdir / "model.keras")
    assert trained_ranges(model)
    for kernel in prunable_kernels(model):
        assert np.mean(kernel.numpy() == 0) >= 0.89
    path = workdir / "model_int8_sparse.tflite"
    (graph,) = flatbuffer.read(path).subgraphs
    assert any(tensor.sparsity is not None for tensor in graph.tensors)


def test_int8_is_simulated_from_its_first_step_on(config, tmp_path):
    losses, weights = [], []
    for begin_step in (6, 9):
        workdir = tmp_path / str(begin_step)
        config.simulated_int8.begin_step = begin_step
        weights.append(train(config, workdir).get_weights())
        with (workdir / "metrics.csv").open(newline="") as file:
            losses.append([row["loss"] for row in csv.DictReader(file)])
    # With epochs of 3 steps, int8 begins with the third or fourth epoch.
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2] != losses[1][2]
    assert not all(map(np.array_equal, *weights))


@pytest.mark.long
@pytest.mark.parametrize("changes", [{}, {"ema_momentum": 0.5}])
def test_a_training_in_pieces_becomes_the_same(config, tmp_path, changes):
    with config.unlocked():
        config.update(changes)
    whole = train(config, tmp_path / "whole")
    resumed, calls = _in_pieces(config, tmp_path / "pieces")
    assert calls == 4
    _assert_same(whole, resumed)
    # A training that is over gives the same network.
    _assert_same(whole, train(config, tmp_path / "whole"))
    _assert_same(whole, load_model(tmp_path / "pieces" / "model.keras"))


@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_weights_and_ranges(
    config, folder_of_photographs, tmp_path
):
    whole = train(config, tmp_path / "whole")
    workdir = tmp_path / "killed"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "issp_keras.programs.train"),
            *_flags(folder_of_photographs, workdir),
        ]
    )
    while not (workdir / "checkpoint.keras").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (workdir / "model.keras").exists()
    _assert_same(whole, train(config, workdir))


def test_a_dense_training_may_begin_at_once(config, tmp_path):
    config.sparsity.method = "dense"
    config.simulated_int8.begin_step = 0
    assert trained_ranges(train(config, tmp_path))


def test_a_workdir_without_int8_is_not_gone_on_with(config, tmp_path):
    config.simulated_int8.begin_step = None
    train(config, tmp_path / "float")
    (tmp_path / "int8").mkdir()
    shutil.copy(tmp_path / "float" / "config.json", tmp_path / "int8")
    config.simulated_int8.begin_step = 7
    with pytest.raises(
        InputError, match="was started with another config: simu"
    ):
        train(config, tmp_path / "int8")


def test_an_entry_without_a_step_changes_no_digest(config):
    config.simulated_int8.begin_step = None
    without = config.copy_and_resolve_references()
    with without.unlocked():
        del without.simulated_int8
    assert configuration.digest(config) == configuration.digest(without)
    config.simulated_int8.begin_step = 7
    assert configuration.digest(config) != configuration.digest(without)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("begin_step", 4, "is 4, expected .* at least 5 and below 12"),
        ("begin_step", 12, "is 12, expected .* at least 5 and below 12"),
        ("begin_step", 7.5, r"begin_step: is 7\.5, expected a step of the"),
        ("begin_step", True, "begin_step: is True, expected a step of the"),
        ("begin_step", "end", "begin_step: is 'end', expected a step of the"),
        ("momentum", 1.0, r"--config.simulated_int8: .*momentum=1\.0"),
        ("momentum", "fast", "--config.simulated_int8: "),
        (
            "end_step",
            9,
            "simulated_int8.end_step: is not an entry, expected one",
        ),
        (None, 7, "--config.simulated_int8: is 7, expected a group with the"),
    ],
)
def test_refuses_bad_entries_before_it_writes(
    config, tmp_path, entry, value, message
):
    with config.ignore_type(), config.unlocked():
        if entry is None:
            config.simulated_int8 = value
        else:
            config.simulated_int8[entry] = value
    with pytest.raises(InputError, match=message) as refusal:
        train(config, tmp_path / "workdir")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "workdir").exists()


def test_refuses_mixed_precision_beside_it(config, tmp_path):
    with config.unlocked():
        config.dtype_policy = "mixed_bfloat16"
    with pytest.raises(InputError, match=r"dtype_policy: is 'mixed_bfloat16'"):
        train(config, tmp_path / "workdir")
