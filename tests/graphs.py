"""Small `.tflite` graphs, written by hand, operator by operator."""

import functools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.errors import InputError
from issp_keras.tflite import delegate as delegates
from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.sparse import _parameters

_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}
_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MEAN": "ReducerOptions",
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "RELU_0_TO_1": None,
    "PRELU": None,
    "LOGISTIC": None,
    "TANH": None,
    "MINIMUM": "MaximumMinimumOptions",
    "MAXIMUM": "MaximumMinimumOptions",
}


class Graph:
    """A graph under construction. Methods identify tensors by their numbers.

    Args:
        *inputs: Shapes, float32; None in height and width for any.
    """

    def __init__(self, *inputs):
        self._model = schema.ModelT(version=3, operatorCodes=[])
        self._model.buffers = [schema.BufferT()]
        self._graph = schema.SubGraphT(tensors=[], operators=[])
        self._model.subgraphs = [self._graph]
        self.inputs = [self.image(shape) for shape in inputs]

    def image(self, shape):
        """Adds a tensor that is computed."""
        tensor = schema.TensorT(
            shape=np.array([n or 1 for n in shape], np.int32),
            type=schema.TensorType.FLOAT32,
            name=f"tensor{len(self._graph.tensors)}",
            hasRank=True,
        )
        if None in shape:
            tensor.shapeSignature = np.array([n or -1 for n in shape], np.int32)
        return self._add(tensor)

    def constant(self, values, scales=None):
        """Adds a dense constant. int8 has scales of its last dimension."""
        values = np.ascontiguousarray(values)
        self._model.buffers.append(
            schema.BufferT(data=values.reshape(-1).view(np.uint8))
        )
        return self._add(
            schema.TensorT(
                shape=np.array(values.shape, np.int32),
                type=_TYPES[values.dtype],
                buffer=len(self._model.buffers) - 1,
                name=f"constant{len(self._graph.tensors)}",
                hasRank=True,
                quantization=_quantization(scales),
            )
        )

    def sparse(self, values, way, scales=None):
        """Adds a sparse constant with an encoding, and its DENSIFY operator."""
        levels, left = encoding.encode(values, way)
        number = self.constant(left, scales)
        stored = self._graph.tensors[number]
        stored.shape = np.array(values.shape, np.int32)
        stored.sparsity = _parameters(way, levels)
        if not left.size:
            # TFLite takes a tensor without data for a computed one.
            buffer = np.zeros(values.itemsize, np.uint8)
            self._model.buffers[stored.buffer].data = buffer
        dense = self._add(
            schema.TensorT(
                shape=np.array(values.shape, np.int32),
                type=_TYPES[values.dtype],
                name=f"dense{number}",
                hasRank=True,
                quantization=_quantization(scales),
            )
        )
        self.operator("DENSIFY", [number], dense)
        return dense

    def operator(self, kind, inputs, output, **options):
        """Adds an operator, and returns its output."""
        name = _OPTIONS.get(kind, _camel(kind))
        operator = flatbuffer.operator(self._model, "DENSIFY", inputs, output)
        operator.opcodeIndex = flatbuffer.code_of(self._model, kind, 1)
        operator.builtinOptions = None
        operator.builtinOptionsType = 0
        if name:
            of = getattr(schema, f"{name}T")()
            for key, value in options.items():
                setattr(of, key, value)
            operator.builtinOptions = of
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        self._graph.operators.append(operator)
        return output

    def convolution(self, filters, shape, padding=0):
        """Adds a convolution of the first input, without strides.

        Args:
            filters: Number of the kernel.
            shape: Tuple, the shape of the output.
            padding: Integer, 0 for "SAME" and 1 for "VALID".

        Returns:
            Number of its output.
        """
        bias = self.constant(np.zeros(shape[-1], np.float32))
        output = self.image(shape)
        options = {"strideH": 1, "strideW": 1, "padding": padding}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        inputs = [self.inputs[0], filters, bias]
        return self.operator("CONV_2D", inputs, output, **options)

    @property
    def tensors(self):
        return self._graph.tensors

    def shape(self, number):
        return self.tensors[number].shape

    def write(self, *outputs):
        """The bytes of the file."""
        self._graph.inputs = np.array(self.inputs, np.int32)
        self._graph.outputs = np.array(outputs, np.int32)
        return flatbuffer.write(self._model)

    def _add(self, tensor):
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


def _quantization(scales):
    if scales is None:
        return None
    scales = np.atleast_1d(np.asarray(scales, np.float32))
    return schema.QuantizationParametersT(
        scale=scales, zeroPoint=np.zeros(len(scales), np.int64)
    )


def _camel(kind):
    words = kind.title().replace("_", "")
    return f"{words}Options"


def interpreter(content, delegate=None, threads=1, xnnpack=True):
    from ai_edge_litert import interpreter as litert

    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    default = litert.OpResolverType.AUTO
    return litert.Interpreter(
        model_content=content,
        num_threads=threads,
        experimental_op_resolver_type=default if xnnpack else plain,
        experimental_delegates=[delegate] if delegate else [],
    )


@functools.cache
def runnable_kernels(*names):
    """The named sets of the delegate's kernels that this CPU can run."""
    found = []
    for name in names:
        try:
            delegates.load(kernels=name)
        except InputError:
            continue
        found.append(name)
    return found


def run(interpreter, *images):
    """The outputs for images, whose size may differ from the file's."""
    for tensor, image in zip(
        interpreter.get_input_details(), images, strict=True
    ):
        interpreter.resize_tensor_input(tensor["index"], image.shape)
    interpreter.allocate_tensors()
    for tensor, image in zip(
        interpreter.get_input_details(), images, strict=True
    ):
        interpreter.set_tensor(tensor["index"], image)
    interpreter.invoke()
    return [
        interpreter.get_tensor(tensor["index"])
        for tensor in interpreter.get_output_details()
    ]
