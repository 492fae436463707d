"""A training that was killed continues as if it had not been killed."""

import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from marks import LONG

from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras import SparsitySummaries
from issp_keras.callbacks import prunable_kernels
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import NM
from issp_keras.sparsity import Latent
from issp_keras.sparsity import Method

HERE = pathlib.Path(__file__)


class Kill(keras.callbacks.Callback):
    """Kills the process while the given epoch runs."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch
        self._running = None

    def on_epoch_begin(self, epoch, logs=None):
        self._running = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._running == self._epoch and batch >= 3:
            os.kill(os.getpid(), signal.SIGKILL)


def _model(optimizer=None, units=16):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(units, "relu", name="mlp"),
            layers.Dense(3, name="head"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse")
    return model


def _callback(method="iss_p", sparsity=0.7, end_step=30, **arguments):
    schedule = ISSPSchedule(sparsity, end_step=end_step)
    if isinstance(method, str):
        method = METHODS[method]()
    return SparseTraining(schedule, method, **arguments)


def _fit(model, callbacks, epochs=5):
    rng = np.random.default_rng(0)
    model.fit(
        rng.normal(size=(80, 4)).astype("float32"),
        rng.normal(size=(80, 3)).astype("float32"),
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def _train(method, folder, kill_in=None):
    """Trains, and resumes a training that was killed."""
    model = _model()
    callbacks = [
        keras.callbacks.BackupAndRestore(str(folder), delete_checkpoint=False),
        _callback(method),
    ]
    if kill_in is not None:
        # The order of callbacks must not matter.
        callbacks = [*callbacks[::-1], Kill(kill_in)]
    _fit(model, callbacks)
    return model


@functools.cache
def _weights_of_whole_run(method):
    model = _model()
    _fit(model, [_callback(method)])
    return model.get_weights()


def _shares_of_zeros(model):
    return [float(np.mean(k.numpy() == 0)) for k in prunable_kernels(model)]


def _serve():
    """Runs the training of each line of standard input. Prints exit codes.

    Each training runs in a fork, which need not import anything again.
    """
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _train(*json.loads(line))
            # With TensorFlow, Python's clean-up takes more than a second.
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@pytest.fixture(scope="module")
def train_elsewhere():
    """Calls `_train` in another process, and returns its exit code."""
    with subprocess.Popen(
        [sys.executable, str(HERE)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def train(*arguments):
            print(json.dumps(arguments), file=server.stdin, flush=True)
            return int(server.stdout.readline())

        yield train
        server.stdin.close()


@pytest.mark.parametrize(
    ("method", "kill_in"),
    [
        ("iss_p", 2),
        ("latent", 1),
        *(
            pytest.param(*of, marks=LONG)
            for of in [("iss_p", 4), ("iss_r", 2), ("srp", 1), ("assl", 2)]
            + [("ac_dc", 1), ("regrowth", 2)]
        ),
    ],
)
def test_resume_equals_uninterrupted_run(
    train_elsewhere, tmp_path, method, kill_in
):
    """Steps 0 to 29 (epochs 0 to 2) shrink weights. The others fine-tune."""
    code = train_elsewhere(method, str(tmp_path), kill_in)
    assert code == -signal.SIGKILL
    resumed = _train(method, tmp_path)
    whole = _weights_of_whole_run(method)
    assert int(keras.ops.copy(resumed.optimizer.iterations)) == 50
    for a, b in zip(whole, resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    found = [int((k.numpy() == 0).sum()) for k in prunable_kernels(resumed)]
    assert found == [45, 34]


@pytest.mark.parametrize("method", ["iss_p", "srp", "latent"])
def test_goes_on_from_any_checkpoint_with_load_weights(tmp_path, method):
    path = tmp_path / "checkpoint.keras"
    whole = _model()
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.keras")
    )
    _fit(whole, [_callback(method), checkpoint])
    (tmp_path / "2.keras").rename(path)
    model, callback = _model(), _callback(method)
    callback.set_model(model)
    model.load_weights(path)
    _fit(model, [callback], epochs=3)
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["iss_p", "srp", "latent"])
def test_shares_are_those_of_the_whole_training(tmp_path, method):
    """Steps before and after the checkpoint count: 50 in all."""
    whole = _model()
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    _fit(whole, [_callback(method, end_step=0.6), save])
    model, callback = _model(), _callback(method, end_step=0.6)
    callback.set_model(model)
    model.load_weights(tmp_path / "2.keras")
    _fit(model, [callback], epochs=3)
    assert callback.pruned_model.pruner.end == 30
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.versions
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("epochs", [1, 5])
def test_a_backup_keeps_the_steps_of_shares(tmp_path, is_first, epochs):
    """The training stops after the first epoch, or after the last one."""

    def fit(share, epochs):
        model, callback = _model(), _callback("srp", end_step=share)
        backup = keras.callbacks.BackupAndRestore(
            str(tmp_path), delete_checkpoint=False
        )
        both = [backup, callback] if is_first else [callback, backup]
        _fit(model, both, epochs)
        return model

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training ended after 10")
        # 30 steps are 0.6 of 5 epochs.
        fit(30 if epochs == 1 else 0.6, epochs)
    model = fit(0.6, 5)
    whole = _model()
    _fit(whole, [_callback("srp", end_step=30)])
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.versions
def test_a_backup_inside_an_epoch_keeps_the_steps_of_shares(tmp_path):
    """Keras repeats the epoch, so there are 4 more steps in all."""

    def fit(*others):
        model, callback = _model(), _callback(end_step=0.6)
        backup = keras.callbacks.BackupAndRestore(
            str(tmp_path), save_freq=4, delete_checkpoint=False
        )
        _fit(model, [callback, backup, *others], 3)
        return model, callback

    # Together, the repeated steps are more than those of an epoch.
    for epoch in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            fit(_Stop(epoch))
    model, callback = fit()
    assert callback.steps() > 40
    # 0.6 of the 30 steps that were planned.
    assert callback.pruned_model.pruner.end == 18
    assert min(_shares_of_zeros(model)) >= 0.7


def test_shares_of_a_training_of_another_length_are_found_anew(tmp_path):
    model = _model()
    with pytest.raises(KeyboardInterrupt):
        _fit(model, [_callback(end_step=0.6), _Stop(epoch=1)])
    done = int(model.optimizer.iterations)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    # A new callback on the same optimizer.
    callback = _callback(end_step=0.9)
    _fit(model, [callback], epochs=1)
    assert callback.pruned_model.pruner.end == round(0.9 * (done + 10))
    assert min(_shares_of_zeros(model)) >= 0.7
    # A checkpoint of a training of 5 epochs.
    longer, callback = _model(), _callback(end_step=0.6)
    callback.set_model(longer)
    longer.load_weights(path)
    with pytest.raises(ValueError, match="The checkpoint has another schedule"):
        _fit(longer, [callback], epochs=10)


def test_a_checkpoint_without_pruning_is_not_finalized(tmp_path):
    path = tmp_path / "model.weights.h5"
    dense = _model()
    dense.optimizer.build(dense.trainable_variables)
    dense.save_weights(path)
    model, callback = _model(), _callback(end_step=20)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback], epochs=1)
    callback.finalize()
    model.load_weights(path)
    _fit(model, [callback], epochs=2)
    assert callback.pruned_model.pruner.end == 20
    assert min(_shares_of_zeros(model)) >= 0.7


def test_the_state_of_a_finalized_training_is_removed_at_the_planned_end():
    model, callback = _model(), _callback("latent", end_step=20)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback], epochs=1)
    callback.finalize()
    assert callback.pruned_model.state is not None
    _fit(model, [callback], epochs=1)
    assert callback.pruned_model.state is None
    assert min(_shares_of_zeros(model)) >= 0.7


@pytest.mark.versions
@pytest.mark.parametrize("method", ["iss_p", "iss_r"])
def test_a_finalized_training_stays_so_when_it_is_resumed(method, tmp_path):
    model, callback = _model(), _callback(method, end_step=100)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback], epochs=1)
    callback.finalize()
    _fit(model, [callback], epochs=1)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    zeros = _shares_of_zeros(model)
    assert min(zeros) >= 0.7

    resumed, callback = _model(), _callback(method, end_step=100)
    callback.set_model(resumed)
    resumed.load_weights(path)
    _fit(resumed, [callback], epochs=1)
    assert _shares_of_zeros(resumed) == zeros


def test_an_earlier_checkpoint_is_not_finalized(tmp_path):
    path = tmp_path / "model.weights.h5"
    model, callback = _model(), _callback(end_step=20)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback], epochs=1)
    model.save_weights(path)
    callback.finalize()
    model.load_weights(path)
    _fit(model, [callback], epochs=1)

    whole = _model()
    _fit(whole, [_callback(end_step=20)], epochs=2)
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_equal_numbers_of_other_types_are_the_same_method(tmp_path):
    path = _checkpoint(tmp_path, method=Latent(3, 1, 1, 2))
    model, callback = _model(), _callback(Latent(np.float64(3), 1.0, 1.0, 2.0))
    callback.set_model(model)
    model.load_weights(path)
    _fit(model, [callback])
    assert min(_shares_of_zeros(model)) >= 0.7


def test_refuses_a_checkpoint_of_a_training_of_another_length(tmp_path):
    path = _checkpoint(tmp_path, end_step=30)
    model, callback = _model(), _callback(end_step=0.6)
    callback.set_model(model)
    model.load_weights(path)
    with pytest.raises(ValueError, match=r"end_step=30.*end_step=24"):
        _fit(model, [callback], epochs=3)


def test_two_fits_with_new_callbacks_equal_one():
    whole, in_two = _model(), _model()
    _fit(whole, [_callback("srp")])
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(in_two, [_callback("srp")], epochs=1)
    _fit(in_two, [_callback("srp")], epochs=4)
    for a, b in zip(whole.get_weights(), in_two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["srp", "iss_r"])
def test_epochs_may_end_between_two_optimizer_steps(tmp_path, method):
    """An epoch has 10 batches, and a step has 3. The state is a step ahead."""

    def model():
        return _model(
            keras.optimizers.Adam(0.01, gradient_accumulation_steps=3)
        )

    whole, resumed = model(), model()
    path = str(tmp_path / "{epoch}.weights.h5")
    save = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    _fit(whole, [_callback(method, end_step=12), save])
    callback = _callback(method, end_step=12)
    callback.set_model(resumed)
    resumed.load_weights(path.format(epoch=2))
    _fit(resumed, [callback], epochs=3)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _checkpoint(tmp_path, **arguments):
    """Weights and optimizer after 10 of 30 steps of the pruning stage."""
    path = str(tmp_path / "latest.weights.h5")
    model = _model()
    save = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [_callback(**arguments), save], epochs=1)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"sparsity": 0.8},
            r"another schedule.*target_sparsity=0\.7.*target_sparsity=0\.8",
        ),
        ({"end_step": 40}, r"another schedule.*end_step=30.*end_step=40"),
        ({"method": "iht"}, r"another method.*ISSP\(.*IHT\("),
        ({"pattern": NM(2, 4)}, r"another pattern.*Unstructured\(.*NM\("),
        ({"exclude": "head"}, "another model.*2 kernels.*1 kernels"),
    ],
)
def test_refuses_a_checkpoint_of_another_training(tmp_path, arguments, message):
    path = _checkpoint(tmp_path)
    model, callback = _model(), _callback(**arguments)
    callback.set_model(model)
    model.load_weights(path)
    with pytest.raises(ValueError, match=message):
        _fit(model, [callback])


def test_refuses_a_backup_of_another_schedule_in_any_order(tmp_path):
    def fit(sparsity, epochs):
        backup = keras.callbacks.BackupAndRestore(
            str(tmp_path), delete_checkpoint=False
        )
        _fit(_model(), [_callback(sparsity=sparsity), backup], epochs)

    with pytest.warns(UserWarning, match="not sparse yet"):
        fit(0.7, epochs=1)
    with pytest.raises(ValueError, match=r"another schedule.*0\.7.*0\.8"):
        fit(0.8, epochs=2)


def test_refuses_to_go_on_without_the_state_of_a_method(tmp_path):
    path = _checkpoint(tmp_path, method="srp")
    model = _model()
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    with pytest.raises(ValueError, match=r"SRP cannot continue.*load_weights"):
        _fit(model, [_callback("srp")])


def test_describes_a_method_of_the_users_own():
    class Mine(Method):
        def __init__(self, strength):
            self.strength = strength

    model, callback = _model(), _callback(Mine(3))
    callback.set_model(model)
    description = model.optimizer.sparse_training._description
    assert description["method"] == "Mine(strength=3)"


@pytest.mark.versions
@pytest.mark.parametrize("method", ["iss_p", "srp"])
def test_what_is_saved_while_training_loads_without_issp_keras(
    tmp_path, method
):
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    model = _model()
    _fit(model, [save, _callback(method)])
    model.save(tmp_path / "6.keras")
    program = """
