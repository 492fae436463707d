"""The ranges of activations that a training has found, beside its network.

They are no part of the network: a `.keras` file that holds them loads as the
plain one everywhere. `issp_keras.models.load_model` reads them again, so that
an export to int8 takes them.
"""

import zipfile

import h5py
import keras
import numpy as np

_NAME = "activation_ranges"
_WEIGHTS = "model.weights.h5"


class ActivationRanges(keras.layers.Layer):
    """Holds the range of each layer's output, and writes it to the file.

    Attributes:
        numbers: Dict of layers' names to variables of shape (3,): the lowest
            and the highest value, both 0 where there is none, and how many
            batches were seen.
    """

    def __init__(self, names, **kwargs):
        super().__init__(name=_NAME, trainable=False, **kwargs)
        self.numbers = {
            name: self.add_weight(
                shape=(3,),
                initializer="zeros",
                trainable=False,
                dtype="float32",
                autocast=False,
                aggregation="mean",
                name=f"range_{i}",
            )
            for i, name in enumerate(names)
        }
        self.built = True

    def call(self, inputs):
        return inputs

    def save_own_variables(self, store):
        for name, number in self.numbers.items():
            # A slash would make a group.
            store[name.replace("/", "|")] = number

    def load_own_variables(self, store):
        stored = set(store.keys())
        for name, number in self.numbers.items():
            key = name.replace("/", "|")
            if key in stored:
                number.assign(np.array(store[key]))


def attach(model: keras.Model, ranges: ActivationRanges):
    """Puts ranges beside a network, for its file and for exports."""
    # Not as Keras does: they are no layer of the network.
    vars(model)[_NAME] = ranges


def attached(model: keras.Model) -> ActivationRanges | None:
    """The ranges beside a network, or None."""
    return vars(model).get(_NAME)


def trained_ranges(model: keras.Model) -> dict[str, tuple[float, float]]:
    """The ranges beside a network that any batch has shown.

    Returns:
        Dict of layers' names to pairs: the lowest and the highest value.
    """
    ranges = attached(model)
    if ranges is None:
        return {}
    found = {}
    for name, number in ranges.numbers.items():
        low, high, _ = number.numpy().tolist()
        if low < high:
            found[name] = low, high
    return found


def read_ranges(path, model: keras.Model):
    """Puts the ranges that a `.keras` file holds, if any, beside its model."""
    with zipfile.ZipFile(path) as archive:
        if _WEIGHTS not in archive.namelist():
            return
        with (
            archive.open(_WEIGHTS) as weights,
            h5py.File(weights, "r") as file,
        ):
            group = file.get(f"{_NAME}/vars")
            if not group:
                return
            ranges = ActivationRanges(
                [name.replace("|", "/") for name in group]
            )
            ranges.load_own_variables(group)
    attach(model, ranges)
