"""Trains a super-resolution network sparse with ISS-P or another method.

    issp-train --config=configs/quickstart.py --workdir=runs/quickstart

Every entry of the config can be overridden (`--config.steps=500`). In the
workdir: `metrics.csv`, `sparsity.csv`, `tensorboard/`, `checkpoint.keras`
after every epoch, from which the same command goes on, and at the end
`model.keras`, whose kernels hold exact zeros. With `config.teacher`, the
outputs of that network, of which the training learns too, are in `teacher/`.

Several processes share the work, on one machine or more that see one
workdir, under the JAX backend: start on each

    KERAS_BACKEND=jax issp-train ... --processes=2 --coordinator=HOST:PORT \
        --process_id=0

with its own `--process_id`, counted from 0. Each trains on its share of
every batch, and the weights become those of one process.
"""

import contextlib
import csv
import json
import pathlib
import warnings

import keras
from absl import flags
from absl import logging
from ml_collections import config_flags

from issp_keras import cli
from issp_keras import configuration
from issp_keras import files
from issp_keras.callbacks import SparsitySummaries
from issp_keras.callbacks import count_zeros
from issp_keras.data import DevicePatches
from issp_keras.data import PatchDataset
from issp_keras.data import PlacesDataset
from issp_keras.data import RandomPatches
from issp_keras.data import load_pairs
from issp_keras.data import tf_patches
from issp_keras.epochs import Checkpoint
from issp_keras.epochs import CpuSeconds
from issp_keras.epochs import HeldOutScore
from issp_keras.epochs import StopIfDiverged
from issp_keras.epochs import StopInTime
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.fused_steps import fuse_steps
from issp_keras.models import load_model
from issp_keras.processes import Processes
from issp_keras.scores import SMALLEST
from issp_keras.teacher import Teacher


