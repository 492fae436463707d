"""A graph of a `.tflite` file: makers, users and values of each tensor."""

import collections
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import objects

# Which input of each operator is its kernel.
_KERNEL_INPUTS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}
_UNPACKING = ("DENSIFY", "DEQUANTIZE")


class Graph:
    """A view of one graph. Create a new one after the graph has changed.

    Methods identify tensors by their numbers.

    Args:
        model: `schema.ModelT`.
        graph: One of its subgraphs. Defaults to the first.

    Attributes:
        tensors: List of objects of the schema, by number.
        operators: List of objects of the schema, in the order of their runs.
        users: Dict from a tensor to a list of the operators that take it.
        makers: Dict from a tensor to the operator that computes it.
        outputs: Set of integers, the graph's output tensors.
    """

    def __init__(self, model: schema.ModelT, graph=None):
        graph = model.subgraphs[0] if graph is None else graph
        self._model = model
        self.tensors = graph.tensors
        self.operators = graph.operators
        self.outputs = {int(number) for number in graph.outputs}
        self.users: dict[int, list[Any]] = collections.defaultdict(list)
        self.makers: dict[int, Any] = {}
        for operator in graph.operators:
            for number in inputs_of(operator):
                self.users[number].append(operator)
            for number in operator.outputs:
                self.makers.setdefault(int(number), operator)
        self._sources = {
            number: number
            for number, tensor in enumerate(graph.tensors)
            if objects.values(model, tensor) is not None
        }
        for operator in graph.operators:
            packed, *_ = [*inputs_of(operator), None]
            if packed in self._sources and self.kind(operator) in _UNPACKING:
                for number in map(int, operator.outputs):
                    self._sources.setdefault(number, self._sources[packed])

    def kind(self, operator) -> str:
        """The name of an operator, such as "CONV_2D"."""
        return objects.kind_of(self._model, operator)

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a tensor, with -1 for unknown sizes."""
        return objects.shape(self.tensors[number])

    def stored(self, number: int) -> np.ndarray | None:
        """The values that the file stores of a tensor, flat.

        None if the tensor is computed. A sparse tensor has only its stored
        values.
        """
        return objects.values(self._model, self.tensors[number])

    def source(self, number: int | None) -> int | None:
        """The stored tensor that a constant is unpacked from.

        It is the constant itself if nothing unpacks it. None if the tensor
        depends on the graph's inputs, or if `number` is None.
        """
        return None if number is None else self._sources.get(number)

    def kernel(self, operator) -> int | None:
        """The tensor that an operator takes as its kernel, or None."""
        place = _KERNEL_INPUTS.get(self.kind(operator))
        if place is None or place >= len(operator.inputs):
            return None
        number = int(operator.inputs[place])
        return number if number >= 0 else None


def inputs_of(operator) -> list[int]:
    """The tensors that an operator takes, without omitted optional ones."""
    return [int(number) for number in operator.inputs if number >= 0]
