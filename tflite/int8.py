"""Corrects the int8 networks of the converter for images."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import Graph

# One level of 8 bits is one level of int8.
_LEVEL = np.float32(1 / 255)
_BLACK = -128
# What makes its output with a scale of its own, ...
_REQUANTIZING = {
    "ADD",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MUL",
    "SUB",
    "TRANSPOSE_CONV",
}
# ... and what keeps that of its input.
MOVING = {
    "DEPTH_TO_SPACE",
    "RESHAPE",
    "SLICE",
    "STRIDED_SLICE",
    "TRANSPOSE",
}
_KERNELS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_ANY_SCALE = np.float32(1e-3)
# XNNPACK refuses a layer from 256 on.
_LARGEST_RESCALING = 128


def mend(model: schema.ModelT):
    """Does all that follows to a network that was just quantised."""
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
    """Makes the levels of the output those of 8 bits, from 0 to 1.

    Calibration gives the output the range it has found, which may end below
    white or above. In this range, what is too dark or too bright for a pixel
    is clipped, and an 8-bit output is rounded once.
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
    """Gives channels that have neither weights nor bias a scale.

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

    Where all channels of a layer are dead, which is common at high sparsity,
    calibration finds a range of no width. XNNPACK refuses to run that.
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
    """The largest scale of an input times a weight."""
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