def train(
    config, workdir, processes=None, until=None, callbacks=()
) -> keras.Model | None:
    """Trains as `config` says, from the checkpoint in `workdir` if any.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
        workdir: Path of a folder, made if missing.
        processes: `Processes` that train together. Defaults to one.
        until: Float, when to stop in seconds of `time.monotonic()`: the
            training ends with the last epoch that is probably done by then,
            and the next call goes on. Defaults to no such time.
        callbacks: Sequence of further callbacks, which are called last.

    Returns:
        The trained model, also written to `workdir/model.keras`, or None
        where `until` came first.

    Raises:
        InputError: If an entry of the config, a photograph or the workdir is
            not usable.
    """
    # Everything that may be wrong with the input comes before any training.
    processes = processes or Processes()
    configuration.check(config)
    sparse = configuration.sparse_training(config)
    processes.check_batch(config.data.batch_size)
    if config.data.get("on_device", False) and processes.count > 1:
        raise InputError(
            "--config.data.on_device: is for one process, expected False "
            "where several train together."
        )
    scale = config.network.scale
    teacher = _teacher(config)
    keras.utils.set_random_seed(config.seed)
    network = configuration.network(config)
    pairs = load_pairs(
        config.data.train, "train", scale, scale * config.data.patch_size
    )
    held_out = []
    if config.data.held_out:
        held_out = load_pairs(config.data.held_out, "held_out", scale, SMALLEST)
    if teacher and config.teacher.get("cache"):
        files.make_folder(config.teacher.cache)
    workdir = files.make_folder(workdir)
    configuration.check_same(config, workdir / "config.json")
    if processes.is_first:
        current = json.loads(config.to_json_best_effort())
        files.write_json(workdir / "config.json", current)
    if teacher:
        cache = config.teacher.get("cache") or workdir / "teacher"
        taught = teacher.teach(pairs, cache, until)
        if taught is None:
            return None
        pairs = taught

    with processes.sharing_data():
        model = configuration.network(config, config.get("dtype_policy"))
        model.set_weights(network.get_weights())
        model.compile(
            configuration.optimizer(config),
            loss=configuration.loss(config),
            steps_per_execution=configuration.steps_per_execution(config),
        )
        checkpoint = workdir / "checkpoint.keras"
        if checkpoint.exists():
            _restore(model, sparse, checkpoint)
        done = int(keras.ops.copy(model.optimizer.iterations))
        if processes.is_first:
            _keep_rows(workdir / "metrics.csv", done // config.steps_per_epoch)
        if done < config.steps:
            every_callback = [
                CpuSeconds(),
                StopIfDiverged(),
                *([sparse] if sparse else []),
                HeldOutScore(network, held_out, processes),
                *(_writers(workdir, sparse) if processes.is_first else []),
                Checkpoint(checkpoint, processes),
                *callbacks,
            ]
            patches = RandomPatches(
                pairs,
                config.data.patch_size,
                config.data.batch_size,
                config.seed,
                shard=(processes.index, processes.count),
            )
            verbose = 0 if callbacks or not processes.is_first else "auto"
            if not _fit(
                model, config, patches, done, every_callback, until, verbose
            ):
                return None
        else:
            # Keras puts averages, if there are any, in place of the weights at
            # the end of `fit`, behind the last checkpoint.
            model.optimizer.finalize_variable_values(model.trainable_variables)
    # Without optimizer.
    network.set_weights(model.get_weights())
    if processes.is_first:
        with files.replacing(workdir / "model.keras") as partial:
            network.save(partial)
    return network


def _teacher(config):
    entries = config.get("teacher")
    if entries is None:
        return None
    return Teacher(
        entries.model,
        config.network.scale,
        entries.get("self_ensemble") is not False,
    )


def _writers(workdir, sparse):
    """The callbacks that write, of one process alone."""
    writers = [
        keras.callbacks.CSVLogger(str(workdir / "metrics.csv"), append=True),
    ]
    if sparse:
        writers.insert(0, SparsitySummaries(sparse, workdir))
    if keras.backend.backend() == "tensorflow":
        writers.append(
            keras.callbacks.TensorBoard(str(workdir / "tensorboard"))
        )
    return writers


def _fit(model, config, patches, done, callbacks, until, verbose):
    """Trains from step `done` on; returns whether to the end."""
    epochs = config.steps // config.steps_per_epoch
    stop = StopInTime(float("inf") if until is None else until, epochs)
    dataset, at_once = _dataset(model, config, patches, done)
    with contextlib.ExitStack() as stack:
        if until is not None:
            stack.enter_context(warnings.catch_warnings())
            # It goes on in the next call.
            warnings.filterwarnings("ignore", "Training ended after")
        model.fit(
            dataset,
            epochs=epochs,
            initial_epoch=done // config.steps_per_epoch,
            steps_per_epoch=config.steps_per_epoch // at_once,
            shuffle=False,
            verbose=verbose,
            callbacks=[*callbacks, stop],
        )
    if model.stop_training and not stop.has_stopped:
        raise InputError(
            f"--config.learning_rate: training at {config.learning_rate} "
            "diverged, expected a lower rate, in a new --workdir."
        )
    return not stop.has_stopped


def _dataset(model, config, patches, done):
    """What `fit` takes from step `done` on, and how many steps an item has."""
    if config.data.get("on_device", False):
        at_once = config.get("steps_per_execution", 1)
        with blame("--config.data.on_device", ValueError):
            cutter = DevicePatches(patches)
        fuse_steps(model, cutter.cut, cutter.pixels, patches.places(0))
        return PlacesDataset(cutter, done, config.steps, at_once), at_once
    is_tensorflow = keras.backend.backend() == "tensorflow"
    make_dataset = tf_patches if is_tensorflow else PatchDataset
    return make_dataset(patches, done, config.steps), 1


def _restore(model, sparse, checkpoint):
    other = f"{checkpoint}: is not a checkpoint of this config's network"
    if _shapes(load_model(checkpoint)) != _shapes(model):
        raise InputError(f"{other}.")
    if sparse:
        # So that the state of sparse training is loaded too.
        sparse.set_model(model)
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
