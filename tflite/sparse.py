"""Leaves the zeros out of a `.tflite` file.

A kernel is stored sparse and unpacked by a `DENSIFY` in front of all else,
which every TFLite interpreter knows, and which XNNPACK does once, when it
prepares. This does what the converter's `EXPERIMENTAL_SPARSITY` does, on
files that any converter wrote, with the encoding that is smallest for each
kernel instead of one for all, and for `int8` kernels of float layers too.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras import files
from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer

# The input of each operator that is its kernel.
KERNEL_INPUTS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}
# What the interpreter can unpack.
_DTYPES = (np.float32, np.float16, np.int8)
# Bytes of a tensor and an operator more, and of what describes the levels.
_OVERHEAD = 160


def encode_sparse(source, path) -> int:
    """Writes a `.tflite` file again, without the zeros of its kernels.

    For a file of any converter and any pruned network. It computes the same,
    except in layers of dynamic-range quantisation (int8 kernels, float
    images), which TFLite cannot compute from sparse kernels: they are computed
    in float from the same int8 kernels.

    Example:

    >>> model.export("dense.tflite", format="litert")
    >>> issp_keras.tflite.encode_sparse("dense.tflite", "sparse.tflite")

    Args:
        source: Path of the file to read.
        path: Path of the file to write, replaced if it exists; may be
            `source`.

    Returns:
        Integer, how many kernels are stored sparse in `path`.

    Raises:
        InputError: If `source` is no TFLite model, or `path` cannot be
            written.
    """
    model = flatbuffer.read(source)
    leave_out_zeros(model)
    with files.replacing(path) as partial:
        partial.write_bytes(flatbuffer.write(model))
    return sum(
        tensor.sparsity is not None
        for graph in model.subgraphs
        for tensor in graph.tensors
    )


def leave_out_zeros(model: schema.ModelT):
    """Makes every kernel of a model sparse whose file gets smaller by it."""
    for graph in model.subgraphs:
        makers = {
            int(output): operator
            for operator in graph.operators
            for output in operator.outputs
        }
        users: dict[int, list] = {}
        for operator in graph.operators:
            kind = flatbuffer.kind_of(model, operator)
            if kind in KERNEL_INPUTS:
                number = int(operator.inputs[KERNEL_INPUTS[kind]])
                users.setdefault(_stored(number, makers), []).append(operator)
        unpacking = []
        for number, operators in users.items():
            tensor = graph.tensors[number]
            if any(_must_be_dense(model, graph, o) for o in operators):
                continue
            sparse = _sparse(model, tensor)
            if sparse is None:
                continue
            graph.tensors.append(sparse)
            tensor.buffer = 0
            unpacking.append(
                _operator(model, "DENSIFY", len(graph.tensors) - 1, number)
            )
            mixed = [
                operator
                for operator in operators
                if number in operator.inputs and _is_float(graph, operator)
            ]
            if mixed and tensor.type == schema.TensorType.INT8:
                unpacking.append(_as_float(model, graph, number, mixed))
        graph.operators = [*unpacking, *graph.operators]


def _stored(number, makers):
    """The tensor that holds what float16 kernels are made of."""
    maker = makers.get(number)
    return number if maker is None else int(maker.inputs[0])


def _sparse(model, tensor):
    """A sparse tensor for a dense constant one, or None."""
    stored = flatbuffer.values(model, tensor)
    if stored is None or stored.dtype not in _DTYPES or tensor.sparsity:
        return None
    dense = stored.reshape(tensor.shape)
    best, size = encoding.choose(dense)
    if best is None or size + _OVERHEAD >= stored.nbytes:
        return None
    levels, left = encoding.encode(dense, best)
    model.buffers.append(schema.BufferT(left.view(np.uint8)))
    return schema.TensorT(
        shape=tensor.shape,
        type=tensor.type,
        buffer=len(model.buffers) - 1,
        name=tensor.name,
        quantization=tensor.quantization,
        sparsity=_parameters(best, levels),
        hasRank=tensor.hasRank,
    )


def _parameters(best, levels):
    blocks = [axis for axis, _ in best.blocks]
    return schema.SparsityParametersT(
        traversalOrder=np.array(best.order, np.int32),
        blockMap=np.array(blocks, np.int32) if blocks else None,
        dimMetadata=[_metadata(level) for level in levels],
    )


def _metadata(level):
    if level.segments is None:
        return schema.DimensionMetadataT(
            schema.DimensionType.DENSE, denseSize=level.size
        )
    parts = [_vector(part) for part in (level.segments, level.indices)]
    (segments_type, segments), (indices_type, indices) = parts
    return schema.DimensionMetadataT(
        schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=segments_type,
        arraySegments=segments,
        arrayIndicesType=indices_type,
        arrayIndices=indices,
    )


def _vector(numbers):
    kind = numbers.dtype.name.capitalize() + "Vector"
    number = getattr(schema.SparseIndexVector, kind)
    return number, getattr(schema, kind + "T")(numbers)


def _must_be_dense(model, graph, operator):
    """Whether XNNPACK refuses an operator with a sparse kernel.

    It cannot prepare fully connected layers of integers whose kernel is
    unpacked by another operator, and the whole file fails.
    """
    kind = flatbuffer.kind_of(model, operator)
    return kind == "FULLY_CONNECTED" and not _is_float(graph, operator)


def _is_float(graph, operator):
    output = graph.tensors[operator.outputs[0]]
    return output.type == schema.TensorType.FLOAT32


def _as_float(model, graph, number, operators):
    """Makes `operators` compute with a kernel in float."""
    tensor = graph.tensors[number]
    graph.tensors.append(
        schema.TensorT(
            shape=tensor.shape,
            type=schema.TensorType.FLOAT32,
            name=tensor.name,
            hasRank=tensor.hasRank,
        )
    )
    new = len(graph.tensors) - 1
    for operator in operators:
        operator.inputs = np.where(
            operator.inputs == number, new, operator.inputs
        )
        options = operator.builtinOptions
        if hasattr(options, "asymmetricQuantizeInputs"):
            options.asymmetricQuantizeInputs = False
    return _operator(model, "DEQUANTIZE", number, new)


def _operator(model, kind, number, output):
    options = getattr(schema, kind.capitalize() + "OptionsT")()
    options_type = kind.capitalize() + "Options"
    return schema.OperatorT(
        opcodeIndex=_code(model, kind),
        inputs=np.array([number], np.int32),
        outputs=np.array([output], np.int32),
        builtinOptionsType=getattr(schema.BuiltinOptions, options_type),
        builtinOptions=options,
    )


def _code(model, kind):
    number = getattr(schema.BuiltinOperator, kind)
    # Of int8 per channel, a dequantisation is the fifth version.
    version = 5 if kind == "DEQUANTIZE" else 1
    for i, code in enumerate(model.operatorCodes):
        if code.builtinCode == number and code.version >= version:
            return i
    model.operatorCodes.append(
        schema.OperatorCodeT(
            deprecatedBuiltinCode=min(number, 127),
            builtinCode=number,
            version=version,
        )
    )
    return len(model.operatorCodes) - 1
