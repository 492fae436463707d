"""Stores constants that repeat few values as these values and their places.

The relative position bias of windows of attention has 225 values per head. The
converter stores each of them in up to 64 places, which are the same in every
block. This module stores the values of each block, and the places only once.
The mask of shifted windows has a matrix for each window, but only four of them
differ. For such constants, only the different matrices are stored.
"""

import collections
import dataclasses
import itertools
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite.flatbuffer import Graph

# What takes a computed value where it takes a constant.
_USERS = {"ADD", "MUL", "SLICE", "STRIDED_SLICE", "SUB"}
_DTYPES = (np.float32, np.float16, np.int8)
# Values below which it is not worth looking.
_LEAST = 1024
# Bytes of two tensors and an operator more.
_OVERHEAD = 200


@dataclasses.dataclass
class _Constant:
    """A constant that may be made of a palette.

    Attributes:
        number: Integer, of the tensor that is stored.
        made: Integer, of the tensor that is used: the same, or what `unpack`
            makes of a float16 one.
        unpack: Operator, or None.
        values: Array, flat if each number may be repeated, and of the
            constant's shape if only all of one place of its first axis may.
    """

    number: int
    made: int
    unpack: Any
    values: np.ndarray


def store_palettes(model: schema.ModelT):
    """Makes palettes of those constants whose file gets smaller by it."""
    for graph in model.subgraphs:
        gathers: list[Any] = []
        for shape, members in _candidates(Graph(model, graph)).items():
            # First each by itself, as matrices or more along the first axis.
            whole = [_in_shape(member, shape) for member in members]
            found = [_palettes(model, graph, shape, [of]) for of in whole]
            gathers += itertools.chain(*found)
            left = [
                member
                for member, operators in zip(members, found, strict=True)
                if not operators
            ]
            gathers += _palettes(model, graph, shape, left)
        graph.operators = gathers + [
            operator
            for operator in graph.operators
            if not any(operator is gather for gather in gathers)
        ]


def _in_shape(constant, shape):
    return dataclasses.replace(constant, values=constant.values.reshape(shape))


def _palettes(model, graph, shape, members):
    """The operators that make constants of palettes; none if that is larger."""
    if not members:
        return []
    places = _places(members)
    _, first = np.unique(places, return_index=True)
    gain = sum(
        member.values.nbytes - member.values[first].nbytes - _OVERHEAD
        for member in members
    )
    if gain <= places.nbytes:
        return []
    index = shape if members[0].values.ndim == 1 else shape[:1]
    index = _add(model, graph, index, np.int32, places)
    gathers = []
    for member in members:
        gathers += _gather(model, graph, member, index, first)
    return gathers


def _candidates(graph):
    """Constants that can be computed as well, by shape."""
    found = collections.defaultdict(list)
    for number, tensor in enumerate(graph.tensors):
        values = graph.stored(number)
        if (
            values is None
            or values.dtype not in _DTYPES
            or len(values) < _LEAST
            or tensor.sparsity is not None
        ):
            continue
        unpack, made = None, number
        if values.dtype == np.float16 and len(graph.users[number]) == 1:
            (unpack,) = graph.users[number]
            made = int(unpack.outputs[0])
        kinds = set(map(graph.kind, graph.users[made]))
        if kinds and kinds <= _USERS and made not in graph.outputs:
            shape = tuple(int(size) for size in tensor.shape)
            found[shape].append(_Constant(number, made, unpack, values))
    return found


def _places(members):
    """Numbers that are equal where all members repeat a value."""
    places = np.zeros(len(members[0].values), np.int64)
    for member in members:
        axis = 0 if member.values.ndim > 1 else None
        values, which = np.unique(member.values, return_inverse=True, axis=axis)
        places = places * len(values) + which.ravel()
        _, places = np.unique(places, return_inverse=True)
    return places.astype(np.int32)


def _gather(model, graph, constant, index, first):
    """The operators that make a constant of its palette, in their order."""
    stored = graph.tensors[constant.number]
    values = constant.values[first]
    palette = _add(model, graph, values.shape, values.dtype.type, values)
    graph.tensors[palette].quantization = stored.quantization
    stored.buffer = 0
    operators = []
    if constant.unpack is not None:
        # float16 is unpacked first, and only then copied to its places.
        unpacked = _add(model, graph, values.shape, np.float32)
        constant.unpack.inputs = np.array([palette], np.int32)
        constant.unpack.outputs = np.array([unpacked], np.int32)
        operators.append(constant.unpack)
        palette = unpacked
    inputs = [palette, index]
    operators.append(
        flatbuffer.operator(model, "GATHER", inputs, constant.made)
    )
    return operators


def _add(model, graph, shape, dtype, values=None):
    """Adds a tensor, constant if it has values, and returns its number."""
    buffer = 0
    if values is not None:
        model.buffers.append(schema.BufferT(values.ravel().view(np.uint8)))
        buffer = len(model.buffers) - 1
    (number,) = (n for n, known in flatbuffer.DTYPES.items() if known is dtype)
    graph.tensors.append(
        schema.TensorT(
            shape=np.array(shape, np.int32),
            type=number,
            buffer=buffer,
            name=b"palette",
            hasRank=True,
        )
    )
    return len(graph.tensors) - 1
