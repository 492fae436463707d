"""The program of `issp train`."""

import json
import pathlib
from typing import Any
from typing import NamedTuple

import keras
from absl import flags

from issp_keras import files
from issp_keras import locks
from issp_keras.callbacks import SimulatedInt8
from issp_keras.callbacks import SparsitySummaries
from issp_keras.callbacks import count_zeros
from issp_keras.data import RandomPatches
from issp_keras.data import load_pairs
from issp_keras.errors import InputError
from issp_keras.errors import naming
from issp_keras.programs import cli
from issp_keras.programs import configuration
from issp_keras.programs.commands.train import run
from issp_keras.programs.epochs import Checkpoint
from issp_keras.programs.epochs import CpuSeconds
from issp_keras.programs.epochs import HeldOutScore
from issp_keras.programs.epochs import StopIfDiverged
from issp_keras.programs.fit import fit
from issp_keras.programs.inputs import check_same_files
from issp_keras.programs.part_epochs import EndWhenInterrupted
from issp_keras.programs.part_epochs import load_part
from issp_keras.programs.processes import Processes
from issp_keras.programs.resume import keep_rows
from issp_keras.programs.resume import restore
from issp_keras.programs.resume import steps_done
from issp_keras.scores import SMALLEST
from issp_keras.teacher import Teacher


def train(
    config, workdir, processes=None, until=None, callbacks=(), is_locked=False
) -> keras.Model | None:
    """Trains a network by a config, from the checkpoint in `workdir` if any.

    Args:
        config: `ml_collections.ConfigDict` with the entries of
            `configs/quickstart.py`.
        workdir: Path of a folder. It is created if it is missing. Only one
            training at a time can use it.
        processes: `Processes` that train together. Defaults to one process.
        until: Float, the time to stop, in seconds of `time.monotonic()`. The
            training stops after the last epoch that probably ends before it,
            and the next call continues. Defaults to None, no limit.
        callbacks: Sequence of further callbacks, which are called last.
        is_locked: Boolean, whether the caller already holds the lock of
            `workdir`. Defaults to `False`.

    Returns:
        The trained model, which is also written to `workdir/model.keras`; None
        if the time `until` came first.

    Raises:
        InputError: If an entry of the config, a photograph or the workdir is
            not usable, or another training uses the workdir.
        Diverged: If the training diverges.
    """
    processes = processes or Processes()
    # Check all input before the training.
    parts = _check(config, workdir, processes)
    workdir = files.make_folder(workdir)
    if is_locked or not processes.is_first:
        # The first of several processes holds the lock for all of them.
        return _train(config, workdir, parts, processes, until, callbacks)
    with locks.alone_in(workdir):
        return _train(config, workdir, parts, processes, until, callbacks)


class _Parts(NamedTuple):
    """The parts that a config describes."""

    network: keras.Model
    sparse: Any
    int8: SimulatedInt8 | None
    teacher: Teacher | None
    pairs: list
    held_out: list

    def compressing(self):
        """Returns the callbacks that change the network: pruning and int8."""
        return [part for part in (self.sparse, self.int8) if part]


def _check(config, workdir, processes):
    """Builds the parts of the config without writing a file."""
    configuration.check(config)
    sparse = configuration.sparse_training(config)
    int8 = configuration.simulated_int8(config)
    processes.check_batch(config.data.batch_size)
    if config.data.get("on_device", False) and processes.count > 1:
        raise InputError(
            "--config.data.on_device: is for one process, expected False for "
            "several processes."
        )
    scale = config.network.scale
    teacher = _teacher(config)
    keras.utils.set_random_seed(config.seed)
    network = configuration.network(config)
    configuration.check_sparse(config, network)
    configuration.begin_pretrained(config, network)
    pairs = _load_pairs(config, "train", scale * config.data.patch_size)
    held_out = []
    if config.data.held_out:
        held_out = _load_pairs(config, "held_out", SMALLEST)
    if teacher and config.teacher.get("cache"):
        cache = pathlib.Path(config.teacher.cache)
        if cache.resolve() == pathlib.Path(workdir).resolve():
            # The training would wait for its own lock.
            raise InputError(
                "--config.teacher.cache: is the --workdir, expected another "
                "folder."
            )
        files.make_folder(cache)
    return _Parts(network, sparse, int8, teacher, pairs, held_out)


