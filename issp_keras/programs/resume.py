"""How a training goes on from its checkpoint."""

import csv

from absl import logging

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.models import load_model


def restore(model, callbacks, checkpoint):
    """Puts the state of a checkpoint into a compiled model.

    Args:
        model: A compiled `keras.Model`.
        callbacks: List of callbacks whose state beside the model is loaded
            too.
        checkpoint: Path of a `.keras` file.

    Raises:
        InputError: If the checkpoint is not of this network.
    """
    other = f"{checkpoint}: is not a checkpoint of this config's network"
    if _shapes(load_model(checkpoint)) != _shapes(model):
        raise InputError(f"{other}.")
    for callback in callbacks:
        # So that its state is loaded too.
        callback.set_model(model)
    with blame(other, ValueError, KeyError):
        model.load_weights(checkpoint)
    logging.info("Going on from %s", checkpoint)


def _shapes(model):
    return [(weight.path, weight.shape) for weight in model.weights]


def keep_rows(path, epochs):
    """Drops what an interrupted epoch may have logged after its checkpoint.

    Args:
        path: `pathlib.Path` of the history, which need not exist.
        epochs: Integer, the epochs that the checkpoint has behind it.

    Raises:
        InputError: If the history cannot be read.
    """
    if not path.exists():
        return
    broken = (OSError, ValueError, csv.Error)
    with blame(f"{path}: is not a history that can be read", *broken):
        header, *rows = list(csv.reader(files.whole_lines(path))) or [[]]
        rows = [row for row in rows if row and int(row[0]) < epochs]
    with files.replacing(path) as kept, kept.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if rows else [])
