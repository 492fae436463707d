"""The training program on tiny networks and photographs."""

import csv
import functools
import gc
import importlib.util
import json
import math
import operator
import os
import pathlib
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from killed_trainings import differences
from marks import LONG
from ml_collections import ConfigDict

from issp_keras import data
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.models import load_model
from issp_keras.programs import configuration
from issp_keras.programs import interrupts
from issp_keras.programs.interrupts import Terminated
from issp_keras.programs.train import train

EDSR_SMALL = pathlib.Path(__file__).parent.parent / "configs/edsr_small.py"


_SPARSITY = {"target_sparsity": 0.9, "begin_step": 0}


def _tiny_config(photographs):
    config = runpy.run_path(str(EDSR_SMALL))["get_config"]()
    config.steps = 12
    config.steps_per_epoch = 3
    config.network.features = 4
    config.network.blocks = 1
    config.data.train = str(photographs)
    config.data.held_out = str(photographs)
    config.data.patch_size = 8
    config.data.batch_size = 2
    config.sparsity.end_step = 7
    return config


@pytest.fixture
def config(shared_photographs):
    return _tiny_config(shared_photographs)


@pytest.fixture(scope="module")
def trained(shared_photographs, tmp_path_factory):
    """The weights of a whole training, and the folder that it leaves."""
    workdir = tmp_path_factory.mktemp("trained") / "new" / "workdir"
    network = train(_tiny_config(shared_photographs), workdir)
    return network.get_weights(), workdir


