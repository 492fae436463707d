"""Saves a training in the middle of an epoch, after Ctrl-C or SIGTERM."""

import zipfile
from typing import Any
from typing import NamedTuple

import keras
import numpy as np

from issp_keras import files
from issp_keras.errors import blame
from issp_keras.programs import interrupts
from issp_keras.programs.resume import steps_done

# The name has the number of steps in the checkpoint. So the right file is found
# even if a program ends before it has written the checkpoint.
_FILE = "part_epoch_{}.npz"
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class PartEpoch(NamedTuple):
    """What a checkpoint in the middle of an epoch lacks.

    Attributes:
        cpu_seconds: Float, the CPU time of this part of the epoch.
        metrics: List of arrays, the sums in the model's metrics.
    """

    cpu_seconds: float
    metrics: list[Any]


def load_part(workdir, done):
    """Reads what a checkpoint in the middle of an epoch lacks.

    Args:
        workdir: `pathlib.Path` of the folder of a training.
        done: Integer, the steps of the optimizer in its checkpoint.

    Returns:
        `PartEpoch`; None if the checkpoint is from the end of an epoch.

    Raises:
        InputError: If the file cannot be read.
    """
    path = workdir / _FILE.format(done)
    if not path.exists():
        return None
    with (
        blame(f"{path}: is not a readable part of an epoch", *_BROKEN),
        np.load(path) as arrays,
    ):
        metrics = [arrays[str(n)] for n in range(len(arrays) - 1)]
        return PartEpoch(float(arrays["cpu_seconds"]), metrics)


class EndWhenInterrupted(keras.callbacks.Callback):
    """Ends a training after the step in which Ctrl-C or SIGTERM comes.

    If the signal is postponed, it saves a checkpoint first. It must come after
    all callbacks with a state, so that they have acted on the step.

    Args:
        workdir: `pathlib.Path` of the folder of the training.
        steps_per_epoch: Integer.
        checkpoint: `Checkpoint`.
        cpu: `CpuSeconds` of the training.
        part: `PartEpoch` to go on from, or None.
    """

    def __init__(self, workdir, steps_per_epoch, checkpoint, cpu, part):
        super().__init__()
        self._workdir = workdir
        self._steps_per_epoch = steps_per_epoch
        self._checkpoint = checkpoint
        self._cpu = cpu
        self._part = part

    def on_epoch_begin(self, epoch, logs=None):
        if self._part:
            # Keras has just reset them.
            for variable, value in zip(
                self.model.metrics_variables, self._part.metrics, strict=True
            ):
                variable.assign(value)
            self._part = None

    def on_train_batch_end(self, batch, logs=None):
        if interrupts.is_waiting():
            # On JAX, `model` first brings its variables up to date.
            done = steps_done(self.model)
            if done % self._steps_per_epoch == 0:
                # The end of an epoch makes its own checkpoint.
                return
            self._save(done)
        interrupts.check()

    def on_epoch_end(self, epoch, logs=None):
        # A training that diverged keeps its last checkpoint.
        if not self.model.stop_training:
            self._remove_others(None)

    def _save(self, done):
        metrics = {
            str(n): keras.ops.convert_to_numpy(variable)
            for n, variable in enumerate(self.model.metrics_variables)
        }
        path = self._workdir / _FILE.format(done)
        with files.replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, cpu_seconds=self._cpu.seconds(), **metrics)
        self._checkpoint.save()
        self._remove_others(path)

    def _remove_others(self, kept):
        for path in self._workdir.glob(_FILE.format("*")):
            if path != kept:
                path.unlink(missing_ok=True)
