"""Trains a super-resolution network sparse with ISS-P.

    issp-train --config=configs/quickstart.py --workdir=runs/quickstart

Every entry of the config can be overridden (`--config.steps=500`). In the
workdir: `metrics.csv`, `tensorboard/`, `checkpoint.keras` after every epoch,
from which the same command goes on, and at the end `model.keras`, whose
kernels hold exact zeros.
"""

import csv
import json
import numbers
import pathlib

import keras
import numpy as np
from absl import flags
from absl import logging
from ml_collections import ConfigDict
from ml_collections import config_flags

from issp_keras import cli
from issp_keras import files
from issp_keras import models
from issp_keras.callbacks import ISSPCallback
from issp_keras.callbacks import prunable_kernels
from issp_keras.data import load_photographs
from issp_keras.data import random_patches
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.evaluate import SMALLEST
from issp_keras.evaluate import mean_score
from issp_keras.inference import Network
from issp_keras.inference import keras_network
from issp_keras.inference import load_model
from issp_keras.sparsity import ISSPSchedule


def train(config, workdir) -> keras.Model:
    """Trains as `config` says, from the checkpoint in `workdir` if any.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
        workdir: Path of a folder, made if missing.

    Returns:
        The trained model, also written to `workdir/model.keras`.

    Raises:
        InputError: If an entry of the config, a photograph or the workdir is
            not usable.
    """
    # Everything that may be wrong with the input comes before any training.
    _check_config(config)
    callback = _sparse_callback(config)
    scale = config.network.scale
    keras.utils.set_random_seed(config.seed)
    network = _build_network(config)
    photographs = load_photographs(
        config.data.train, "train", scale * config.data.patch_size
    )
    held_out = load_photographs(config.data.held_out, "held_out", SMALLEST)
    workdir = files.make_folder(workdir)
    _check_same_config(config, workdir / "config.json")

    checkpoint = workdir / "checkpoint.keras"
    if checkpoint.exists():
        model = _restore(checkpoint, network)
    else:
        # A copy, so that what is saved in the end holds no optimizer.
        model = keras.models.clone_model(network)
        model.set_weights(network.get_weights())
        model.compile(_optimizer(config), loss="mean_absolute_error")
    done = int(model.optimizer.iterations)
    history = workdir / "metrics.csv"
    _keep_rows(history, done // config.steps_per_epoch)
    if done < config.steps:
        callbacks = [
            callback,
            _StopIfDiverged(),
            _HeldOutScore(held_out, scale),
            keras.callbacks.CSVLogger(str(history), append=True),
            keras.callbacks.TensorBoard(str(workdir / "tensorboard")),
            _Checkpoint(checkpoint),
        ]
        _fit(model, config, photographs, callbacks, done)
    network.set_weights(model.get_weights())
    with files.replacing(workdir / "model.keras") as partial:
        network.save(partial)
    return network


def _fit(model, config, photographs, callbacks, done):
    patches = random_patches(
        photographs,
        config.network.scale,
        config.data.patch_size,
        config.data.batch_size,
        config.steps,
        config.seed,
        first_step=done,
    )
    model.fit(
        patches,
        epochs=config.steps // config.steps_per_epoch,
        initial_epoch=done // config.steps_per_epoch,
        steps_per_epoch=config.steps_per_epoch,
        shuffle=False,
        callbacks=callbacks,
    )
    if model.stop_training:
        raise InputError(
            f"--config.learning_rate: training at {config.learning_rate} "
            "diverged, expected a lower rate, in a new --workdir."
        )


_ENTRIES = {
    "": ("seed", "steps", "steps_per_epoch", "learning_rate"),
    "network": ("name", "scale"),
    "data": ("train", "held_out", "patch_size", "batch_size"),
    "sparsity": ("target_sparsity", "begin_step", "end_step", "shrink_ratio"),
}
_WHOLE = {
    "": ("steps", "steps_per_epoch"),
    "data": ("patch_size", "batch_size"),
}


def _check_config(config):
    if not isinstance(config, ConfigDict):
        raise InputError(
            f"--config: get_config() returns a {type(config).__name__}, "
            "expected a ml_collections.ConfigDict."
        )
    for group, names in _ENTRIES.items():
        entries = config.get(group) if group else config
        if not isinstance(entries, ConfigDict):
            raise InputError(
                f"--config: has no group '{group}', expected those of "
                "configs/quickstart.py."
            )
        for name in names:
            if name not in entries:
                raise InputError(
                    f"--config: has no entry '{_entry(group, name)}', "
                    "expected those of configs/quickstart.py."
                )
    for group, names in _WHOLE.items():
        for name in names:
            number = config[group][name] if group else config[name]
            if not (isinstance(number, int) and number > 0):
                raise InputError(
                    f"--config.{_entry(group, name)}: is {number!r}, "
                    "expected a positive whole number."
                )
    rate = config.learning_rate
    if not (isinstance(rate, numbers.Real) and 0 < rate < float("inf")):
        raise InputError(
            f"--config.learning_rate: is {rate!r}, expected a positive number."
        )
    if not (isinstance(config.seed, int) and 0 <= config.seed < 2**32):
        raise InputError(
            f"--config.seed: is {config.seed!r}, expected a whole number of "
            "32 bits."
        )
    if config.steps % config.steps_per_epoch:
        raise InputError(
            f"--config.steps: is {config.steps}, expected a multiple of "
            f"--config.steps_per_epoch={config.steps_per_epoch}."
        )


def _entry(group, name):
    return f"{group}.{name}" if group else name


def _sparse_callback(config):
    with blame("--config.sparsity", ValueError, TypeError):
        schedule = ISSPSchedule(
            config.sparsity.target_sparsity,
            config.sparsity.begin_step,
            end_step=config.sparsity.end_step,
        )
        callback = ISSPCallback(schedule, config.sparsity.shrink_ratio)
    if schedule.end_step > config.steps:
        raise InputError(
            f"--config.sparsity.end_step: is {schedule.end_step}, expected "
            f"at most the {config.steps} steps of the training."
        )
    return callback


def _build_network(config):
    arguments = config.network.to_dict()
    name = arguments.pop("name")
    if name not in models.NETWORKS:
        raise InputError(
            f"--config.network.name: is '{name}', expected one of "
            f"{', '.join(sorted(models.NETWORKS))}."
        )
    with blame("--config.network", ValueError, TypeError):
        return models.NETWORKS[name](**arguments)


def _optimizer(config):
    """Adam; its rate is constant until `end_step`, then decays to 0."""
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate,
        decay_steps=max(1, config.steps - config.sparsity.end_step),
        warmup_target=config.learning_rate,
        warmup_steps=config.sparsity.end_step,
    )
    return keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.99)


