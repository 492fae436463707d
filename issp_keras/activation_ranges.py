"""The ranges of activations that a training finds, stored with its network.

They are not part of the network. A `.keras` file with ranges loads as the
plain network in Keras. `issp_keras.models.load_model` also reads the ranges,
and an export to int8 uses them.
"""

import zipfile

import h5py
import keras
import numpy as np

_NAME = "activation_ranges"
_WEIGHTS = "model.weights.h5"


class ActivationRanges(keras.layers.Layer):
    """Holds the range of each layer's output, and saves it to the file.

    Attributes:
        numbers: Dict from layer names to variables of shape (3,): the lowest
            value, the highest value, and the number of batches. The first two
            are 0 if the layer has no range.
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
            # A slash would make an HDF5 group.
            store[name.replace("/", "|")] = number

    def load_own_variables(self, store):
        stored = set(store.keys())
        for name, number in self.numbers.items():
            key = name.replace("/", "|")
            if key in stored:
                number.assign(np.array(store[key]))


def attach(model: keras.Model, ranges: ActivationRanges):
    """Stores ranges with a network, for its file and for exports."""
    # Avoid Keras' attribute tracking, since this is not a layer of the network.
    vars(model)[_NAME] = ranges


def attached(model: keras.Model) -> ActivationRanges | None:
    """Returns the ranges that are stored with a network, or None."""
    return vars(model).get(_NAME)


def trained_ranges(model: keras.Model) -> dict[str, tuple[float, float]]:
    """Returns the ranges of a network that training has filled.

    Returns:
        Dict from layer names to pairs: the lowest and the highest value.
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
    """Reads the ranges in a `.keras` file, if any, and stores them."""
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
