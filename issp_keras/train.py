"""Trains a super-resolution network sparse with ISS-P or another method.

    issp-train --config=configs/quickstart.py --workdir=runs/quickstart

Every entry of the config can be overridden (`--config.steps=500`). In the
workdir: `metrics.csv`, `sparsity.csv`, `tensorboard/`, `checkpoint.keras`
after every epoch, from which the same command goes on, and at the end
`model.keras`, whose kernels hold exact zeros.

Several processes share the work, on one machine or more that see one
workdir, under the JAX backend: start on each

    KERAS_BACKEND=jax issp-train ... --processes=2 --coordinator=HOST:PORT \
        --process_id=0

with its own `--process_id`, counted from 0. Each trains on its share of
every batch, and the weights become those of one process.
"""

import csv
import json
import pathlib
import tempfile

import keras
import numpy as np
from absl import flags
from absl import logging
from ml_collections import config_flags

from issp_keras import cli
from issp_keras import configuration
from issp_keras import files
from issp_keras.callbacks import SparsitySummaries
from issp_keras.callbacks import count_zeros
from issp_keras.data import PatchDataset
from issp_keras.data import RandomPatches
from issp_keras.data import load_pairs
from issp_keras.data import tf_patches
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.models import load_model
from issp_keras.processes import Processes
from issp_keras.scores import SMALLEST
from issp_keras.scores import score_network


