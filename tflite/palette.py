"""Stores constants with few different values as a palette and indices.

The relative position bias of windows of attention has 225 values per head. The
converter stores each of them in up to 64 places, which are the same in every
block. This module stores the values (the palette) of each block, and the
indices only once for all blocks. The mask of shifted windows has a matrix for
each window, but only four of them differ. Only these four are stored.
"""

import collections
import dataclasses
import itertools
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite.flatbuffer import Graph

# Operators that accept a computed tensor instead of a constant.
_USERS = {"ADD", "MUL", "SLICE", "STRIDED_SLICE", "SUB"}
_DTYPES = (np.float32, np.float16, np.int8)
# Constants with fewer values stay as they are.
_LEAST = 1024
# The name of new tensors.
_NAME = "palette"
# Bytes of two more tensors and one more operator.
_OVERHEAD = 200


@dataclasses.dataclass
class _Constant:
    """A constant that may be replaced by a palette.

    Attributes:
        number: Integer, the tensor that is stored.
        made: Integer, the tensor that is used: the same, or the output of
            `unpack` if it is float16.
        unpack: Operator, or None.
        values: Array. It is flat if a palette contains single numbers. It has
            the constant's shape if a palette contains slices of its first
            axis.
    """

    number: int
    made: int
    unpack: Any
    values: np.ndarray


def store_palettes(model: schema.ModelT):
    """Stores constants as palettes if that makes the file smaller."""
    for graph in model.subgraphs:
        gathers: list[Any] = []
        for shape, members in _candidates(Graph(model, graph)).items():
            # First, each constant by itself, with a palette of slices.
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
    """The operators that read palettes. None if these take more bytes."""
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
    index = flatbuffer.add_tensor(model, graph, _NAME, index, np.int32, places)
    gathers = []
    for member in members:
        gathers += _gather(model, graph, member, index, first)
    return gathers


def _candidates(graph):
    """Constants that an operator may compute instead, by shape."""
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
    """The index of each value. It is equal where all members repeat a value."""
    places = np.zeros(len(members[0].values), np.int64)
    for member in members:
        axis = 0 if member.values.ndim > 1 else None
        values, which = np.unique(member.values, return_inverse=True, axis=axis)
        places = places * len(values) + which.ravel()
        _, places = np.unique(places, return_inverse=True)
    return places.astype(np.int32)


def _gather(model, graph, constant, index, first):
    """The operators that compute a constant from its palette, in order."""
    stored = graph.tensors[constant.number]
    values = constant.values[first]
    palette = flatbuffer.add_tensor(
        model,
        graph,
        _NAME,
        values.shape,
        values.dtype.type,
        values,
        stored.quantization,
    )
    stored.buffer = 0
    operators = []
    if constant.unpack is not None:
        # The float16 palette is unpacked before its values are copied.
        unpacked = flatbuffer.add_tensor(
            model, graph, _NAME, values.shape, np.float32
        )
        constant.unpack.inputs = np.array([palette], np.int32)
        constant.unpack.outputs = np.array([unpacked], np.int32)
        operators.append(constant.unpack)
        palette = unpacked
    inputs = [palette, index]
    operators.append(
        flatbuffer.operator(model, "GATHER", inputs, constant.made)
    )
    return operators