class _StopIfDiverged(keras.callbacks.Callback):
    """Ends a training of which nothing more is worth scoring or saving."""

    def on_epoch_end(self, epoch, logs=None):
        arrays = [logs["loss"], *self.model.get_weights()]
        if not all(np.isfinite(array).all() for array in arrays):
            self.model.stop_training = True


class _HeldOutScore(keras.callbacks.Callback):
    """Adds PSNR and SSIM on the held-out photographs to an epoch's logs."""

    def __init__(self, photographs, scale):
        super().__init__()
        self._photographs = photographs
        self._scale = scale

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        network = Network(keras_network(self.model))
        score = mean_score(network.upscale, self._photographs, self._scale)
        logs["val_psnr"] = score.psnr
        logs["val_ssim"] = score.ssim


class _Checkpoint(keras.callbacks.Callback):
    """Saves the model with its optimizer after every epoch, whole."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        with files.replacing(self._path) as partial:
            self.model.save(partial)


def _restore(checkpoint, network):
    model = load_model(checkpoint, compile=True)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or _shapes(model) != _shapes(network):
        raise InputError(
            f"{checkpoint}: is not a checkpoint of this config's network."
        )
    logging.info("Going on from %s, step %d", checkpoint, optimizer.iterations)
    return model


def _shapes(model):
    return [(weight.path, weight.shape) for weight in model.weights]


def _check_same_config(config, path):
    """A workdir belongs to one config; otherwise a resume would mix two."""
    current = json.loads(config.to_json_best_effort())
    if path.exists():
        broken = (OSError, ValueError, TypeError)
        with blame(f"{path}: is not a config that can be read", *broken):
            before = dict(json.loads(path.read_text()))
        changed = [
            f"{name} ({before.get(name)} before, {current.get(name)} now)"
            for name in sorted({*before, *current})
            if before.get(name) != current.get(name)
        ]
        if changed:
            raise InputError(
                f"--workdir: {path.parent} was begun with another config: "
                f"{', '.join(changed)}; expected the same, or a new workdir."
            )
    files.write_json(path, current)


def _keep_rows(path, epochs):
    """Drops what an interrupted epoch may have logged after its checkpoint."""
    if not path.exists():
        return
    broken = (OSError, ValueError, csv.Error)
    with blame(f"{path}: is not a history that can be read", *broken):
        with path.open(newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        rows = [row for row in rows if row and int(row[0]) < epochs]
    with files.replacing(path) as kept, kept.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if rows else [])


def main(argv):
    cli.no_argument(argv)
    flag = flags.FLAGS
    if not flag.workdir:
        raise InputError("--workdir: is empty, expected a folder.")
    # What follows a colon is an argument for get_config().
    path = config_flags.get_config_filename(flag["config"]).split(":")[0]
    if not pathlib.Path(path).is_file():
        raise InputError(f"--config: {path}: no such file.")
    network = train(flag.config, flag.workdir)
    kernels = [kernel.numpy() for kernel in prunable_kernels(network)]
    weights = sum(kernel.size for kernel in kernels)
    zeros = weights - sum(map(np.count_nonzero, kernels))
    print(
        f"Wrote {pathlib.Path(flag.workdir) / 'model.keras'}: {zeros} of "
        f"{weights} kernel weights are zero ({zeros / weights:.2%})."
    )


def run():
    """Entry point of `issp-train`."""
    config_flags.DEFINE_config_file("config", None, "A file of configs/.")
    flags.DEFINE_string("workdir", None, "Folder for what the training makes.")
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
