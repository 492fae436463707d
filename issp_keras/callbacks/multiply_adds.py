"""How often a model uses the weights of its kernels."""

import contextlib
import math

import keras
from keras import layers

from issp_keras import keras_internals
from issp_keras.callbacks.kernels import TRANSPOSED
from issp_keras.callbacks.kernels import PrunableKernel

# These layers call an inner layer at every step of the input's second axis.
_LOOPS = (layers.RNN, layers.TimeDistributed)


def count_uses(model, kernels, input_shape=None, unknown=None):
    """Counts how often each weight is used in one forward pass.

    Each use of a weight is one multiply-add. One symbolic call computes the
    shapes of all layers without their values. A recurrent layer and a
    `TimeDistributed` layer use their weights at every step.

    Args:
        model: A built `keras.Model` with one input.
        kernels: List of `PrunableKernel` of this model.
        input_shape: Tuple of integers, including the batch. Defaults to the
            model's input shape, with 1 for an unknown batch.
        unknown: Integer, the input size along an axis where the model takes
            any size. Defaults to none.

    Returns:
        List of integers, one for each kernel; None if a size is unknown.

    Raises:
        ValueError: If the model cannot take an input of that shape.
    """
    if input_shape is None:
        input_shape = getattr(model, "input_shape", None)
        if not isinstance(input_shape, tuple):
            return None
        batch, *sizes = input_shape
        input_shape = (batch or 1, *(size or unknown for size in sizes))
        if None in input_shape:
            return None
    uses = dict.fromkeys((id(kernel.variable) for kernel in kernels), 0)
    with contextlib.ExitStack() as stack:
        _count_calls(stack, kernels, uses)
        _count_steps(stack, model, uses)
        try:
            # A symbolic call computes shapes without values.
            layers.Lambda(lambda x: model(x, training=False))(
                keras.KerasTensor(input_shape, model.compute_dtype)
            )
        except Exception as error:
            raise ValueError(
                f"The model '{model.name}' cannot take an input of shape "
                f"{input_shape}. Pass `input_shape`, including the batch: "
                f"{error}"
            ) from error
    return [uses[id(kernel.variable)] for kernel in kernels]


@contextlib.contextmanager
def _replaced(layer, name, value):
    """Replaces an attribute of a layer by `value` inside the block."""
    before = layer.__dict__.get(name)
    setattr(layer, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(layer, name)
        else:
            setattr(layer, name, before)


def _count_calls(stack, kernels, uses):
    """Makes each call of a layer count the uses of its kernels."""
    by_layer: dict[int, list[PrunableKernel]] = {}
    for kernel in kernels:
        by_layer.setdefault(id(kernel.layer), []).append(kernel)
    for members in by_layer.values():
        layer = members[0].layer
        counting = _counting(layer, members, uses)
        stack.enter_context(_replaced(layer, "call", counting))


def _counting(layer, kernels, uses):
    call = layer.call

    def counting(inputs, *args, **kwargs):
        output = call(inputs, *args, **kwargs)
        result = output[0] if isinstance(output, (tuple, list)) else output
        count = _uses(layer, tuple(inputs.shape), tuple(result.shape))
        for kernel in kernels:
            uses[id(kernel.variable)] += count
        return output

    return counting


def _count_steps(stack, model, uses):
    """Makes each call of a layer that loops over steps count all steps."""
    loops = [
        _Loop(layer, uses)
        for layer in keras_internals.every_layer(model)
        if isinstance(layer, _LOOPS)
    ]
    for loop in loops:
        counting = loop.counting(loop.layer.call)
        stack.enter_context(_replaced(loop.layer, "call", counting))
        if hasattr(loop.layer, "use_cudnn"):
            # cuDNN computes all steps without a call of the body.
            stack.enter_context(_replaced(loop.layer, "use_cudnn", False))
    # After the loops above, since the body of a loop may be a loop too.
    for loop in loops:
        counting = loop.counting_step(loop.body.call)
        stack.enter_context(_replaced(loop.body, "call", counting))


class _Loop:
    """A layer that calls its body once for each step.

    The symbolic call runs the body once, twice, or once for each step. The
    number depends on the backend.
    """

    def __init__(self, layer, uses):
        self.layer = layer
        self.body = layer.cell if isinstance(layer, layers.RNN) else layer.layer
        self._uses = uses
        self._runs = 0
        self._inside = dict.fromkeys(uses, 0)

    def counting(self, call):
        """Returns a call of the layer that counts each step."""

        def counting(inputs, *args, **kwargs):
            outside = dict(self._uses)
            self._runs, self._inside = 0, dict.fromkeys(outside, 0)
            output = call(inputs, *args, **kwargs)
            for kernel, count in self._inside.items():
                if count:
                    # Keras calls stacked cells one extra time before the steps.
                    of_all = count // self._runs * inputs.shape[1]
                    self._uses[kernel] = outside[kernel] + of_all
            return output

        return counting

    def counting_step(self, call):
        """Returns a call of the body that counts the uses of one step."""

        def counting(*args, **kwargs):
            before = dict(self._uses)
            output = call(*args, **kwargs)
            self._runs += 1
            for kernel, count in before.items():
                self._inside[kernel] += self._uses[kernel] - count
            return output

        return counting


def _uses(layer, input_shape, output_shape):
    """How often each weight of a layer is used in one call."""
    if isinstance(layer, layers.EinsumDense):
        return _uses_in_einsum(layer.equation, input_shape)
    if isinstance(layer, TRANSPOSED):
        return _places(layer, input_shape)
    if isinstance(layer, layers.Dense):
        return math.prod(output_shape[:-1])
    if hasattr(layer, "strides"):
        return _places(layer, output_shape)
    return output_shape[0]


def _uses_in_einsum(equation, shape):
    """The product of the input's axes that the kernel lacks."""
    inputs, kernel = equation.split("->")[0].split(",")
    # The ellipsis stands for any number of axes.
    axes = inputs.replace("...", "." * (len(shape) - len(inputs) + 3))
    return math.prod(
        size for axis, size in zip(axes, shape) if axis not in kernel
    )


def _places(layer, shape):
    if getattr(layer, "data_format", None) == "channels_first":
        return shape[0] * math.prod(shape[2:])
    return math.prod(shape[:-1])
