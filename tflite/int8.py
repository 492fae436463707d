"""Corrects int8 networks after TensorFlow's conversion."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import Graph

# The scale at which a level of int8 is a level of an 8-bit image.
_LEVEL = np.float32(1 / 255)
_BLACK = -128
# Operators whose output may have any scale.
_REQUANTIZING = {
    "ADD",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MUL",
    "SUB",
    "TRANSPOSE_CONV",
}
# Operators whose output has the scale of the input.
MOVING = {
    "DEPTH_TO_SPACE",
    "RESHAPE",
    "SLICE",
    "STRIDED_SLICE",
    "TRANSPOSE",
}
_KERNELS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_ANY_SCALE = np.float32(1e-3)
# XNNPACK refuses a layer that rescales by 256 or more.
_LARGEST_RESCALING = 128


def mend(model: schema.ModelT):
    """Applies all corrections to a network that was just quantised."""
    mend_empty_scales(model)
    clip_at_white(model)
    widen_dead_channels(model)


def has_float_layers(model: schema.ModelT) -> bool:
    """Whether any layer with a kernel computes in float."""
    graph = Graph(model)
    return any(
        graph.tensors[operator.outputs[0]].type == schema.TensorType.FLOAT32
        for operator in graph.operators
        if graph.kind(operator) in _KERNELS
    )


def clip_at_white(model: schema.ModelT):
    """Gives the output the levels of an 8-bit image, from 0 to 1.

    Calibration may find a range that ends below or above white. With the
    range 0..1, int8 clips values that are too dark or too bright, and an
    8-bit output is rounded only once.
    """
    graph = Graph(model)
    (output,) = graph.outputs
    if graph.tensors[output].type == schema.TensorType.UINT8:
        _set_scale(graph.tensors[output], 0)
    number = int(graph.makers[output].inputs[0])
    chain = []
    while True:
        maker = graph.makers.get(number)
        if maker is None or len(graph.users[number]) > 1:
            return
        chain.append(number)
        kind = graph.kind(maker)
        if kind in _REQUANTIZING:
            break
        if kind not in MOVING:
            return
        number = int(maker.inputs[0])
    for number in chain:
        _set_scale(graph.tensors[number], _BLACK)


def mend_empty_scales(model: schema.ModelT):
    """Gives a positive scale to channels with neither weights nor bias.

    The converter's older quantizer gives them 0, which XNNPACK refuses.
    """
    (graph,) = model.subgraphs
    for tensor in graph.tensors:
        of = tensor.quantization
        if of is None or of.scale is None:
            continue
        is_empty = of.scale < np.finfo(np.float32).tiny
        if is_empty.any():
            least = of.scale[~is_empty].min(initial=_ANY_SCALE)
            of.scale = np.where(is_empty, least, of.scale)


def widen_dead_channels(model: schema.ModelT):
    """Widens the range of layers whose output was always zero.

    At high sparsity, all channels of a layer are often dead. Then calibration
    finds a range of width 0, which XNNPACK refuses.
    """
    graph = Graph(model)
    for operator in graph.operators:
        if graph.kind(operator) not in _KERNELS:
            continue
        number = int(operator.outputs[0])
        if graph.tensors[number].type != schema.TensorType.INT8:
            continue
        output = graph.tensors[number].quantization
        finest = _product(graph, operator) / _LARGEST_RESCALING
        if output.scale[0] >= finest:
            continue
        factor = output.scale[0] / finest
        output.scale = np.array([finest], np.float32)
        for user in graph.users[number]:
            is_image = int(user.inputs[0]) == number
            if is_image and graph.kind(user) in _KERNELS:
                _rescale_bias(model, graph, user, factor)


def _set_scale(tensor, zero):
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.array([_LEVEL]), zeroPoint=np.array([zero], np.int64)
    )


def _product(graph, operator):
    """The scale of the input times the largest scale of the weights."""
    scales = [
        graph.tensors[number].quantization.scale.max()
        for number in operator.inputs[:2]
    ]
    return scales[0] * scales[1]


def _rescale_bias(model, graph, operator, factor):
    """Keeps the bias of a layer whose input's scale was divided by `factor`."""
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return
    number = int(operator.inputs[2])
    bias = graph.tensors[number]
    bias.quantization.scale = bias.quantization.scale / np.float32(factor)
    stored = graph.stored(number) * factor
    stored = np.round(stored).astype(np.int32)
    model.buffers[bias.buffer].data = stored.view(np.uint8)