def _load_pairs(config, split, smallest):
    sources = config.data[split]
    with naming(f"--config.data.{split}"):
        return load_pairs(sources, split, config.network.scale, smallest)


def _teacher(config):
    entries = config.get("teacher")
    if entries is None:
        return None
    with cli.as_flags("--config.teacher."):
        return Teacher(
            entries.model,
            config.network.scale,
            entries.get("self_ensemble") is not False,
        )


def _train(config, workdir, parts, processes, until, callbacks):
    configuration.check_same(config, workdir / "config.json")
    if processes.is_first:
        current = json.loads(config.to_json_best_effort())
        files.write_json(workdir / "config.json", current)
    pairs = parts.pairs
    pretrained = config.get("pretrained")
    check_same_files(
        workdir, pairs, parts.teacher, pretrained, processes.is_first
    )
    if parts.teacher:
        cache = config.teacher.get("cache") or workdir / "teacher"
        pairs = parts.teacher.teach(pairs, cache, until)
        if pairs is None:
            return None
    network = parts.network
    patches = RandomPatches(
        pairs,
        config.data.patch_size,
        config.data.batch_size,
        config.seed,
        shard=(processes.index, processes.count),
    )

    def begin():
        model = _compiled(config, network.get_weights())
        return model, _go_on(model, config, workdir, parts, processes)

    def is_in_time(model, done):
        every_callback = _callbacks(
            config, workdir, parts, processes, done, callbacks
        )
        is_told = processes.is_first and not callbacks
        with files.blaming_a_full_disk(workdir), processes.postponing():
            return fit(
                model, config, patches, done, every_callback, until, is_told
            )

    with processes.sharing_data():
        model, done = begin()
        if done >= config.steps:
            # Keras replaces the weights by their averages, if any, at the end
            # of `fit`, after the last checkpoint.
            model.optimizer.finalize_variable_values(model.trainable_variables)
        while done < config.steps:
            if not is_in_time(model, done):
                return None
            done = steps_done(model)
            if done < config.steps:
                # That was the rest of an interrupted epoch. Or the optimizer
                # left out steps, since gradients overflowed in float16.
                model, done = begin()
    # The saved network has no optimizer.
    network.set_weights(model.get_weights())
    if parts.int8:
        parts.int8.give_ranges(network)
    network = configuration.deployed(config, network)
    if processes.is_first:
        with files.replacing(workdir / "model.keras") as partial:
            network.save(partial)
    return network


def _compiled(config, weights):
    """Returns the compiled model, which may compute in another dtype."""
    model = configuration.network(config, config.get("dtype_policy"))
    model.set_weights(weights)
    model.compile(
        configuration.optimizer(config),
        loss=configuration.loss(config),
    )
    return model


def _go_on(model, config, workdir, parts, processes):
    """Loads the checkpoint, if any, and returns the finished steps."""
    checkpoint = workdir / "checkpoint.keras"
    if checkpoint.exists():
        restore(model, parts.compressing(), checkpoint)
    done = steps_done(model)
    if processes.is_first:
        keep_rows(workdir / "metrics.csv", done // config.steps_per_epoch)
    return done


def _callbacks(config, workdir, parts, processes, done, further):
    part = load_part(workdir, done)
    cpu = CpuSeconds(part.cpu_seconds if part else 0.0)
    checkpoint = Checkpoint(workdir / "checkpoint.keras", processes)
    callbacks = [
        cpu,
        StopIfDiverged(),
        *parts.compressing(),
        HeldOutScore(
            parts.network,
            parts.held_out,
            configuration.score_channels(config),
            processes,
        ),
        *(_writers(workdir, parts.sparse) if processes.is_first else []),
        checkpoint,
        *further,
    ]
    ending = EndWhenInterrupted(
        workdir, config.steps_per_epoch, checkpoint, cpu, part
    )
    return [*callbacks, ending]


def _writers(workdir, sparse):
    """Returns the callbacks that write files, for the first process only."""
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


def main(argv):
    flag = flags.FLAGS
    processes = Processes.connect(
        flag.processes, flag.coordinator, flag.process_id
    )
    with processes.ending_at_once():
        network = train(flag.config, flag.workdir, processes)
    if not processes.is_first:
        return
    zeros, weights = count_zeros(network)
    print(
        f"Wrote {pathlib.Path(flag.workdir) / 'model.keras'}: {zeros} of "
        f"{weights} kernel weights are zero ({zeros / weights:.2%})."
    )


if __name__ == "__main__":
    run()