def train(config, workdir, processes=None) -> keras.Model:
    """Trains as `config` says, from the checkpoint in `workdir` if any.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
        workdir: Path of a folder, made if missing.
        processes: `Processes` that train together. Defaults to one.

    Returns:
        The trained model, also written to `workdir/model.keras`.

    Raises:
        InputError: If an entry of the config, a photograph or the workdir is
            not usable.
    """
    # Everything that may be wrong with the input comes before any training.
    processes = processes or Processes()
    configuration.check(config)
    callback = configuration.sparse_training(config)
    # In every process, for they must make the same train step.
    callback.record_gradients = True
    processes.check_batch(config.data.batch_size)
    scale = config.network.scale
    keras.utils.set_random_seed(config.seed)
    network = configuration.network(config)
    pairs = load_pairs(
        config.data.train, "train", scale, scale * config.data.patch_size
    )
    held_out = load_pairs(config.data.held_out, "held_out", scale, SMALLEST)
    workdir = files.make_folder(workdir)
    configuration.check_same(config, workdir / "config.json")
    if processes.is_first:
        current = json.loads(config.to_json_best_effort())
        files.write_json(workdir / "config.json", current)

    with processes.sharing_data():
        model = keras.models.clone_model(network)
        model.set_weights(network.get_weights())
        model.compile(
            configuration.optimizer(config), loss="mean_absolute_error"
        )
        checkpoint = workdir / "checkpoint.keras"
        if checkpoint.exists():
            _restore(model, callback, checkpoint)
        done = int(keras.ops.copy(model.optimizer.iterations))
        if processes.is_first:
            _keep_rows(workdir / "metrics.csv", done // config.steps_per_epoch)
        if done < config.steps:
            callbacks = [
                _StopIfDiverged(),
                callback,
                _HeldOutScore(network, held_out, processes),
            ]
            if processes.is_first:
                callbacks += _writers(workdir, callback)
            callbacks.append(_Checkpoint(checkpoint, processes))
            _fit(model, config, pairs, callbacks, done, processes)
    # Without optimizer.
    network.set_weights(model.get_weights())
    if processes.is_first:
        with files.replacing(workdir / "model.keras") as partial:
            network.save(partial)
    return network


def _writers(workdir, callback):
    """The callbacks that write, of one process alone."""
    writers = [
        SparsitySummaries(callback, workdir),
        keras.callbacks.CSVLogger(str(workdir / "metrics.csv"), append=True),
    ]
    if keras.backend.backend() == "tensorflow":
        writers.append(
            keras.callbacks.TensorBoard(str(workdir / "tensorboard"))
        )
    return writers


def _fit(model, config, pairs, callbacks, done, processes):
    patches = RandomPatches(
        pairs,
        config.data.patch_size,
        config.data.batch_size,
        config.seed,
        shard=(processes.index, processes.count),
    )
    is_tensorflow = keras.backend.backend() == "tensorflow"
    make_dataset = tf_patches if is_tensorflow else PatchDataset
    model.fit(
        make_dataset(patches, done, config.steps),
        epochs=config.steps // config.steps_per_epoch,
        initial_epoch=done // config.steps_per_epoch,
        steps_per_epoch=config.steps_per_epoch,
        shuffle=False,
        verbose="auto" if processes.is_first else 0,
        callbacks=callbacks,
    )
    if model.stop_training:
        raise InputError(
            f"--config.learning_rate: training at {config.learning_rate} "
            "diverged, expected a lower rate, in a new --workdir."
        )


class _StopIfDiverged(keras.callbacks.Callback):
    """Ends a training of which nothing more is worth scoring or saving."""

    def on_epoch_end(self, epoch, logs=None):
        arrays = [logs["loss"], *self.model.get_weights()]
        if not all(np.isfinite(array).all() for array in arrays):
            self.model.stop_training = True


class _HeldOutScore(keras.callbacks.Callback):
    """Adds PSNR and SSIM on the held-out photographs to an epoch's logs."""

    def __init__(self, network, pairs, processes):
        super().__init__()
        self._network = network
        self._pairs = pairs
        self._processes = processes

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        weights = self.model.get_weights()
        with self._processes.apart():
            self._network.set_weights(weights)
            score = score_network(self._network, self._pairs)
        logs["val_psnr"] = score.psnr
        logs["val_ssim"] = score.ssim


class _Checkpoint(keras.callbacks.Callback):
    """Saves the model with its optimizer after every epoch, whole."""

    def __init__(self, path, processes):
        super().__init__()
        self._path = path
        self._processes = processes

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        if self._processes.is_first:
            with files.replacing(self._path) as partial:
                self.model.save(partial)
        else:
            # Saving is a work of all processes; one file is enough.
            with tempfile.TemporaryDirectory() as folder:
                self.model.save(pathlib.Path(folder) / "unused.keras")


def _restore(model, callback, checkpoint):
    other = f"{checkpoint}: is not a checkpoint of this config's network"
    if _shapes(load_model(checkpoint)) != _shapes(model):
        raise InputError(f"{other}.")
    # So that the state of sparse training is loaded too.
    callback.set_model(model)
    with blame(other, ValueError, KeyError):
        model.load_weights(checkpoint)
    logging.info("Going on from %s", checkpoint)


def _shapes(model):
    return [(weight.path, weight.shape) for weight in model.weights]


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
    cli.check_config_file()
    processes = Processes.connect(
        flag.processes, flag.coordinator, flag.process_id
    )
    network = train(flag.config, flag.workdir, processes)
    if not processes.is_first:
        return
    zeros, weights = count_zeros(network)
    print(
        f"Wrote {pathlib.Path(flag.workdir) / 'model.keras'}: {zeros} of "
        f"{weights} kernel weights are zero ({zeros / weights:.2%})."
    )


def run():
    """Entry point of `issp-train`."""
    config_flags.DEFINE_config_file("config", None, "A file of configs/.")
    flags.DEFINE_string("workdir", None, "Folder for what the training makes.")
    flags.DEFINE_integer(
        "processes", 1, "Processes that train together.", lower_bound=1
    )
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0.")
    flags.DEFINE_integer(
        "process_id", 0, "Which of the processes this is.", lower_bound=0
    )
    flags.mark_flags_as_required(["config", "workdir"])
    cli.run(main, cli.parse_flags_with_config)


if __name__ == "__main__":
    run()
