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
            scales = _scales(1, len(zeros_and_ones))
            return self.constant_of(np.int8, name, zeros_and_ones, scales)
        if not self._halves:
            return self.constant_of(np.float32, name, zeros_and_ones)
        half = self.constant_of(np.float16, name, zeros_and_ones)
        whole = self._add(name, zeros_and_ones.shape, np.float32)
        self.add_operator("DEQUANTIZE", [half], whole)
        return whole

    def constant_of(self, dtype, name, values, quantization=None):
        """Adds a constant of this type."""
        values = np.ascontiguousarray(values, dtype)
        return self._add(name, values.shape, dtype, values, quantization)

    def larger_image(self, name):
        """Adds the tensor of an enlarged image, with all channels."""
        s = self.scale
        return self._add(
            name,
            (1, s * self.height, s * self.width, self.channels),
            flatbuffer.DTYPES[self._image.type],
            quantization=self._image.quantization,
        )

    def bias(self, count):
        """Adds a bias of zeros. Some accelerators do not accept its absence."""
        zeros = np.zeros(count)
        if not self.is_int8:
            return self.constant_of(np.float32, "bias", zeros)
        scales = _scales(self._image.quantization.scale[0], count)
        return self.constant_of(np.int32, "bias", zeros, scales)

    def add_operator(self, kind, inputs, output, options=None, int8_version=1):
        """Adds an operator. int8 needs at least the version `int8_version`."""
        version = int8_version if self.is_int8 else 1
        self._subgraph.operators.append(
            flatbuffer.operator(
                self._model, kind, inputs, output, version, options
            )
        )

    def _add(self, name, *about, **others):
        return flatbuffer.add_tensor(
            self._model,
            self._subgraph,
            f"{self._name}/{name}",
            *about,
            **others,
        )


def _scales(scale, count):
    """The quantization of a constant with a scale for each of its indices."""
    return schema.QuantizationParametersT(
        scale=np.full(count, scale, np.float32),
        zeroPoint=np.zeros(count, np.int64),
    )


def _transposed_conv(place: _Place) -> int:
    s, kernel = place.scale, place.kernel()
    size = [1, s * place.height, s * place.width, len(kernel)]
    inputs = [
        place.constant_of(np.int32, "shape", size),
        place.constant("kernel", kernel),
        place.input,
    ]
    options = schema.TransposeConvOptionsT(
        padding=schema.Padding.VALID, strideW=s, strideH=s
    )
    place.add_operator("TRANSPOSE_CONV", inputs, place.output, options, 2)
    return kernel.size * place.height * place.width


def _zero_stuffed_conv(place: _Place) -> int:
    s = place.scale
    size = s * place.height, s * place.width
    blocks, stuffed = map(place.larger_image, ("blocks", "stuffed"))
    place.add_operator(
        "RESIZE_NEAREST_NEIGHBOR",
        [place.input, place.constant_of(np.int32, "size", size)],
        blocks,
        schema.ResizeNearestNeighborOptionsT(),
        2,
    )
    # With SAME, TFLite pads (s - 1) // 2 rows above the image. So the row of
    # the kernel that meets the pixel `s // 2` of a block is s - 1 for the first
    # row of the block, and 0 for the last.
    mask = np.zeros((place.height, s, place.width, s), np.int8)
    mask[:, s // 2, :, s // 2] = 1
    inputs = [blocks, place.constant("mask", mask.reshape(1, *size, 1))]
    place.add_operator("MUL", inputs, stuffed, schema.MulOptionsT(), 2)
    kernel = place.kernel()[:, ::-1, ::-1]
    inputs = [
        stuffed,
        place.constant("kernel", kernel),
        place.bias(len(kernel)),
    ]
    options = schema.Conv2DOptionsT(
        padding=schema.Padding.SAME, strideW=1, strideH=1
    )
    place.add_operator("CONV_2D", inputs, place.output, options, 3)
    return kernel.size * mask.size


_REPLACEMENTS: dict[str, Callable[[_Place], int]] = {
    "transposed_conv": _transposed_conv,
    "zero_stuffed_conv": _zero_stuffed_conv,
}
