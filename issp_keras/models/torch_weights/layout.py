"""The names and the order of axes of a network's weights in PyTorch."""

import dataclasses
import math
from typing import Any

import numpy as np
from keras import layers
from keras import ops

from issp_keras.models.parts.attention import RectangleAttention
from issp_keras.models.parts.attention import WindowAttention
from issp_keras.models.parts.windows import WindowMask
from issp_keras.models.parts.windows import relative_positions

# The size of the patches for which BasicSR stores masks of shifted windows.
_PATCH = 64
# From Keras' names of weights to PyTorch's, if they differ.
_TORCH_NAMES = {
    "alpha": "weight",
    "beta": "bias",
    "gamma": "weight",
    "kernel": "weight",
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A weight of a Keras network, with its layout in official checkpoints.

    Args:
        variable: The `keras.Variable`.
        axes: Tuple of integers, the axis of PyTorch for each axis of Keras.
        pixels: Integer, the number of pixels that a following pixel shuffle
            makes from a group of channels; 1 without a pixel shuffle.
    """

    variable: Any
    axes: tuple[int, ...]
    pixels: int = 1

    @property
    def shape(self):
        """The shape in PyTorch."""
        shape = tuple(self.variable.shape)
        return tuple(shape[self.axes.index(i)] for i in range(len(shape)))

    def to_keras(self, array):
        array = np.transpose(array, self.axes)
        # PyTorch shuffles channels (c, dy, dx), Keras (dy, dx, c).
        return _regroup(array, array.shape[-1] // self.pixels, self.pixels)

    def to_torch(self, array):
        array = _regroup(array, self.pixels, array.shape[-1] // self.pixels)
        return np.ascontiguousarray(np.transpose(array, np.argsort(self.axes)))


class _Slopes(Entry):
    """The slopes of a PReLU. In Keras, they have further axes of length 1."""

    @property
    def shape(self):
        return tuple(self.variable.shape[-1:])

    def to_keras(self, array):
        return array.reshape(self.variable.shape)

    def to_torch(self, array):
        return array.reshape(self.shape)


def _regroup(array, outer, inner):
    """Swaps two axes that are merged into the last axis."""
    if outer == 1 or inner == 1:
        return array
    grouped = array.reshape(*array.shape[:-1], outer, inner)
    return np.swapaxes(grouped, -1, -2).reshape(array.shape)


def entries(model):
    """Returns a dict from PyTorch's names to the `Entry` of each weight."""
    by_name = {layer.name: layer for layer in model.layers}
    has_groups = _is_swinir(model)
    last = _last_convolution(model)
    found = {}
    for variable in model.weights:
        layer = by_name.get(variable.path.split("/")[0])
        kind = _Slopes if isinstance(layer, layers.PReLU) else Entry
        found[_torch_name(variable.path, has_groups)] = kind(
            variable, _axes(layer, variable), _pixels(layer, last)
        )
    return found


def _last_convolution(model):
    kinds = (layers.Conv2D, layers.Conv2DTranspose)
    found = [layer for layer in model.layers if isinstance(layer, kinds)]
    return found[-1] if found else None


def _axes(layer, variable):
    rank = len(variable.shape)
    if rank == 4:
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        return (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)
    is_linear = rank == 2 and variable.name.split(".")[-1] == "kernel"
    return (1, 0) if is_linear else tuple(range(rank))


def _pixels(layer, last):
    if layer is None:
        return 1
    if layer is last:
        # It makes the three colours of one pixel or of a block of pixels.
        return layer.filters // 3
    if layer.name.startswith("upsample."):
        inputs, outputs = layer.kernel.shape[-2:]
        return outputs // inputs
    return 1


def _torch_name(path, has_groups):
    """Returns BasicSR's name for a Keras path."""
    *layer, name = path.replace("/", ".").split(".")
    if has_groups and layer[0] == "layers" and layer[2] == "blocks":
        layer.insert(2, "residual_group")
    return ".".join([*layer, _TORCH_NAMES.get(name, name)])


def _is_swinir(model):
    """Whether BasicSR's names have a group that Keras' names do not have."""
    return any(isinstance(x, WindowAttention) for x in model.layers)


def buffers(model):
    """Returns a dict of the buffers that BasicSR's networks store.

    The masks of shifted windows are for patches of 64x64 LR pixels, or for the
    smallest multiple of 64 that the windows divide.
    """
    found = {}
    masks: dict = {}
    names = {layer.name for layer in model.layers}
    has_groups = _is_swinir(model)
    for layer in model.layers:
        if not isinstance(layer, (WindowAttention, RectangleAttention)):
            continue
        own = _torch_name(f"{layer.name}/", has_groups)
        block = own.split(".attn")[0]
        if None not in layer.window:
            differences, index = relative_positions(layer.window)
            found[f"{own}relative_position_index"] = index.astype(np.int64)
        if isinstance(layer, WindowAttention):
            if f"{layer.name}.roll" in names:
                half = tuple(side // 2 for side in layer.window)
                found[f"{block}.attn_mask"] = _mask(layer.window, half, masks)
            continue
        if None not in layer.window:
            found[f"{own}rpe_biases"] = differences.astype(np.float32)
        if any(layer.shift):
            found[f"{block}.attn_mask_{layer.branch}"] = _mask(
                layer.window, layer.shift, masks
            )
    return found


def _mask(window, shift, masks):
    """The mask of a patch; the same array for all blocks that have it."""
    key = (window, shift)
    if key not in masks:
        size = math.lcm(_PATCH, *(side for side in window if side))
        patch = np.zeros((1, size, size, 1), np.float32)
        mask = WindowMask(window, shift, dtype="float32")(patch)
        # BasicSR adds its masks, so change the sign. `-mask` would contain -0.
        masks[key] = 0 - ops.convert_to_numpy(mask)
    return masks[key]
