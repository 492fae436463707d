"""Removes the zeros from a `.tflite` file.

Kernels are stored sparse. `DENSIFY` operators at the start of the graph unpack
them. Every TFLite interpreter knows this operator, and XNNPACK runs it once,
when it prepares. The converter's `EXPERIMENTAL_SPARSITY` does the same, but
this works on files of any converter, uses the smallest encoding for each
kernel instead of one for all, and handles `int8` kernels of float layers.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import palette
from issp_keras.tflite import probe
from issp_keras.tflite.flatbuffer import Graph

# The types that the interpreter can unpack.
_DTYPES = (np.float32, np.float16, np.int8)
# The version of DEQUANTIZE that takes int8 with a scale for each channel.
_PER_CHANNEL = 5
# Bytes of one more tensor and operator, and of the tables of the levels.
_OVERHEAD = 160


def encode_sparse(source: StrPath, path: StrPath) -> int:
    """Writes a copy of a `.tflite` file without the zeros of its kernels.

    It works for files of any converter and for any pruned network. It stores
    the kernels of convolutions (ordinary, depthwise and transposed) and of
    fully connected layers sparse, if that is smaller. If a constant repeats
    few values, only these values and their places are stored.

    The new file computes the same results, except for layers with
    dynamic-range quantisation (int8 kernels, float images). TFLite cannot
    compute these from sparse kernels, so it computes them in float, from the
    same int8 kernels.

    Example:

    >>> model.export("dense.tflite", format="litert")
    >>> issp_keras.tflite.encode_sparse("dense.tflite", "sparse.tflite")

    Args:
        source: Path of the file to read.
        path: Path of the file to write, replaced if it exists. It may be
            the same as `source`.

    Returns:
        Integer, how many kernels are stored sparse in `path`.

    Raises:
        InputError: If `source` is no TFLite model, its weights are NaN or
            infinite, the new file gives other results with XNNPACK than
            without it, or `path` cannot be written.
    """
    model = flatbuffer.read(source)
    flatbuffer.check_constants(source)
    # A broken file may contradict itself in any way.
    with blame(f"{source}: is not a TFLite model", Exception):
        shrink(model)
        content = flatbuffer.write(model)
    check(content, model, path)
    with files.replacing(path) as partial:
        partial.write_bytes(content)
    return sum(
        tensor.sparsity is not None
        for graph in model.subgraphs
        for tensor in graph.tensors
    )


def shrink(model: schema.ModelT):
    """Removes zeros and repeated values from a model."""
    leave_out_zeros(model)
    palette.store_palettes(model)


def check(content: bytes, model: schema.ModelT, path):
    """Raises an `InputError` if a file gives other results with XNNPACK."""
    of_integers = any(
        tensor.type == schema.TensorType.INT8
        for graph in model.subgraphs
        for tensor in graph.tensors
    )
    try:
        is_alike = probe.ask("alike", int(of_integers), content=content)
    except probe.ProbeError as error:
        raise InputError(f"{path}: does not run in TFLite: {error}.") from error
    if not is_alike:
        raise InputError(
            f"{path}: gives different results in TFLite with and without "
            "XNNPACK, expected the same; it was not written."
        )


def leave_out_zeros(model: schema.ModelT):
    """Stores every kernel of a model sparse if that makes the file smaller."""
    for subgraph in model.subgraphs:
        graph = Graph(model, subgraph)
        unpacking = []
        for number in list(graph.users):
            if not _may_be_sparse(graph, number):
                continue
            tensor = graph.tensors[number]
            sparse = _sparse(model, tensor, graph.stored(number))
            if sparse is None:
                continue
            subgraph.tensors.append(sparse)
            tensor.buffer = 0
            added = len(subgraph.tensors) - 1
            unpacking.append(
                flatbuffer.operator(model, "DENSIFY", [added], number)
            )
            mixed = [
                operator
                for operator in graph.users[number]
                if graph.kernel(operator) == number
                and _is_float(graph, operator)
            ]
            if mixed and tensor.type == schema.TensorType.INT8:
                unpacking.append(_as_float(model, subgraph, number, mixed))
        subgraph.operators = [*unpacking, *subgraph.operators]


def _may_be_sparse(graph, number):
    """Whether a tensor is a kernel that can be unpacked when it is used."""
    last, uses = [], []
    for operator in graph.users[number]:
        if graph.kind(operator) == "DEQUANTIZE":
            made = int(operator.outputs[0])
            uses += [(made, user) for user in graph.users.get(made, ())]
        else:
            last.append(operator)
    is_unpacked = len(last) < len(graph.users[number])
    uses += [(number, operator) for operator in last]
    is_kernel = [graph.kernel(operator) == of for of, operator in uses]
    is_int8 = graph.tensors[number].type == schema.TensorType.INT8
    if is_unpacked or (is_int8 and any(_is_float(graph, of) for of in last)):
        # There are two steps of unpacking, and XNNPACK takes the first. If it
        # leaves the user of the second to TFLite, the kernel is lost.
        return all(is_kernel) and all(
            _is_taken(graph, operator) for _, operator in uses
        )
    if is_int8 and any(graph.kind(of) == "FULLY_CONNECTED" for of in last):
        # XNNPACK cannot prepare fully connected layers of integers whose
        # kernel another operator makes, and the whole file fails.
        return False
    return any(is_kernel)


def _is_taken(graph, operator):
    """Whether XNNPACK computes an operator for any size of images."""
    if graph.kind(operator) != "TRANSPOSE_CONV":
        return True
    return graph.stored(operator.inputs[0]) is not None


def _is_float(graph, operator):
    output = graph.tensors[operator.outputs[0]]
    return output.type == schema.TensorType.FLOAT32


def _sparse(model, tensor, stored):
    """A sparse tensor for a dense constant. None if it is not smaller."""
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


def _as_float(model, graph, number, operators):
    """Lets `operators` use a float copy of a kernel, which is returned."""
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
    return flatbuffer.operator(model, "DEQUANTIZE", [number], new, _PER_CHANNEL)
