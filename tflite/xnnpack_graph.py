"""A graph as XNNPACK plans it: without constants, and with PAD fused."""

import dataclasses
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.flatbuffer import inputs_of

REDUCTIONS = {"MEAN", "SUM"}


@dataclasses.dataclass
class Node:
    """An operator as XNNPACK sees it, with its constants unpacked.

    Attributes:
        kind: String.
        options: Object of the schema.
        inputs: List of integers, the inputs that are not constant.
        constants: List of the shapes of the constant inputs.
        outputs: List of integers.
        kernel: Shape of the kernel, or None.
        is_int8: Whether the file stores the kernel as int8.
        padding: Pixels above, below, left and right; None if TensorFlow's
            "same" decides.
        axes: Set of integers, the axes over which it reduces, or None.
        problem: String, why it cannot be in a cluster, or None.
        starts: Whether it converts channels last to channels first.
        ends: Whether it may convert channels first to channels last.
    """

    kind: str
    options: Any
    inputs: list[int]
    constants: list[tuple[int, ...]]
    outputs: list[int]
    kernel: tuple[int, ...] | None
    is_int8: bool = False
    padding: tuple[int, ...] | None = (0, 0, 0, 0)
    axes: set[int] | None = None
    problem: str | None = None
    starts: bool = False
    ends: bool = False


def nodes_of(graph: Graph) -> dict[int, Node]:
    """The operators that XNNPACK plans, by their numbers in the file."""
    nodes = {}
    for i, operator in enumerate(graph.operators):
        outputs = [int(number) for number in operator.outputs]
        if not outputs or any(graph.source(of) is None for of in outputs):
            nodes[i] = _node(graph, operator, outputs)
    _fuse(graph, nodes)
    return nodes


def _node(graph, operator, outputs):
    inputs = inputs_of(operator)
    kernel = graph.kernel(operator)
    source = graph.source(kernel)
    node = Node(
        graph.kind(operator),
        operator.builtinOptions,
        [number for number in inputs if graph.source(number) is None],
        [
            graph.shape(number)
            for number in inputs
            if graph.source(number) is not None
        ],
        outputs,
        None if kernel is None else graph.shape(kernel),
        source is not None
        and graph.tensors[source].type == schema.TensorType.INT8,
    )
    node.padding = _padding(node)
    if node.kind in REDUCTIONS and len(inputs) == 2:
        axes = graph.stored(inputs[1])
        node.axes = None if axes is None else {int(a) % 4 for a in axes}
    return node


def _padding(node):
    options = node.options
    if getattr(options, "padding", None) != schema.Padding.SAME:
        return 0, 0, 0, 0
    if node.kernel is None or len(node.kernel) != 4:
        return None
    height, width = node.kernel[1:3]
    strides = {options.strideH, options.strideW}
    # With stride 1, "same" pads images of all sizes by the same amounts.
    if strides != {1} or not height % 2 or not width % 2:
        return None
    return height // 2, height // 2, width // 2, width // 2


def _amounts(graph, number):
    """The pixels that a PAD adds. None if it pads more than the sides."""
    amounts = graph.stored(number)
    if amounts is None or len(amounts) != 8 or amounts[[0, 1, 6, 7]].any():
        return None
    return tuple(int(amount) for amount in amounts[2:6])


def _fuse(graph, nodes):
    """Fuses a PAD with the convolution if nothing else uses it."""
    for node in list(nodes.values()):
        if "CONV" not in node.kind or not node.inputs:
            continue
        number = node.inputs[0]
        pad = graph.makers.get(number)
        if (
            pad is None
            or graph.kind(pad) != "PAD"
            or len(inputs_of(pad)) != 2
            or len(pad.outputs) != 1
            or len(graph.users[number]) > 1
            or number in graph.outputs
            or node.padding != (0, 0, 0, 0)
        ):
            continue
        image, amounts = inputs_of(pad)
        padding = _amounts(graph, amounts)
        if padding is not None:
            node.inputs[0] = image if graph.source(image) is None else number
            node.padding = padding
            nodes.pop(graph.operators.index(pad), None)
