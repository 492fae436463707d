"""GELU with an explicit gradient."""

import math

import keras
from keras import ops

from issp_keras.models.parts.gradients import with_gradient

_ROOT = math.sqrt(0.5)
_DENSITY = 2 / math.sqrt(2 * math.pi)


@keras.saving.register_keras_serializable(package="issp_keras")
def gelu(x):
    """Exact GELU, equal to `keras.activations.gelu`, with a faster gradient.

    Without fused operations, for example on a CPU without XLA, TensorFlow's
    automatic gradient makes 1.5 times as many passes over the features.

    Args:
        x: Tensor.

    Returns:
        Tensor of the shape and dtype of `x`: x * P(X <= x) for a standard
        normal X.

    Reference: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016 (arXiv
    1606.08415), eq. 1.
    """

    return _gelu(x)


@with_gradient
def _gelu(x):
    half = 0.5 * x
    scaled = x * _ROOT
    twice = 1 + ops.erf(scaled)

    def gradient(upstream):
        density = ops.exp(-ops.square(scaled)) * _DENSITY
        return upstream * (0.5 * twice + half * density)

    return half * twice, gradient
