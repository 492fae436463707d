"""Lists the constants and kernels of a graph, and counts their zeros."""

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.contents import Tensor
from issp_keras.tflite.contents import count_weights
from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.flatbuffer import levels_of
from issp_keras.tflite.flatbuffer import places_of

# The number of input channels of a block of the delegate.
_BLOCK = 4


def share_of_zeros(model) -> float:
    """The share of zeros among the weights of a model's kernels.

    Args:
        model: `schema.ModelT`.
    """
    graphs = [Graph(model, graph) for graph in model.subgraphs]
    weights = count_weights(
        kernel
        for graph in graphs
        for kernel in kernels_of(graph, constants_of(graph)).values()
    )
    return 1 - weights.nonzeros / max(1, weights.count)


def constants_of(graph: Graph) -> dict[int, Tensor]:
    """The constants of a graph, by their numbers."""
    stored = {
        number: graph.stored(number) for number in range(len(graph.tensors))
    }
    return {
        number: _tensor(graph.tensors[number], values)
        for number, values in stored.items()
        if values is not None
    }


def kernels_of(graph: Graph, constants: dict[int, Tensor]) -> dict[int, Tensor]:
    """The constant kernel of each operator that has one, by its number."""
    sources = {
        i: graph.source(graph.kernel(operator))
        for i, operator in enumerate(graph.operators)
    }
    return {
        i: constants[number]
        for i, number in sources.items()
        if number is not None
    }


def blocks_of(graph: Graph, operator) -> tuple[int | None, int | None]:
    """How many blocks of a kernel are not zero, and how many there are.

    A block is what the sparse delegate computes at once in int8: the weights
    of four input channels at one place of the kernel, for one output channel.
    A block of a depthwise convolution is one weight.

    Args:
        graph: `Graph`.
        operator: Object of the schema, with a constant kernel.

    Returns:
        Two integers, or None twice if the layer does not compute in int8.
    """
    number = graph.source(graph.kernel(operator))
    tensors = graph.tensors
    output = tensors[operator.outputs[0]]
    if {tensors[number].type, output.type} != {schema.TensorType.INT8}:
        return None, None
    stored, shape = graph.stored(number), _sizes(tensors[number])
    inputs = 1 if graph.kind(operator) == "DEPTHWISE_CONV_2D" else _BLOCK
    if tensors[number].sparsity is None:
        places = np.argwhere(stored.reshape(shape))
    else:
        places = places_of(tensors[number])[stored != 0]
    blocks = np.unique(places // [*[1] * (len(shape) - 1), inputs], axis=0)
    return len(blocks), math.prod(shape[:-1]) * -(-shape[-1] // inputs)


def _tensor(tensor, stored):
    shape = _sizes(tensor)
    count = int(np.prod(shape, dtype=object)) if shape else 1
    text = "dense"
    size = stored.nbytes
    if tensor.sparsity is not None:
        levels = levels_of(tensor)
        text = _text(tensor.sparsity.traversalOrder, levels, len(shape))
        size += sum(
            part.nbytes
            for level in levels
            for part in (level.segments, level.indices)
            if part is not None
        )
    elif count != len(stored) or min(shape, default=1) < 1:
        raise ValueError(f"has {len(stored)} values for a tensor of {count}.")
    nonzeros = int(np.count_nonzero(stored))
    width = stored.itemsize
    return Tensor(
        name=flatbuffer.name(tensor),
        shape=shape,
        dtype=stored.dtype.name,
        count=count,
        nonzeros=nonzeros,
        encoding=text,
        bytes=size,
        dense_bytes=count * width,
        floor_bytes=encoding.floor(count, nonzeros, width),
    )


def _sizes(tensor):
    sizes = () if tensor.shape is None else tensor.shape
    return tuple(int(size) for size in sizes)


def _text(order, levels, rank):
    """The levels of a sparse tensor in words, compressed ones in brackets."""
    names = [
        f"block of {level.size}" if axis >= rank else str(axis)
        for axis, level in zip(order, levels, strict=True)
    ]
    return "sparse " + " ".join(
        name if level.segments is None else f"[{name}]"
        for name, level in zip(names, levels, strict=True)
    )
