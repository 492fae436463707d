"""A 3x3 convolution that is trained as a sum of branches."""

import keras
import numpy as np
from keras import activations
from keras import initializers
from keras import layers
from keras import ops

from issp_keras.models.parts.convolution import torch_uniform

_SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
_LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
_EDGES = np.stack([_SOBEL, _SOBEL.T, _LAPLACIAN])
# For the factors and biases of edges, as in the official network.
_FAINT = initializers.RandomNormal(stddev=1e-3)


@keras.saving.register_keras_serializable(package="issp_keras")
class ReparameterizedConv2D(layers.Layer):
    """An edge-oriented convolution block (ECB), in place of a 3x3 `Conv2D`.

    The layer trains the sum of these branches:

    - a 3x3 convolution;
    - a 1x1 convolution to `multiplier * filters` channels, and a 3x3
      convolution after it;
    - three 1x1 convolutions, each followed by one filter for edges (Sobel
      along x, Sobel along y, Laplacian) times a factor for each channel;
    - the input itself, if `identity` is true and it has `filters` channels.

    All of them are linear, so that their sum is one 3x3 convolution. The
    layer adds the kernels up first, and then convolves once, with zeros
    around the image. A training step therefore costs little more than that
    of `Conv2D`, and `issp_keras.models.merge` is exact. The official code
    convolves with each branch. It has the same outputs, since it pads the
    features between two convolutions with the bias of the first one.

    The 1x1 convolutions before the filters for edges have no bias here. Such
    a bias has no effect, since the numbers of each filter add up to 0.

    Kernels of branches are not pruned, since their zeros are not zeros of the
    sum.

    Example:

    >>> layer = ReparameterizedConv2D(16, activation="relu")
    >>> features = layer(images)
    >>> kernel = layer.merged_kernel()

    Args:
        filters: Integer, channels of the result.
        activation: String or callable, as in `keras.layers.Conv2D`. Defaults
            to none.
        multiplier: Integer, the number of channels between the 1x1 and the 3x3
            convolution, divided by `filters`. Defaults to `2`.
        identity: Boolean, whether the input itself may be a branch. Defaults
            to `True`.

    Reference: Zhang et al., Edge-oriented Convolution Block for Real-time
    Super Resolution on Mobile Devices, ACM MM 2021, Sec. 3.2 and 3.3.
    """

    def __init__(
        self, filters, activation=None, multiplier=2, identity=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = activations.get(activation)
        self.multiplier = multiplier
        self.identity = identity

    def build(self, input_shape):
        inputs = input_shape[-1]
        outputs = self.filters
        between = self.multiplier * outputs
        edges = len(_EDGES)
        start = torch_uniform(9 * inputs)
        self.kernel = self._add("kernel", (3, 3, inputs, outputs), start)
        self.bias = self._add("bias", (outputs,), start)
        start = torch_uniform(inputs)
        self.expand_kernel = self._add(
            "expand_kernel", (inputs, between), start
        )
        self.expand_bias = self._add("expand_bias", (between,), start)
        self.edge_kernel = self._add(
            "edge_kernel", (edges, inputs, outputs), start
        )
        start = torch_uniform(9 * between)
        self.project_kernel = self._add(
            "project_kernel", (3, 3, between, outputs), start
        )
        self.project_bias = self._add("project_bias", (outputs,), start)
        self.edge_scale = self._add("edge_scale", (edges, outputs), _FAINT)
        self.edge_bias = self._add("edge_bias", (edges, outputs), _FAINT)

    def _add(self, name, shape, start):
        # The branches are added in float32, also under mixed precision.
        return self.add_weight(
            shape=shape, initializer=start.clone(), name=name, autocast=False
        )

    def merged_kernel(self):
        """The kernel of the sum, of shape (3, 3, inputs, filters)."""
        scaled = self.edge_kernel * ops.expand_dims(self.edge_scale, 1)
        kernel = (
            self.kernel
            + ops.einsum(
                "im,hwmo->hwio", self.expand_kernel, self.project_kernel
            )
            + ops.einsum("ehw,eio->hwio", _EDGES, scaled)
        )
        inputs = kernel.shape[2]
        has_identity = self.identity and inputs == self.filters
        return kernel + _identity(inputs) if has_identity else kernel

    def merged_bias(self):
        """The bias of the sum, of shape (filters,)."""
        return (
            self.bias
            + ops.einsum("m,hwmo->o", self.expand_bias, self.project_kernel)
            + self.project_bias
            + ops.sum(self.edge_bias, axis=0)
        )

    def call(self, x):
        kernel = ops.cast(self.merged_kernel(), self.compute_dtype)
        bias = ops.cast(self.merged_bias(), self.compute_dtype)
        x = ops.conv(x, kernel, padding="same", data_format="channels_last")
        return self.activation(x + bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "activation": activations.serialize(self.activation),
            "multiplier": self.multiplier,
            "identity": self.identity,
        }
        return {**super().get_config(), **config}


def _identity(channels):
    kernel = np.zeros((3, 3, channels, channels), np.float32)
    kernel[1, 1] = np.eye(channels)
    return kernel


def convolve_reparameterized(x, filters, name, activation=None, identity=True):
    """Applies a 3x3 convolution that is trained as a sum of branches.

    Args:
        x: Keras tensor of shape (batch, height, width, channels).
        filters: Integer, channels of the result.
        name: String, name of the layer.
        activation: String, as in `keras.layers.Conv2D`. Defaults to none.
        identity: Boolean, whether the input itself may be a branch. Defaults
            to `True`.

    Returns:
        Keras tensor of shape (batch, height, width, filters).
    """
    layer = ReparameterizedConv2D(
        filters, activation, identity=identity, name=name
    )
    return layer(x)