@pytest.fixture
def workdir(trained, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(trained[1], tmp_path / "workdir")


def _epochs(workdir):
    with (workdir / "metrics.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_leaves_a_sparse_model_and_its_history(workdir):
    model = keras.models.load_model(workdir / "model.keras")
    assert not hasattr(model, "optimizer")
    for kernel in prunable_kernels(model):
        values = kernel.numpy()
        count = min(math.ceil(0.9 * values.size), int(0.995 * values.size))
        assert np.count_nonzero(values == 0) == count
    assert _epochs(workdir) == [0, 1, 2, 3]
    with (workdir / "metrics.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    names = {"epoch", "loss", "cpu_seconds", "val_psnr", "val_ssim"}
    assert set(row) == names
    is_logged = any((workdir / "tensorboard").rglob("events.out.tfevents.*"))
    assert is_logged == (importlib.util.find_spec("tensorboard") is not None)
    assert json.loads((workdir / "config.json").read_text())["steps"] == 12
    assert not list(workdir.glob(".partial*"))


@pytest.mark.versions
def test_trains_with_every_part_that_a_config_can_name(config, tmp_path):
    with config.unlocked():
        config.sparsity.distribution = "map"
        config.sparsity.map = {"sparsities": ((r"body\.", 0.5),)}
        config.sparsity.exclude = "conv_last"
        config.sparsity.optimizer_slots = "zero"
    network = train(config, tmp_path)
    shares = {
        layer.name: np.mean(layer.kernel.numpy() == 0)
        for layer in network.layers
        if hasattr(layer, "kernel")
    }
    assert shares["conv_last"] == 0
    assert shares["body.0.conv1"] == shares["body.0.conv2"] == 0.5
    assert shares["conv_first"] >= 0.9


def test_trains_on_the_loss_that_a_config_names(config, trained, tmp_path):
    plain, _ = trained
    losses = {}
    for name in ("l1", "l1_fft"):
        with config.unlocked():
            config.loss = name
        weights = train(config, tmp_path / name).get_weights()
        losses[name] = weights
        # The second call reads the checkpoint, with its loss.
        again = train(config, tmp_path / name).get_weights()
        for a, b in zip(weights, again, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(plain, losses["l1"], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(losses["l1"][0], losses["l1_fft"][0])


def test_prepared_photographs_train_to_the_same_weights(
    config, trained, tmp_path
):
    expected, _ = trained
    pairs = data.load_pairs(config.data.train, "train", 2)
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, tmp_path / "p")
    config.data.train = str(tmp_path / "p")
    found = train(config, tmp_path / "mapped").get_weights()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_epoch_is_told_in_one_line(config, tmp_path, capsys):
    train(config, tmp_path)
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"(Step \d+ of 12: loss [\d.]+, [\d.]+ dB held out; \d+ s\.\n){4}", out
    )
    assert [line.split()[1] for line in out.splitlines()] == [
        *("3", "6", "9", "12")
    ]
    assert "Epoch" not in err


def test_a_second_run_changes_nothing(config, trained, workdir):
    first, _ = trained
    second = train(config, workdir).get_weights()
    model = keras.models.load_model(workdir / "model.keras")
    assert not hasattr(model, "optimizer")
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert _epochs(workdir) == [0, 1, 2, 3]


def test_a_second_run_has_the_averages_too(config, tmp_path):
    with config.unlocked():
        config.ema_momentum = 0.5
    first = train(config, tmp_path).get_weights()
    checkpoint = keras.models.load_model(tmp_path / "checkpoint.keras")
    assert not np.array_equal(first[0], checkpoint.get_weights()[0])
    second = train(config, tmp_path).get_weights()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_training_may_have_no_held_out_photographs(config, tmp_path):
    config.data.held_out = ""
    train(config, tmp_path)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert {row["val_psnr"] for row in csv.DictReader(file)} == {"nan"}


@pytest.mark.versions
def test_a_killed_run_goes_on_to_the_same_weights(
    config, tmp_path, shared_photographs
):
    config.steps = 24
    train(config, tmp_path / "whole")
    workdir = tmp_path / "killed"
    arguments = [
        f"--config={EDSR_SMALL}",
        f"--workdir={workdir}",
        f"--config.data.train={shared_photographs}",
        f"--config.data.held_out={shared_photographs}",
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
        [sys.executable, "-m", "issp_keras.programs.train", *arguments]
    )
    while not (workdir / "checkpoint.keras").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (workdir / "model.keras").exists()
    train(config, workdir)
    assert differences(tmp_path / "whole", workdir) == []
    assert _epochs(workdir) == list(range(8))
    # The comparison sees one changed weight, and one changed line.
    model = load_model(workdir / "model.keras")
    kernel = model.trainable_variables[0]
    kernel.assign(kernel + 1e-6)
    model.save(workdir / "model.keras")
    with (workdir / "metrics.csv").open("a") as file:
        file.write("8\n")
    weights, metrics = differences(tmp_path / "whole", workdir)
    assert weights.startswith("model.keras: ")
    assert metrics == "metrics.csv differs"


class _Terminates(keras.callbacks.Callback):
    """Sends SIGTERM to this process in one of its steps, counted from 1."""

    def __init__(self, step):
        super().__init__()
        self._left = step

    def on_train_batch_begin(self, batch, logs=None):
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGTERM)


# The steps of each run, before the run that ends. An epoch has 3 steps.
@pytest.mark.parametrize(
    ("runs", "done", "epochs", "changes"),
    [
        # Twice in the same epoch.
        ((4, 1), 5, 1, {}),
        # After the last step of an epoch, it ends in the next one.
        pytest.param((3,), 4, 1, {}, marks=LONG),
        # The last epoch, after which averages replace the weights.
        pytest.param((11,), 11, 3, {"ema_momentum": 0.9}, marks=LONG),
        # No callback makes the variables of the optimizer.
        pytest.param(
            *((4, 1), 5, 1, {"sparsity": {"method": "dense"}}), marks=LONG
        ),
        pytest.param(
            (4, 1),
            5,
            1,
            {
                "sparsity": {"method": "dense"},
                "simulated_int8": {"begin_step": 2},
            },
            marks=LONG,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_terminated_run_keeps_its_steps(
    runs, done, epochs, changes, config, trained, tmp_path
):
    whole = trained[1]
    if changes:
        config.update(changes)
        whole = tmp_path / "whole"
        train(config, whole)
    workdir = tmp_path / "terminated"
    for steps in runs:
        with interrupts.raising(), pytest.raises(Terminated):
            train(config, workdir, callbacks=[_Terminates(steps)])
        # Keras leaves `metrics.csv` open.
        gc.collect()
    checkpoint = keras.models.load_model(workdir / "checkpoint.keras")
    assert int(checkpoint.optimizer.iterations) == done
    assert _epochs(workdir) == list(range(epochs))
    assert not (workdir / "model.keras").exists()
    train(config, workdir)
    assert differences(whole, workdir) == []
    assert _epochs(workdir) == [0, 1, 2, 3]
    assert not list(workdir.glob("part_epoch*"))


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_terminated_run_may_go_on_with_more_steps_at_once(
    config, trained, tmp_path
):
    with interrupts.raising(), pytest.raises(Terminated):
        train(config, tmp_path, callbacks=[_Terminates(4)])
    gc.collect()
    # 2 steps of the epoch are left.
    config.steps_per_execution = 3
    train(config, tmp_path)
    checkpoint = keras.models.load_model(tmp_path / "checkpoint.keras")
    assert int(checkpoint.optimizer.iterations) == 12
    assert _epochs(tmp_path) == [0, 1, 2, 3]
    found = load_model(tmp_path / "model.keras").get_weights()
    # Several steps at once are compiled and rounded in another way.
    for a, b in zip(found, trained[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_steps_that_float16_leaves_out_are_made_up_for(
    config, tmp_path, monkeypatch
):
    config.dtype_policy = "mixed_float16"
    config.sparsity.end_step = config.steps
    make = configuration.optimizer
    # Gradients overflow in the first steps. The scale then is halved.
    monkeypatch.setattr(
        configuration,
        "optimizer",
        lambda config: keras.optimizers.LossScaleOptimizer(
            make(config), initial_scale=2.0**30
        ),
    )
    updates = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            updates.append(int(self.model.optimizer.iterations))

    network = train(config, tmp_path, callbacks=[Count()])
    assert updates[0] == 0 and updates[-1] == 12 < len(updates)
    for kernel in prunable_kernels(network):
        assert np.mean(kernel.numpy() == 0) > 0.89
    assert _epochs(tmp_path) == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_run_may_be_killed_while_it_saves_a_part_of_an_epoch(
    config, trained, tmp_path
):
    for name, steps in (("earlier", 4), ("later", 5)):
        with interrupts.raising(), pytest.raises(Terminated):
            train(config, tmp_path / name, callbacks=[_Terminates(steps)])
        gc.collect()
    # The part of the later checkpoint is there, but not the checkpoint.
    part = "part_epoch_5.npz"
    shutil.copy(tmp_path / "later" / part, tmp_path / "earlier")
    train(config, tmp_path / "earlier")
    assert differences(trained[1], tmp_path / "earlier") == []
    (tmp_path / "later" / part).write_bytes(b"no numbers")
    with pytest.raises(InputError, match=f"{part}: is not a readable part"):
        train(config, tmp_path / "later")


def test_a_run_that_was_killed_in_its_first_epoch_begins_again(
    config, trained, tmp_path
):
    workdir = tmp_path / "killed"
    workdir.mkdir()
    (workdir / "metrics.csv").touch()
    shutil.copy(trained[1] / "config.json", workdir)
    (workdir / ".partial-checkpoint.keras").write_bytes(b"half a checkpoint")
    train(config, workdir)
    assert _epochs(workdir) == [0, 1, 2, 3]
    assert not list(workdir.glob(".partial*"))


def test_the_rate_is_constant_until_end_step_and_then_falls_to_0(
    workdir,
):
    model = keras.models.load_model(workdir / "checkpoint.keras")
    rate = model.optimizer.get_config()["learning_rate"]["config"]
    rate = keras.optimizers.schedules.CosineDecay(**rate)
    rates = [float(rate(step)) for step in (0, 3, 7, 9, 12)]
    assert rates[:3] == pytest.approx([0.001] * 3)
    assert 0 < rates[3] < 0.001
    assert rates[4] == pytest.approx(0)


def test_a_training_that_diverges_is_ended_before_its_checkpoint(
    config, tmp_path
):
    config.learning_rate = 1e30
    with pytest.raises(InputError, match=r"training at 1e\+30 diverged"):
        train(config, tmp_path)
    assert not (tmp_path / "model.keras").exists()
    assert not (tmp_path / "checkpoint.keras").exists()


# A whole row, and one of epoch 10 of which a kill left the first digit.
@pytest.mark.parametrize("end", ["4,0.1,30.0,0.9\n\n", "1"])
def test_rows_of_an_epoch_without_checkpoint_are_written_once(
    end, config, workdir
):
    path = workdir / "metrics.csv"
    path.write_text(path.read_text() + end)
    train(config, workdir)
    assert _epochs(workdir) == [0, 1, 2, 3]


def test_a_workdir_where_another_training_is_at_work_is_refused(
    config, tmp_path
):
    refusals = []

    def train_too(epoch, logs):
        with pytest.raises(InputError, match="another process uses") as refusal:
            train(config, tmp_path)
        refusals.append(str(refusal.value))

    also = keras.callbacks.LambdaCallback(on_epoch_end=train_too)
    train(config, tmp_path, callbacks=[also])
    assert len(refusals) == 4
    assert refusals[0].startswith(f"{tmp_path}: another process")
    assert _epochs(tmp_path) == [0, 1, 2, 3]
    # It is free again.
    assert train(config, tmp_path) is not None


def test_a_workdir_of_another_config_is_refused(config, workdir):
    config.seed = 11
    with pytest.raises(InputError, match=r"seed \(10 before, 11 now\)"):
        train(config, workdir)


def test_a_checkpoint_of_another_network_is_refused(config, trained, tmp_path):
    config.network.features = 5
    train(config, tmp_path)
    shutil.copy(trained[1] / "checkpoint.keras", tmp_path)
    with pytest.raises(InputError, match="is not a checkpoint of this"):
        train(config, tmp_path)


@pytest.mark.parametrize("name", ["config.json", "metrics.csv"])
def test_a_broken_workdir_is_refused(config, workdir, name):
    (workdir / name).write_text("[1, 2]\nno,sense\n")
    with pytest.raises(InputError, match=f"{name}: is not a"):
        train(config, workdir)


def test_a_broken_checkpoint_is_refused(config, workdir):
    checkpoint = workdir / "checkpoint.keras"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"checkpoint\.keras: is not a"):
        train(config, workdir)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("sparsity.target_sparsity", 1.0, "--config.sparsity: .*below 1"),
        ("sparsity.target_sparsity", -0.1, "--config.sparsity: .*at least 0"),
        ("sparsity.begin_step", 9, "begin_step < end_step"),
        ("sparsity.end_step", 13, "end_step: is 13, expected at most the 12"),
        ("sparsity.end_step", 0.8, "end_step: is 0.8, expected a whole number"),
        ("sparsity.iss_p.shrink_ratio", 1.5, "sparsity.iss_p: .*ratio=1.5"),
        ("sparsity.method", "best", "is 'best', expected one of ac_dc, assl"),
        (
            "sparsity.distributon",
            "erk",
            "distributon: is not an entry, expected",
        ),
        ("halve_at", (5, 3), r"--config.halve_at: is \(5, 3\), expected a"),
        ("sparsity.pattern", "2:4", "pattern: is '2:4', expected one of"),
        ("steps", 13, "--config.steps: is 13, expected a multiple"),
        ("network.name", "resnet", "is 'resnet', expected one of abpn, "),
        ("network.scale", 5, "--config.network: .*scale=5"),
        ("data.patch_size", 25, "holds no photograph of at least 50x50 pixels"),
        ("data.train", "nowhere", "nowhere: no such folder"),
        ("data.held_out", "nowhere", "nowhere: no such folder"),
        ("data.train", None, "--config.data.train: is None, expected a text"),
        ("network.name", [], r"--config.network.name: is '\[\]', expected one"),
        ("network.scale", 0, "--config.network: .*scale=0"),
        ("data.batch_size", 0, "--config.data.batch_size: is 0"),
        ("seed", -1, "--config.seed: is -1"),
        ("steps", 12.0, "--config.steps: is 12.0, expected a positive whole"),
        ("sparsity", 0.9, "--config: has no group 'sparsity'"),
        ("loss", "l2", "--config.loss: is 'l2', expected one of l1, l1_fft"),
        ("learning_rate", -1.0, r"--config.learning_rate: is -1\.0"),
        (
            "sparsity.exclude",
            len,
            "exclude: is <built-in.*, expected a regular",
        ),
        (
            "sparsity",
            ConfigDict(_SPARSITY | {"method": "dense", "end_step": 13}),
            "end_step: is 13, expected .* 0 to the 12 .* or a --config.decay_b",
        ),
        (
            "network.reparameterized",
            True,
            "reparameterized: is for dense trainings, .*method=dense",
        ),
    ],
)
def test_refuses_bad_entries_before_it_writes(
    config, tmp_path, entry, value, message
):
    *groups, name = entry.split(".")
    with config.ignore_type(), config.unlocked():
        functools.reduce(operator.getitem, groups, config)[name] = value
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "workdir")
    assert not (tmp_path / "workdir").exists()


def test_the_seed_of_a_part_is_that_of_the_training(config):
    with config.unlocked():
        config.sparsity.method = "random"
        assert configuration.sparse_training(config).method.seed == config.seed
        config.sparsity.random = {"seed": 3}
    assert configuration.sparse_training(config).method.seed == 3


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_training_does_not_go_on_with_other_photographs(
    config, tmp_path, shared_photographs
):
    photographs = tmp_path / "photographs"
    shutil.copytree(shared_photographs, photographs)
    config.data.train = str(photographs)
    workdir = tmp_path / "workdir"
    with interrupts.raising(), pytest.raises(Terminated):
        train(config, workdir, callbacks=[_Terminates(4)])
    gc.collect()
    (first, *_) = sorted(photographs.iterdir())
    shutil.copy(first, photographs / f"another{first.suffix}")
    message = "--config.data.train: has other photographs than when .*workdir"
    with pytest.raises(InputError, match=message):
        train(config, workdir)
    (photographs / f"another{first.suffix}").unlink()
    (workdir / "inputs.json").write_text("[]")
    with pytest.raises(InputError, match=r"inputs\.json: is not readable"):
        train(config, workdir)


@pytest.mark.parametrize("end_step", ["soon", -7, 0.5])
def test_a_dense_training_counts_halvings_from_a_step(
    config, tmp_path, end_step
):
    config.sparsity.method = "dense"
    config.halve_at = (2,)
    with config.ignore_type():
        config.sparsity.end_step = end_step
    message = (
        rf"--config.sparsity.end_step: is .*{end_step}.*, expected a whole"
    )
    with pytest.raises(InputError, match=f"{message} .*halve_at") as raised:
        train(config, tmp_path / "run")
    # It has no influence there.
    assert "decay_begin" not in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("entry", ["seed", "sparsity", "data.held_out"])
def test_refuses_a_config_that_lacks_an_entry(config, tmp_path, entry):
    group, _, name = entry.rpartition(".")
    with config.unlocked():
        del (config[group] if group else config)[name]
    with pytest.raises(InputError, match=f"has no (entry|group) '{entry}"):
        train(config, tmp_path)


def test_refuses_a_workdir_it_cannot_write_to(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is not a folder"):
        train(config, tmp_path / "file")
    with pytest.raises(InputError, match="in: is not a folder"):
        train(config, tmp_path / "file" / "in")
