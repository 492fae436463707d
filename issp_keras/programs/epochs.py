"""Callbacks that act at the end of each epoch."""

import math
import pathlib
import tempfile
import time

import keras
import numpy as np

from issp_keras import files
from issp_keras.scores import score_network


class StopIfDiverged(keras.callbacks.Callback):
    """Ends a training whose loss or weights are not finite."""

    def on_epoch_end(self, epoch, logs=None):
        arrays = [logs["loss"], *self.model.get_weights()]
        if not all(np.isfinite(array).all() for array in arrays):
            self.model.stop_training = True


class HeldOutScore(keras.callbacks.Callback):
    """Adds PSNR and SSIM on the held-out photographs to an epoch's logs.

    They are those of the present weights, also if moving averages replace the
    weights at the end of the training. Without photographs, both are NaN.
    """

    def __init__(self, network, pairs, channels, processes):
        super().__init__()
        self._network = network
        self._pairs = pairs
        self._channels = channels
        self._processes = processes

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        if not self._pairs:
            # The history must always have the same columns.
            logs["val_psnr"] = logs["val_ssim"] = float("nan")
            return
        # On JAX, the weights are followed by the ranges of activations.
        count = len(self._network.weights)
        weights = self.model.get_weights()[:count]
        with self._processes.apart():
            self._network.set_weights(weights)
            score = score_network(self._network, self._pairs, self._channels)
        logs["val_psnr"] = score.psnr
        logs["val_ssim"] = score.ssim


class Checkpoint(keras.callbacks.Callback):
    """Saves the model with its optimizer after every epoch."""

    def __init__(self, path, processes):
        super().__init__()
        self._path = path
        self._processes = processes

    def on_epoch_end(self, epoch, logs=None):
        if not self.model.stop_training:
            self.save()

    def save(self):
        if self._processes.is_first:
            with files.replacing(self._path) as partial:
                self.model.save(partial)
        else:
            # All processes must save, but only one file is needed.
            with tempfile.TemporaryDirectory() as folder:
                self.model.save(pathlib.Path(folder) / "unused.keras")
        # Each process may read the file next.
        self._processes.wait()


class CpuSeconds(keras.callbacks.Callback):
    """Adds the CPU time of this process to the logs of each epoch.

    On a shared machine, CPU time is steadier than wall time. The work of other
    callbacks at the end of an epoch counts for the next epoch.

    Args:
        before: Float, the CPU time that earlier programs spent on the epoch in
            which the training goes on.
    """

    def __init__(self, before):
        super().__init__()
        self._before = before

    def on_train_begin(self, logs=None):
        self._start = time.process_time() - self._before

    def on_epoch_end(self, epoch, logs=None):
        logs["cpu_seconds"] = self.seconds()
        self._start = time.process_time()

    def seconds(self):
        """Returns the CPU time of the present epoch."""
        return time.process_time() - self._start


class TellEpochs(keras.callbacks.Callback):
    """Prints a line at the end of each epoch, and updates a progress bar.

    Args:
        config: `ml_collections.ConfigDict`.
        at_once: Integer, the steps in each batch of patches.
        progress: Callable that receives the number of finished steps.
    """

    def __init__(self, config, at_once, progress):
        super().__init__()
        self._config = config
        self._at_once = at_once
        self._progress = progress

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()
        # An epoch that was interrupted has fewer steps left.
        left = self.params["steps"] * self._at_once
        self._before = (epoch + 1) * self._config.steps_per_epoch - left

    def on_train_batch_end(self, batch, logs=None):
        self._progress(self._before + (batch + 1) * self._at_once)

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            return
        step = (epoch + 1) * self._config.steps_per_epoch
        psnr = logs.get("val_psnr", math.nan)
        score = "" if math.isnan(psnr) else f", {psnr:.2f} dB held out"
        print(
            f"Step {step} of {self._config.steps}: loss {logs['loss']:.4g}"
            f"{score}; {time.monotonic() - self._start:.0f} s.",
            flush=True,
        )


class StopInTime(keras.callbacks.Callback):
    """Ends a training if the next epoch would probably end too late.

    Args:
        until: Float, the time to stop, in seconds of `time.monotonic()`.
        epochs: Integer, the number of epochs of the whole training.
    """

    def __init__(self, until, epochs):
        super().__init__()
        self._until = until
        self._last = epochs - 1
        self.has_stopped = False

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        now = time.monotonic()
        if epoch < self._last and now + (now - self._start) > self._until:
            self.has_stopped = True
            self.model.stop_training = True
