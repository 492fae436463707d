"""How often a model uses the weights of its kernels."""

import math

import keras
from keras import layers

from issp_keras.callbacks.kernels import TRANSPOSED
from issp_keras.callbacks.kernels import PrunableKernel


def count_uses(model, kernels, input_shape=None, unknown=None):
    """Counts how often each weight is used in one forward pass.

    A weight is used in as many multiply-adds. One symbolic call computes the
    shapes of all layers, and no values.

    Args:
        model: A built `keras.Model` of one input.
        kernels: List of `PrunableKernel` of this model.
        input_shape: Tuple of integers, the batch among them. Defaults to the
            model's own, with 1 for an unknown batch.
        unknown: Integer, the size of the input where the model takes any.
            Defaults to none.

    Returns:
        List of integers, one a kernel; None if a size is unknown.

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
    by_layer: dict[int, list[PrunableKernel]] = {}
    for kernel in kernels:
        by_layer.setdefault(id(kernel.layer), []).append(kernel)
    uses = dict.fromkeys((id(kernel.variable) for kernel in kernels), 0)
    calls = {}
    for members in by_layer.values():
        layer = members[0].layer
        calls[layer] = layer.call
        layer.call = _counting(layer, members, uses)
    try:
        # A symbolic call, which computes shapes and no values.
        layers.Lambda(lambda x: model(x, training=False))(
            keras.KerasTensor(input_shape, model.compute_dtype)
        )
    except Exception as error:
        raise ValueError(
            f"The model '{model.name}' cannot take an input of shape "
            f"{input_shape}. Pass `input_shape`, the batch among it: {error}"
        ) from error
    finally:
        for layer in calls:
            del layer.call
    return [uses[id(kernel.variable)] for kernel in kernels]


def _counting(layer, kernels, uses):
    call = layer.call

    def counting(inputs, *args, **kwargs):
        output = call(inputs, *args, **kwargs)
        result = output[0] if isinstance(output, (tuple, list)) else output
        for kernel in kernels:
            uses[id(kernel.variable)] += _uses(
                layer, kernel.facts, tuple(inputs.shape), tuple(result.shape)
            )
        return output

    return counting


def _uses(layer, facts, input_shape, output_shape):
    """How often each weight of a kernel is used in one call."""
    if isinstance(layer, layers.EinsumDense):
        used = math.prod(facts.shape[axis] for axis in facts.input_axes)
        return math.prod(input_shape) // used
    if isinstance(layer, TRANSPOSED):
        return _places(layer, input_shape)
    if isinstance(layer, layers.Dense):
        return math.prod(output_shape[:-1])
    if hasattr(layer, "strides"):
        return _places(layer, output_shape)
    return output_shape[0]


def _places(layer, shape):
    if getattr(layer, "data_format", None) == "channels_first":
        return shape[0] * math.prod(shape[2:])
    return math.prod(shape[:-1])
