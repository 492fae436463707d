"""Logs of the sparsity during training, for TensorBoard and spreadsheets."""

import csv
import pathlib
from typing import Any

import keras
import numpy as np

from issp_keras import files
from issp_keras.callbacks.sparse_training import SparseTraining
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.reprs import Readable

_COLUMNS = (
    "step",
    "kernel",
    "sparsity",
    "threshold",
    "mask_change",
    "gradient_norm",
)


class SparsitySummaries(Readable, keras.callbacks.Callback):
    """Logs the sparsity of each kernel during sparse training.

    Each log has four numbers for each kernel:

    - `sparsity`: the share of exact zeros;
    - `threshold`: the largest magnitude among the weights that the method
      shrinks towards zero;
    - `mask_change`: the share of the kernel's weights that have joined or
      left the shrunk weights since the last log;
    - `gradient_norm`: the L2 norm of the loss's gradient in the last step,
      the paper's measure of trainability. With `MirroredStrategy`, it is the
      norm on the first replica.

    The callback writes them to `folder/sparsity.csv`, with one row for each
    kernel and log. If the package tensorboard is installed, it also writes
    scalars for TensorBoard to `folder/tensorboard`.

    A training that is resumed from a checkpoint continues the file. The rows
    after the checkpoint are dropped. For this, a checkpoint stores the masks
    of the last log, one bit for each weight.

    Args:
        sparse_training: The `SparseTraining` or `ISSPCallback` of the same
            `fit`.
        folder: Path of a folder. It is created if it is missing.
        frequency: `"epoch"`, or an integer, the number of optimizer steps
            between two logs (checked after each batch that Keras reports).
            Defaults to `"epoch"`.

    Raises:
        TypeError: If `sparse_training` is not a `SparseTraining`.
        ValueError: If `frequency` is neither `"epoch"` nor a positive
            integer, or `sparse_training` does not record gradients. When
            training begins: if `sparse_training` is not in the same `fit`, or
            `folder` holds a `sparsity.csv` that cannot be read or written.
    """

    def __init__(
        self,
        sparse_training: SparseTraining,
        folder: StrPath,
        frequency: str | int = "epoch",
    ) -> None:
        super().__init__()
        if not isinstance(sparse_training, SparseTraining):
            raise TypeError(
                "`sparse_training` must be the SparseTraining callback of the "
                f"same fit. Received: {sparse_training!r}"
            )
        is_number = isinstance(frequency, int) and frequency > 0
        if frequency != "epoch" and (not is_number or frequency is True):
            raise ValueError(
                "`frequency` must be 'epoch' or a positive number of steps. "
                f"Received: frequency={frequency!r}"
            )
        if not sparse_training.record_gradients:
            raise ValueError(
                "SparsitySummaries writes gradient norms: expected a "
                "`sparse_training` with record_gradients=True. "
                "Received: record_gradients=False"
            )
        self._training = sparse_training
        self._folder = pathlib.Path(folder)
        self._frequency = frequency
        self._masks = None
        self._logged = 0
        self._writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._writer = None

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        is_other = self._training.model is not self.model
        if is_other or not self._training.is_running():
            raise ValueError(
                "SparsitySummaries needs its `sparse_training` among the "
                "callbacks of the same fit."
            )
        # Find them here too, so that the order of callbacks does not matter.
        self._training.find_steps(epoch)
        # By now other callbacks have loaded their checkpoints.
        if self._writer is None:
            self._logged = self._training.steps()
            self._masks = self._masks_of(self._open())

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if isinstance(self._frequency, str):
            return  # The frequency is "epoch".
        step = self._training.steps()
        if step // self._frequency > self._logged // self._frequency:
            self._log(step)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self._frequency == "epoch":
            self._log(self._training.steps())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self):
        """Begins or continues the file; returns the step of its last row."""
        files.make_folder(self._folder)
        path = self._folder / "sparsity.csv"
        rows = []
        if path.exists():
            broken = (OSError, ValueError, KeyError, csv.Error)
            with blame(f"{path}: is not a readable table", *broken):
                rows = self._rows_until_now(path)
        with files.replacing(path) as part, part.open("w", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        self._writer = _ScalarWriter(self._folder / "tensorboard")
        return int(rows[-1]["step"]) if rows else None

    def _rows_until_now(self, path):
        return [
            {name: row[name] for name in _COLUMNS}
            for row in csv.DictReader(files.whole_lines(path))
            if int(row["step"]) <= self._logged
        ]

    def _masks_of(self, step):
        """The masks of the last log; None if they are unknown."""
        last = self._training.pruned_model.state.logged
        if last is not None and last.step == step:
            return last.masks
        if step == self._logged:
            # The checkpoint was made just before the log.
            return [row.mask for row in self._training.snapshot()]
        return None

    def _log(self, step):
        self._logged = step
        kernels = self._training.snapshot()
        masks = [kernel.mask for kernel in kernels]
        rows = [
            {
                "step": step,
                "kernel": kernel.path,
                "sparsity": float(np.mean(values == 0)),
                "threshold": float(np.abs(values[mask]).max(initial=0)),
                "mask_change": float(np.mean(mask != before)),
                "gradient_norm": norm,
            }
            for (kernel, values, mask, norm), before in zip(
                kernels, self._masks or masks, strict=True
            )
        ]
        self._masks = masks
        self._training.pruned_model.state.remember(step, masks)
        with (self._folder / "sparsity.csv").open("a", newline="") as file:
            csv.DictWriter(file, _COLUMNS).writerows(rows)
        for row in rows:
            for name in _COLUMNS[2:]:
                tag = f"{name}/{row['kernel']}"
                self._writer.add_scalar(tag, row[name], step)
        self._writer.flush()


class _ScalarWriter:
    """Writes scalars for TensorBoard, if tensorboard is installed."""

    def __init__(self, folder):
        try:
            from tensorboard.summary import Writer
        except ImportError:
            self._writer = None
        else:
            self._writer = Writer(str(folder))

    def add_scalar(self, tag, value, step):
        if self._writer is not None:
            self._writer.add_scalar(tag, value, step)

    def flush(self):
        if self._writer is not None:
            self._writer.flush()

    def close(self):
        if self._writer is not None:
            self._writer.close()