import sys, warnings
warnings.simplefilter("error", UserWarning)
sys.modules["issp_keras"] = None
import keras
for epoch in range(1, 7):
    model = keras.models.load_model(f"{sys.argv[1]}/{epoch}.keras")
    steps = int(keras.ops.copy(model.optimizer.iterations))
    assert steps == 10 * min(epoch, 5)
    moment = model.optimizer._momentums[0].numpy()
    assert (moment != 0).any()
zeros = [int((layer.kernel.numpy() == 0).sum()) for layer in model.layers]
assert zeros == [45, 34]
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


class _Stop(keras.callbacks.Callback):
    """Stops a training within an epoch, like a kill."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._is_last = epoch == self._epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._is_last and batch == 7:
            raise KeyboardInterrupt


@pytest.mark.versions
@pytest.mark.parametrize(
    ("frequency", "is_saved_first", "first"),
    [("epoch", False, "20"), ("epoch", True, "20"), (3, False, "12")],
)
def test_the_log_of_a_killed_training_is_that_of_a_whole_one(
    tmp_path, frequency, is_saved_first, first
):
    """A training that is killed after 18 of 30 steps continues at step 10."""

    def fit(folder, *others):
        training = _callback("iht")
        callbacks = [
            SparsitySummaries(training, tmp_path / folder, frequency),
            keras.callbacks.BackupAndRestore(
                str(tmp_path / f"{folder}_backup"), delete_checkpoint=False
            ),
        ]
        if is_saved_first:
            callbacks.reverse()
        model = _model(keras.optimizers.Adam(0.1))
        _fit(model, [training, *callbacks, *others], epochs=3)

    def log(folder):
        text = (tmp_path / folder / "sparsity.csv").read_text()
        return re.sub("sequential[_0-9]*", "net", text).splitlines()

    fit("whole")
    with pytest.raises(KeyboardInterrupt):
        fit("killed", _Stop(epoch=1))
    with (tmp_path / "killed" / "sparsity.csv").open("a") as file:
        file.write("1")  # The beginning of an unfinished line.
    fit("killed")
    assert log("killed") == log("whole")
    rows = [line.split(",") for line in log("whole")]
    assert any(row[0] == first and float(row[4]) > 0 for row in rows[1:])


if __name__ == "__main__":
    _serve()
