"""Tiny networks, and small photographs to compare them on."""

import functools

import keras
import numpy as np

from issp_keras import models
from issp_keras.data import Pair
from issp_keras.data import load_pairs

_SIZE = 32
# Whether `keras.Model.export` knows `format="litert"`.
HAS_LITERT = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 13)

TINY = {
    "cat": lambda scale=2: models.cat(scale, 32, (2,), heads=2, features=4),
    "cat_axial": lambda scale=2: models.cat(
        scale, 32, (2,), heads=2, windows=(2, None), features=4
    ),
    "edge_sr": lambda scale=2: models.edge_sr(scale, width=6, blocks=2),
    "edsr": lambda scale=2: models.edsr(scale, features=4, blocks=1),
    "plain": lambda scale=2: models.plain(scale, features=4, blocks=1),
    "rcan": lambda scale=2: models.rcan(
        scale, 4, groups=1, blocks=2, squeeze=2
    ),
    "swinir": lambda scale=2: models.swinir(scale, 6, (2,), heads=2),
    "swinir_classical": lambda scale=2: models.swinir(
        scale, 6, (2,), heads=2, upsampler="pixelshuffle", features=4
    ),
}


def without_values():
    """A context for networks of full size if only their shapes are read.

    Most of the time to build them goes into drawing initial values.
    """
    return keras.StatelessScope(initialize_variables=False)


@functools.cache
def small_pairs(scale=2):
    """The middles of the held-out photographs."""
    pairs = []
    for pair in load_pairs("embedded", "held_out", scale):
        top, left = (n // 2 for n in pair.lr.shape[:2])
        pairs.append(
            Pair(
                pair.name,
                pair.lr[top : top + _SIZE, left : left + _SIZE],
                pair.hr[scale * top :, scale * left :][
                    : scale * _SIZE, : scale * _SIZE
                ],
            )
        )
    return pairs


def in_blocks(model, zeros=0.95):
    """Prunes a model in random blocks of four input channels.

    First layers, of three channels, stay dense.
    """
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        if len(shape) == 4 and shape[2] % 4 == 0:
            blocks = (*shape[:2], shape[2] // 4, shape[3])
            kept = np.repeat(rng.random(blocks) >= zeros, 4, 2)
            variable.assign(variable.numpy() * kept)
    return model


def write_tflite(model, path):
    """Writes an ordinary file with TensorFlow's converter."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    path.write_bytes(converter.convert())
