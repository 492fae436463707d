"""Replaces `depth_to_space` with operators that accelerators take.

Some delegates for GPUs and NPUs refuse DEPTH_TO_SPACE. Then the CPU computes a
part of the network, or all of it. The replacements compute exactly the same
values, in float and in int8.
"""

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite.flatbuffer import Graph


def replace_depth_to_space(
    model: schema.ModelT, upsampling: str, halves: bool = False
) -> int:
    """Replaces each DEPTH_TO_SPACE operator of a network.

    Args:
        model: `schema.ModelT`, dense. All shapes are known, and the batch is
            1.
        upsampling: One of `UPSAMPLINGS`. "transposed_conv" gives one
            TRANSPOSE_CONV for each operator. "zero_stuffed_conv" gives
            RESIZE_NEAREST_NEIGHBOR, MUL and CONV_2D: each pixel becomes a
            block of equal pixels, a mask keeps one pixel of each block, and a
            convolution spreads its channels over the block.
        halves: Whether to store the new constants in float16. int8 networks
            store them in int8.

    Returns:
        Integer, the multiply-adds of the new convolutions for one image.
    """
    replace = _REPLACEMENTS.get(upsampling)
    if replace is None:
        return 0
    macs = 0
    for subgraph in model.subgraphs:
        graph = Graph(model, subgraph)
        operators = subgraph.operators
        subgraph.operators = []
        for operator in operators:
            if graph.kind(operator) == "DEPTH_TO_SPACE":
                macs += replace(_Place(model, subgraph, operator, halves))
            else:
                subgraph.operators.append(operator)
    return macs


class _Place:
    """The place of a DEPTH_TO_SPACE operator, which new operators take.

    Args:
        model: `schema.ModelT`.
        subgraph: The subgraph whose operators are replaced.
        operator: The operator.
        halves: Whether to store constants in float16.

    Attributes:
        scale: Integer, the block size of the operator.
        input: Integer, the tensor that it takes.
        output: Integer, the tensor that it computes.
        height: Integer, the height of the input.
        width: Integer, the width of the input.
        channels: Integer, the channels of the input.
    """

    def __init__(self, model, subgraph, operator, halves):
        self._model = model
        self._subgraph = subgraph
        self.scale = operator.builtinOptions.blockSize
        (self.input,) = map(int, operator.inputs)
        (self.output,) = map(int, operator.outputs)
        self._image = subgraph.tensors[self.input]
        _, self.height, self.width, self.channels = flatbuffer.shape(
            self._image
        )
        self._name = flatbuffer.name(subgraph.tensors[self.output])
        self.is_int8 = self._image.type == schema.TensorType.INT8
        self._halves = halves and not self.is_int8

    def kernel(self):
        """The kernel of the transposed convolution: output, i, j, input.

        The input channel `(i * scale + j) * outputs + output` becomes the
        output channel of the pixel (i, j) of a block.
        """
        s = self.scale
        ones = np.eye(self.channels, dtype=np.int8)
        return ones.reshape(s, s, -1, self.channels).transpose(2, 0, 1, 3)

    def constant(self, name, zeros_and_ones):
        """Adds a constant with the type of the network's kernels.

        In int8, each index of the first axis has the scale 1.
        """
        if self.is_int8:
            count = len(zeros_and_ones)
            scale = schema.QuantizationParametersT(
                scale=np.ones(count, np.float32),
                zeroPoint=np.zeros(count, np.int64),
            )
            return self.add_tensor(name, zeros_and_ones, np.int8, scale)
        if not self._halves:
            return self.add_tensor(name, zeros_and_ones, np.float32)
        half = self.add_tensor(name, zeros_and_ones, np.float16)
        whole = flatbuffer.add_tensor(
            self._model,
            self._subgraph,
            self._named(name),
            zeros_and_ones.shape,
            np.float32,
        )
        self.add_operator("DEQUANTIZE", [half], whole)
        return whole

    def add_tensor(self, name, values, dtype, quantization=None):
        """Adds a constant."""
        return flatbuffer.add_tensor(
            self._model,
            self._subgraph,
            self._named(name),
            values.shape,
            dtype,
            np.ascontiguousarray(values, dtype),
            quantization,
        )

    def add_larger(self, name):
        """Adds the tensor of an enlarged image, with all channels."""
        s = self.scale
        return flatbuffer.add_tensor(
            self._model,
            self._subgraph,
            self._named(name),
            (1, s * self.height, s * self.width, self.channels),
            flatbuffer.DTYPES[self._image.type],
            quantization=self._image.quantization,
        )

    def bias(self, count):
        """Adds a bias of zeros. Some accelerators do not accept its absence."""
        if not self.is_int8:
            return self.add_tensor("bias", np.zeros(count), np.float32)
        scale = self._image.quantization.scale[0]
        quantization = schema.QuantizationParametersT(
            scale=np.full(count, scale, np.float32),
            zeroPoint=np.zeros(count, np.int64),
        )
        return self.add_tensor("bias", np.zeros(count), np.int32, quantization)

    def add_operator(self, kind, inputs, output, options=None, version=1):
        self._subgraph.operators.append(
            flatbuffer.operator(
                self._model, kind, inputs, output, version, options
            )
        )

    def _named(self, name):
        return f"{self._name}/{name}"


def _transposed_conv(place: _Place) -> int:
    kernel = place.kernel()
    s = place.scale
    size = np.array(
        [1, s * place.height, s * place.width, len(kernel)], np.int32
    )
    inputs = [
        place.add_tensor("shape", size, np.int32),
        place.constant("kernel", kernel),
        place.input,
    ]
    options = schema.TransposeConvOptionsT(
        padding=schema.Padding.VALID, strideW=s, strideH=s
    )
    version = 2 if place.is_int8 else 1
    place.add_operator("TRANSPOSE_CONV", inputs, place.output, options, version)
    return kernel.size * place.height * place.width


def _zero_stuffed_conv(place: _Place) -> int:
    s = place.scale
    version = 2 if place.is_int8 else 1
    size = np.array([s * place.height, s * place.width], np.int32)
    size = place.add_tensor("size", size, np.int32)
    blocks = place.add_larger("blocks")
    nearest = schema.ResizeNearestNeighborOptionsT()
    place.add_operator(
        "RESIZE_NEAREST_NEIGHBOR",
        [place.input, size],
        blocks,
        nearest,
        version,
    )
    # With SAME, TFLite pads (s - 1) // 2 rows above the image. So the row of
    # the kernel that meets the pixel `s // 2` of a block is s - 1 for the first
    # row of the block, and 0 for the last.
    mask = np.zeros((place.height, s, place.width, s), np.int8)
    mask[:, s // 2, :, s // 2] = 1
    mask = mask.reshape(1, s * place.height, s * place.width, 1)
    stuffed = place.add_larger("stuffed")
    multiply = schema.MulOptionsT()
    inputs = [blocks, place.constant("mask", mask)]
    place.add_operator("MUL", inputs, stuffed, multiply, version)
    kernel = place.kernel()[:, ::-1, ::-1]
    convolve = schema.Conv2DOptionsT(
        padding=schema.Padding.SAME, strideW=1, strideH=1
    )
    inputs = [
        stuffed,
        place.constant("kernel", kernel),
        place.bias(len(kernel)),
    ]
    version = 3 if place.is_int8 else 1
    place.add_operator("CONV_2D", inputs, place.output, convolve, version)
    return kernel.size * mask.size


_REPLACEMENTS: dict[str, Callable[[_Place], int]] = {
    "transposed_conv": _transposed_conv,
    "zero_stuffed_conv": _zero_stuffed_conv,
}
