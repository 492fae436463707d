"""Layer normalisation with an explicit gradient."""

import keras
from keras import layers
from keras import ops

from issp_keras.models.parts.gradients import with_gradient

# PyTorch's default.
_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="issp_keras")
class ChannelNormalization(layers.Layer):
    """Layer normalisation of the channels, the last axis.

    It equals `keras.layers.LayerNormalization` of that axis. Without fused
    operations, for example on a CPU without XLA, TensorFlow's automatic
    gradient makes about twice as many passes over the features.

    Args:
        epsilon: Float, added to the variance. Defaults to `1e-5`.
    """

    def __init__(self, epsilon=_EPSILON, **kwargs):
        # Weights stay float32 under mixed precision.
        super().__init__(autocast=False, **kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(
            shape=shape, initializer="ones", name="gamma"
        )
        self.beta = self.add_weight(
            shape=shape, initializer="zeros", name="beta"
        )

    def call(self, inputs):
        return normalized(inputs, self.gamma, self.beta, self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def normalized(x, gamma, beta, epsilon=_EPSILON):
    """Layer normalisation over the last axis, computed in float32.

    Args:
        x: Tensor of shape (..., channels).
        gamma: Tensor of shape (channels,).
        beta: Tensor of shape (channels,).
        epsilon: Float, added to the variance. Defaults to `1e-5`.

    Returns:
        Tensor of the shape and dtype of `x`.

    Reference: Ba et al., Layer Normalization, 2016 (arXiv 1607.06450), eq. 4.
    """

    @with_gradient
    def normalization(x, gamma, beta):
        centered = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon)
        normal = centered * scale

        def gradient(upstream):
            along = upstream * normal
            mean = ops.expand_dims(gamma, 1) / x.shape[-1]
            inner = upstream * gamma - ops.matmul(upstream, mean)
            return (
                (inner - normal * ops.matmul(along, mean)) * scale,
                _sum_of_rows(along),
                _sum_of_rows(upstream),
            )

        return normal * gamma + beta, gradient

    single = ops.cast(x, "float32")
    # Copies, since `with_gradient` does not accept variables.
    gamma, beta = (ops.cast(ops.copy(t), "float32") for t in (gamma, beta))
    return ops.cast(normalization(single, gamma, beta), x.dtype)


def _sum_of_rows(x):
    # Faster than the sum over several axes.
    return ops.sum(ops.reshape(x, (-1, x.shape[-1])), axis=0)
