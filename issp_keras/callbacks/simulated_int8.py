"""Quantization-aware training for int8."""

import functools
from typing import Any

import keras
from keras import layers
from keras import ops

from issp_keras import keras_internals
from issp_keras.activation_ranges import ActivationRanges
from issp_keras.activation_ranges import attach
from issp_keras.activation_ranges import attached
from issp_keras.callbacks.kernels import find_kernels
from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import whole_number

# The largest level of a kernel. TFLite's kernels are symmetric, so zero stays
# zero.
_LEVELS = 127
# The width of the range if the output of a layer is always zero.
_NARROWEST = 1e-6
# TFLite stores a separate range for the outputs of these layers.
_COMPUTING = (
    layers.Activation,
    layers.Add,
    layers.LeakyReLU,
    layers.Multiply,
    layers.PReLU,
    layers.ReLU,
    layers.Subtract,
)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)


class SimulatedInt8(Readable, keras.callbacks.Callback):
    """Fine-tunes a network with simulated int8, for a better int8 export.

    While `fit` runs, the callback rounds kernels to the int8 levels of each
    output channel. It rounds the outputs of layers to the int8 levels of a
    range for each tensor. Gradients ignore the rounding (a straight-through
    estimator) and are zero where a value is clipped. The ranges are moving
    averages of the extremes of a batch. The weights stay float, and zeros stay
    zero. So the callback can be used with `SparseTraining`: begin when its
    pruning stage is over.

    After `fit`, the model computes in float again. The ranges are stored with
    the model. Its `.keras` file holds them and still loads as the plain
    network. `issp_keras.tflite.export` uses them if they give the best result.
    A checkpoint restores the ranges with the weights. For this, call
    `callback.set_model(model)` before you load the checkpoint.

    The callback rounds the prunable kernels, the outputs of their layers, and
    the outputs of Add, Subtract, Multiply and activations. If only ReLU
    follows a layer, TFLite fuses the two, and only the output of ReLU is
    rounded. The output of the network is not rounded: the file has the levels
    of 8-bit images there. Batch normalisation is not simulated. Train in
    float32. With `MirroredStrategy`, each replica finds the extremes of its
    part of a batch, and the ranges use the mean of the replicas.

    Example:

    >>> sparse = ISSPCallback(ISSPSchedule(0.9, end_step=1000))
    >>> int8 = SimulatedInt8(begin_step=1000)
    >>> model.fit(x, y, epochs=20, callbacks=[sparse, int8])
    >>> issp_keras.tflite.export(model, "sr.tflite", precision="int8")

    Args:
        begin_step: Integer, the number of batches before rounding begins. The
            ranges are updated from the first batch on. If a network calls a
            layer several times, each call counts as a batch for this layer.
            Defaults to `0`.
        momentum: Float in [0, 1), the momentum of the moving averages.
            Defaults to `0.99`.

    Raises:
        ValueError: If an argument is outside its range, or the model has no
            kernel to round.

    Reference: Jacob et al., Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference, CVPR 2018 (arXiv 1712.05877),
    Sec. 3.
    """

    def __init__(self, begin_step: int = 0, momentum: float = 0.99):
        super().__init__()
        self.begin_step = whole_number("begin_step", begin_step, least=0)
        if not 0 <= momentum < 1:
            raise ValueError(
                f"`momentum` must be in [0, 1). Received: momentum={momentum!r}"
            )
        self.momentum = momentum

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        # Do not wait until training begins: other callbacks may load a
        # checkpoint then.
        if model.built:
            self._ranges()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        _remove(self.model)
        ranges = self._ranges()
        keras_internals.track_layer(self.model, ranges)
        kernels = _kernels(self.model)
        rounded = _rounded(self.model, kernels)
        numbers = set(map(id, rounded))
        for layer in rounded:
            observer = _Observer(
                ranges.numbers[_name(layer)],
                self.begin_step,
                self.momentum,
                _has_range(layer) and not _ends(self.model, layer, numbers),
                dtype=layer.dtype_policy,
            )
            layer.call = functools.partial(
                _call, layer, layer.call, observer, kernels.get(id(layer), [])
            )
        keras_internals.forget_functions(self.model)
        self.model.make_train_function(force=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        keras_internals.synchronise(self.model)
        _remove(self.model)
        self.model.make_train_function(force=True)

    def give_ranges(self, network: keras.Model) -> None:
        """Stores the ranges of this callback's model with another network.

        Args:
            network: Another `keras.Model` with the same layers, such as one
                without optimizer.
        """
        attach(network, self._ranges())

    def _ranges(self):
        names = [
            _name(layer) for layer in _rounded(self.model, _kernels(self.model))
        ]
        ranges = attached(self.model)
        if ranges is None or set(ranges.numbers) != set(names):
            with keras_internals.strategy_scope(self.model):
                ranges = ActivationRanges(names)
            attach(self.model, ranges)
        return ranges


class _Observer(layers.Layer):
    """Updates the range of a tensor, and rounds the tensor."""

    def __init__(self, number, begin, momentum, has_range, dtype):
        super().__init__(dtype=dtype)
        # A callable hides the variable from Keras: another layer owns it.
        self._numbers = (lambda: number,)
        self._begin = begin
        self._momentum = momentum
        self._has_range = has_range

    def is_on(self):
        """Whether rounding has begun."""
        return ops.convert_to_tensor(self._numbers[0]())[2] > self._begin

    def call(self, x, training=None):
        number = self._numbers[0]()
        values = ops.convert_to_tensor(number)
        if training:
            values = self._followed(x, values)
            number.assign(values)
        if not self._has_range:
            return x
        low, high = values[0], ops.maximum(values[1], values[0] + _NARROWEST)
        rounded = keras.quantizers.fake_quant_with_min_max_vars(x, low, high)
        return ops.where(self.is_on(), ops.cast(rounded, x.dtype), x)

    def _followed(self, x, values):
        x = ops.cast(ops.stop_gradient(x), "float32")
        low = ops.minimum(ops.min(x), 0.0)
        high = ops.maximum(ops.max(x), 0.0)
        if not self._has_range:
            low = high = ops.zeros_like(low)
        batches = values[2]
        # At first, this is the mean of all batches so far.
        rate = ops.maximum(1 - self._momentum, 1 / (batches + 1))
        ends = values[:2] + rate * (ops.stack([low, high]) - values[:2])
        return ops.concatenate([ends, ops.reshape(batches + 1, (1,))])


def _call(layer, call, observer, kernels, *arguments, **keywords):
    """Calls a layer with rounded kernels, and rounds its output."""
    values = {id(v): (v, ops.convert_to_tensor(v)) for v in layer.variables}
    is_on = observer.is_on()
    for variable, axes in kernels:
        value = values[id(variable)][1]
        rounded = ops.where(is_on, round_kernel(value, axes), value)
        values[id(variable)] = variable, rounded
    # Only this scope makes layers use other values than their variables'.
    with keras.StatelessScope(state_mapping=list(values.values())):
        outputs = call(*arguments, **keywords)
    return observer(outputs)


def round_kernel(kernel, axes):
    """Rounds a kernel to the int8 levels of each output channel.

    Args:
        kernel: Float tensor.
        axes: Tuple of integers, the axes of an output channel's weights.

    Returns:
        Float tensor. The gradient passes to `kernel` unchanged.
    """
    largest = ops.max(ops.abs(kernel), axis=axes, keepdims=True)
    scale = ops.where(largest > 0, largest / _LEVELS, 1.0)
    rounded = ops.round(kernel / scale) * scale
    return kernel + ops.stop_gradient(rounded - kernel)


def _kernels(model):
    """The kernels of each layer, with the axes of a channel's weights."""
    found: dict[int, list] = {}
    for kernel in find_kernels(model)[0]:
        axes = (*kernel.facts.spatial_axes, *kernel.facts.input_axes)
        if isinstance(kernel.layer, _DEPTHWISE):
            axes = kernel.facts.spatial_axes
        found.setdefault(id(kernel.layer), []).append((kernel.variable, axes))
    return found


def _rounded(model, kernels):
    """Lists the layers whose kernel or output is rounded, without repeats."""
    every_layer = {
        id(layer): layer for layer in keras_internals.every_layer(model)
    }
    return [
        layer
        for number, layer in every_layer.items()
        if number in kernels
        or (isinstance(layer, _COMPUTING) and not _is_linear(layer))
    ]


def _name(layer):
    # Only layers with weights have a path.
    return layer.path or layer.name


def _has_range(layer):
    """Whether TFLite stores the output of a layer before any ReLU."""
    users = keras_internals.users(layer)
    return not users or not all(map(_is_relu, users))


def _ends(model, operation, rounded):
    """Whether no rounded layer follows an operation in a model.

    The file has the levels of 8-bit images at such an operation.
    """
    users = keras_internals.users(operation)
    if not users:
        return keras_internals.makes_output(model, operation)
    return all(
        id(user) not in rounded and _ends(model, user, rounded)
        for user in users
    )


def _is_relu(layer):
    return isinstance(layer, layers.ReLU) or (
        isinstance(layer, layers.Activation)
        and layer.activation is keras.activations.relu
    )


def _is_linear(layer):
    return (
        isinstance(layer, layers.Activation)
        and layer.activation is keras.activations.linear
    )


def _remove(model):
    """Restores the `call` of the layers, also after an interrupted `fit`."""
    for layer in keras_internals.every_layer(model):
        call = vars(layer).get("call")
        if isinstance(call, functools.partial) and call.func is _call:
            del layer.call
    ranges = attached(model)
    if ranges is not None:
        keras_internals.untrack_layer(model, ranges)
    keras_internals.forget_functions(model)
