"""Resumes a training from its checkpoint."""

import csv
import warnings

import keras
from absl import logging

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.models import load_model


def restore(model, callbacks, checkpoint):
    """Loads the state of a checkpoint into a compiled model.

    Args:
        model: A compiled `keras.Model`.
        callbacks: List of callbacks. Their state is loaded too.
        checkpoint: Path of a `.keras` file.

    Raises:
        InputError: If the checkpoint is from another network or optimizer.
    """
    other = f"{checkpoint}: is not a checkpoint of this config's network"
    if _shapes(load_model(checkpoint)) != _shapes(model):
        raise InputError(f"{other}.")
    for callback in callbacks:
        # The callback then attaches its state, which is loaded too.
        callback.set_model(model)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with blame(other, ValueError, KeyError), warnings.catch_warnings():
        # Keras only warns if it leaves an optimizer as it is.
        warnings.filterwarnings("error", "Skipping variable loading")
        model.load_weights(checkpoint)
    logging.info("Continuing from %s", checkpoint)


def steps_done(model) -> int:
    """Returns how many steps the optimizer of a model has made."""
    return int(keras.ops.copy(model.optimizer.iterations))


def _shapes(model):
    return [(weight.path, weight.shape) for weight in model.weights]


def keep_rows(path, epochs):
    """Drops the rows that an interrupted epoch logged after the checkpoint.

    Args:
        path: `pathlib.Path` of the history. The file may be missing.
        epochs: Integer, the number of epochs before the checkpoint.

    Raises:
        InputError: If the history cannot be read.
    """
    if not path.exists():
        return
    broken = (OSError, ValueError, csv.Error)
    with blame(f"{path}: is not a readable history", *broken):
        header, *rows = list(csv.reader(files.whole_lines(path))) or [[]]
        rows = [row for row in rows if row and int(row[0]) < epochs]
    with files.replacing(path) as kept, kept.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if rows else [])
