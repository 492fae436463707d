"""Stochastic depth with a random state that a resumed training restores."""

import keras
import numpy as np
from keras import layers
from keras import ops


@keras.saving.register_keras_serializable(package="issp_keras")
class StochasticDepth(layers.Layer):
    """Drops a residual for some images of a batch during training.

    The other residuals are divided by the probability to stay. Unlike
    `keras.layers.Dropout`, the layer saves the state of its random numbers
    with the weights. So a resumed training draws the same numbers as an
    uninterrupted training.

    Args:
        rate: Float, at least 0 and less than 1, the probability of dropping.
        seed: Integer. Defaults to a random one.

    Reference: Huang et al., Deep Networks with Stochastic Depth, ECCV 2016
    (arXiv 1603.09382), Sec. 3.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        shape = (ops.shape(inputs)[0], *(1 for _ in inputs.shape[1:]))
        draw = keras.random.uniform(shape, seed=self.seed_generator)
        stays = ops.cast(draw >= self.rate, inputs.dtype)
        return inputs * (stays / (1 - self.rate))

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        store["random_state"] = ops.convert_to_numpy(
            self.seed_generator.state.value
        )

    def load_own_variables(self, store):
        self.seed_generator.state.assign(np.array(store["random_state"]))

    def get_config(self):
        config = {"rate": self.rate, "seed": self.seed}
        return {**super().get_config(), **config}


def add_residual(x, residual, rate, name):
    """Adds `residual` to `x`, and drops it at `rate` while training."""
    if rate:
        residual = StochasticDepth(rate, name=f"{name}.drop")(residual)
    return layers.Add(name=f"{name}.add")([x, residual])
