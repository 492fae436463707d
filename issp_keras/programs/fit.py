"""Runs the epochs of a training."""

import contextlib
import math
import warnings

import keras

from issp_keras.data import DevicePatches
from issp_keras.data import PatchDataset
from issp_keras.data import PlacesDataset
from issp_keras.data import tf_patches
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.fused_steps import fuse_steps
from issp_keras.programs import cli
from issp_keras.programs.epochs import StopInTime
from issp_keras.programs.epochs import TellEpochs


class Diverged(InputError):
    """The error of a training whose loss or weights are not finite."""


def fit(model, config, patches, done, callbacks, until, is_told) -> bool:
    """Trains from step `done` on, to the end of the training.

    From the middle of an epoch, it trains to the end of this epoch only.

    Args:
        model: A compiled `keras.Model`.
        config: `ml_collections.ConfigDict`.
        patches: `RandomPatches`.
        done: Integer, the number of finished steps.
        callbacks: List of callbacks, one of them `StopIfDiverged`.
        until: Float, the time to stop, in seconds of `time.monotonic()`, or
            None.
        is_told: Boolean, whether to print a line for each epoch and to show a
            progress bar on a terminal.

    Returns:
        Boolean, False if the time `until` came first.

    Raises:
        Diverged: If the training diverges.
    """
    epochs = config.steps // config.steps_per_epoch
    first, in_epoch = divmod(done, config.steps_per_epoch)
    stop = StopInTime(float("inf") if until is None else until, epochs)
    left = config.steps_per_epoch - in_epoch
    dataset, at_once = _dataset(model, config, patches, done, left)
    callbacks = [*callbacks, stop]
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        # If the time is over, the next call continues the training.
        warnings.filterwarnings("ignore", "Training ended after")
        if is_told:
            bar = cli.progress_bar("Training", config.steps)
            progress = stack.enter_context(bar)
            callbacks.append(TellEpochs(config, at_once, progress))
        model.fit(
            dataset,
            epochs=first + 1 if in_epoch else epochs,
            initial_epoch=first,
            steps_per_epoch=left // at_once,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    if model.stop_training and not stop.has_stopped:
        raise Diverged(
            f"--config.learning_rate: training at {config.learning_rate} "
            "diverged, expected a lower rate and a new --workdir."
        )
    return not stop.has_stopped


def _dataset(model, config, patches, done, left):
    """Returns the data set from step `done` on, and the steps in each item.

    `left` is the number of steps until the end of the epoch.
    """
    # The part of an epoch may come from a call with another number.
    at_once = math.gcd(left, config.get("steps_per_execution", 1))
    if config.data.get("on_device", False):
        with blame("--config.data.on_device", ValueError):
            cutter = DevicePatches(patches)
        fuse_steps(model, cutter.cut, cutter.pixels, patches.places(0))
        return PlacesDataset(cutter, done, config.steps, at_once), at_once
    # With another number, Keras would go on beyond the end of the epoch.
    model.steps_per_execution = at_once
    is_tensorflow = keras.backend.backend() == "tensorflow"
    make_dataset = tf_patches if is_tensorflow else PatchDataset
    return make_dataset(patches, done, config.steps), 1
