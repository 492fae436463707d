"""Finds the kernels of a model that can be pruned."""

import dataclasses
import re
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from issp_keras import keras_internals
from issp_keras.sparsity import Kernel
from issp_keras.sparsity.arguments import check_expression

# A rule for layers: regular expressions for their paths, or a callable.
Where = str | Sequence[str] | Callable[[Any], bool] | None

_CONVOLUTIONS = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
)
TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_CELLS = (layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell)
# Keras exports these layers, but not the class of their cells.
_CONV_LSTMS = (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
_KERNELS_OF_CELLS = ("kernel", "recurrent_kernel")
_KERNELS = {
    _CONVOLUTIONS: ("kernel",),
    TRANSPOSED: ("kernel",),
    _SEPARABLE: ("depthwise_kernel", "pointwise_kernel"),
    (layers.Dense, layers.EinsumDense): ("kernel",),
    _CELLS: _KERNELS_OF_CELLS,
}
PRUNABLE = (
    "Conv1D, Conv2D, Conv3D, their transposed, depthwise and separable "
    "variants, Dense, EinsumDense, SimpleRNN, GRU, LSTM, ConvLSTM1D, 2D and 3D"
)


@dataclasses.dataclass(frozen=True)
class PrunableKernel:
    """A kernel, the layer it belongs to, and the facts about it."""

    variable: Any
    layer: Any
    facts: Kernel


def find_kernels(model, include=None, exclude=None):
    """Finds the kernels to prune in a model, at any depth.

    Args:
        model: A built `keras.Model`, or any built `keras.layers.Layer`.
        include: Which layers to prune: a regular expression that is searched
            in their paths, a list of such expressions, or a callable
            `layer -> bool`. Defaults to all layers.
        exclude: Which layers not to prune, given in the same way. Defaults to
            none.

    Returns:
        Two values. First, a list of `PrunableKernel` in the order of the
        model. It lists a kernel that several layers share once. Second, a
        dict from the path of each other layer to the reason why it is not
        pruned.

    Raises:
        ValueError: If the model is not built, no kernel is found, or an
            expression matches no layer's path.
    """
    if not model.built:
        raise ValueError(
            f"Only a built model can be pruned. Call the model '{model.name}' "
            "on data, or `model.build(input_shape)`, first."
        )
    every_layer = keras_internals.every_layer(model)
    conv_cells = {
        id(layer.cell)
        for layer in every_layer
        if isinstance(layer, _CONV_LSTMS)
    }
    included = _chooser("include", include, every_layer)
    excluded = _chooser("exclude", exclude, every_layer)
    trainable = {id(variable) for variable in model.trainable_variables}
    kernels: dict[int, PrunableKernel] = {}
    skipped = {}
    for layer in every_layer:
        if not layer.built:
            continue
        found = _kernels_of(layer, id(layer) in conv_cells)
        trained = [variable for variable in found if id(variable) in trainable]
        if not found:
            if _own_variables(layer):
                skipped[_path(layer)] = _why_none(layer)
        elif reason := _why_skipped(layer, included, excluded, trained):
            skipped[_path(layer)] = reason
        else:
            for variable in trained:
                if id(variable) not in kernels:
                    facts = _facts(kernels.values(), layer, variable)
                    kernels[id(variable)] = PrunableKernel(
                        variable, layer, facts
                    )
    if not kernels:
        reasons = "; ".join(f"{p}: {why}" for p, why in skipped.items())
        raise ValueError(
            f"The model '{model.name}' has no prunable layer: expected a "
            f"trainable layer of type {PRUNABLE}. Found: {reasons or 'none'}"
        )
    return list(kernels.values()), skipped


def prunable_kernels(
    model: keras.layers.Layer, include: Where = None, exclude: Where = None
) -> list[keras.Variable]:
    """Lists the kernels that sparse training prunes.

    These are the trainable kernels of every convolution (also transposed,
    depthwise and separable ones), Dense and EinsumDense layer, and recurrent
    cell (also of ConvLSTM). Subclasses of these layers count too. Layers are
    found at any depth: inside nested models, subclassed models and composite
    layers such as MultiHeadAttention. A layer of another type is included if
    it has a method `get_prunable_weights()` that returns a list of variables,
    like `tfmot.sparsity.keras.PrunableLayer`. A kernel that several layers
    share is listed once.

    Args:
        model: A built `keras.Model`, or any built `keras.layers.Layer`.
        include: Which layers to prune: a regular expression that is searched
            in their paths, a list of such expressions, or a callable
            `layer -> bool`. Defaults to all layers.
        exclude: Which layers not to prune, given in the same way. Defaults to
            none.

    Returns:
        List of `keras.Variable`, in the order of the model.

    Raises:
        ValueError: If the model is not built, has no such kernel, or an
            expression matches no layer's path.
    """
    kernels, _ = find_kernels(model, include, exclude)
    return [kernel.variable for kernel in kernels]


def count_zeros(model: keras.layers.Layer) -> tuple[int, int]:
    """Counts the weights of the prunable kernels.

    Returns:
        Pair of integers: the number of zeros, and the number of weights.
    """
    kernels = [kernel.numpy() for kernel in prunable_kernels(model)]
    weights = sum(kernel.size for kernel in kernels)
    return weights - sum(int(np.count_nonzero(k)) for k in kernels), weights


def _chooser(name, rule, every_layer):
    """Turns a rule into a callable `layer -> bool`, None for no rule."""
    if rule is None or callable(rule):
        return rule
    expressions = [rule] if isinstance(rule, str) else list(rule)
    for expression in expressions:
        check_expression(expression)
        paths = [_path(layer) for layer in every_layer]
        if not any(re.search(expression, path) for path in paths):
            raise ValueError(
                f"`{name}`: the expression {expression!r} matches no layer. "
                "Expected a regular expression that matches one of the paths "
                f"{', '.join(sorted(paths))}"
            )

    def chosen(layer):
        return any(re.search(e, _path(layer)) for e in expressions)

    return chosen


def _path(layer):
    # An input has no path.
    return layer.path or layer.name


def _kernels_of(layer, is_conv_cell):
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    if is_conv_cell:
        return [getattr(layer, name) for name in _KERNELS_OF_CELLS]
    for kinds, names in _KERNELS.items():
        if isinstance(layer, kinds):
            return [getattr(layer, name) for name in names]
    return []


def _why_skipped(layer, included, excluded, trained):
    """Why a layer with kernels is not pruned, or None."""
    if excluded is not None and excluded(layer):
        return "excluded"
    if included is not None and not included(layer):
        return "not included"
    return None if trained else "not trainable"


def _why_none(layer):
    kind = type(layer).__name__
    if hasattr(layer, "kernel"):
        return (
            f"{kind} is not a prunable layer type, and has no "
            "get_prunable_weights()"
        )
    return f"{kind} has no kernel to prune"


def _own_variables(layer):
    inner = {
        id(v)
        for child in keras_internals.inner_layers(layer)
        for v in child.weights
    }
    return [v for v in layer.weights if id(v) not in inner]


def _facts(earlier, layer, variable):
    # Layers of different nested models can have the same path in Keras.
    same = sum(k.variable.path == variable.path for k in earlier)
    path = f"{variable.path}#{same + 1}" if same else variable.path
    rank = len(variable.shape)
    if isinstance(layer, layers.EinsumDense):
        inputs, outputs = _einsum_axes(layer.equation)
    elif isinstance(layer, TRANSPOSED):
        inputs, outputs = (rank - 1,), (rank - 2,)
    elif rank == 1:
        inputs, outputs = (0,), ()
    else:
        inputs, outputs = (rank - 2,), (rank - 1,)
    return Kernel(len(earlier), path, tuple(variable.shape), inputs, outputs)


def _einsum_axes(equation):
    """The summed axes of an EinsumDense kernel, and the other axes."""
    operands, output = equation.split("->")
    kernel = operands.split(",")[1].strip()
    summed = [axis for axis, name in enumerate(kernel) if name not in output]
    kept = [axis for axis, name in enumerate(kernel) if name in output]
    return tuple(summed), tuple(kept)
