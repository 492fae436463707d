"""Which layers of a `.tflite` file run sparse, and which rule forbids it.

TFLite computes sparse in one place: XNNPACK, its default delegate, in
clusters of operators that keep the rules below. They are those of
`xnn_check_nchw_compatibility` and `xnn_subgraph_rewrite_for_nchw` in
XNNPACK's `src/subgraph.c`, of `xnn_is_chw_compatible_config` in its
`src/configs/hardware-config.c`, and of `xnnpack_delegate.cc` in LiteRT.
"""

import dataclasses
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite.sparse import KERNEL_INPUTS

PLATFORMS = ("ARM64", "ARMv7", "x86", "WebAssembly")

_AVX = "XNNPACK has sparse kernels for x86 CPUs without AVX alone"
_FLOATS = {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16}
_ELEMENTWISE = {
    "ABS",
    "CEIL",
    "COS",
    "ELU",
    "EXP",
    "FLOOR",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOG",
    "LOGISTIC",
    "NEG",
    "RELU",
    "RELU6",
    "RELU_0_TO_1",
    "RELU_N1_TO_1",
    "ROUND",
    "RSQRT",
    "SIN",
    "SQRT",
    "SQUARE",
    "TANH",
}
_REDUCTIONS = {"MEAN", "SUM"}


@dataclasses.dataclass
class _Node:
    """An operator as XNNPACK sees it, with its constants unpacked.

    Attributes:
        kind: String.
        options: Object of the schema.
        inputs: List of integers, values that are computed or come in.
        constants: List of shapes of the others.
        outputs: List of integers.
        kernel: Shape, or None.
        padding: Pixels above, below, left and right; None if TensorFlow's
            "same" decides.
        axes: Set of integers, over which it reduces, or None.
        problem: String, why it cannot be in a cluster, or None.
    """

    kind: str
    options: Any
    inputs: list[int]
    constants: list[tuple[int, ...]]
    outputs: list[int]
    kernel: tuple[int, ...] | None
    padding: tuple[int, ...] | None = (0, 0, 0, 0)
    axes: set[int] | None = None
    problem: str | None = None
    starts: bool = False
    ends: bool = False


def xnnpack(
    model: schema.ModelT, graph, zeros: dict[int, tuple[int, int]]
) -> dict[int, dict[str, str | None]]:
    """Says of each kernel whether stock XNNPACK computes with it sparse.

    Args:
        model: `schema.ModelT`.
        graph: One of its subgraphs.
        zeros: By operator with a kernel: its zeros and its weights.

    Returns:
        By the same operators, for each of `PLATFORMS`, None or the first
        rule that fails.
    """
    nodes = _nodes(model, graph)
    for node in nodes.values():
        node.problem = _own_problem(graph, node)
    clusters = _clusters(nodes)
    makers = {output: i for i, node in nodes.items() for output in node.outputs}
    are_sparse = any(tensor.sparsity is not None for tensor in graph.tensors)
    found = {}
    for i in zeros:
        node, members = nodes[i], clusters.get(i, {i})
        reason = (
            node.problem
            or _problem_of_cluster(graph, nodes, members, makers)
            or _problem_of_zeros(nodes, members, zeros, are_sparse)
            or _dense_part(node)
        )
        found[i] = dict.fromkeys(PLATFORMS, reason)
        found[i]["x86"] = reason or _AVX
    return found


def _nodes(model, graph):
    """The operators that XNNPACK plans, by their numbers."""
    constants = _constants(model, graph)
    nodes = {}
    pads = {}
    for i, operator in enumerate(graph.operators):
        kind = flatbuffer.kind_of(model, operator)
        inputs = [int(number) for number in operator.inputs if number >= 0]
        outputs = [int(number) for number in operator.outputs]
        if outputs and all(number in constants for number in outputs):
            continue
        kernel = None
        place = KERNEL_INPUTS.get(kind)
        if place is not None and place < len(operator.inputs):
            kernel = flatbuffer.shape(graph.tensors[operator.inputs[place]])
        node = _Node(
            kind,
            operator.builtinOptions,
            [number for number in inputs if number not in constants],
            [
                flatbuffer.shape(graph.tensors[number])
                for number in inputs
                if number in constants
            ],
            outputs,
            kernel,
        )
        node.padding = _padding(node)
        if kind in _REDUCTIONS and len(inputs) == 2:
            axes = flatbuffer.values(model, graph.tensors[inputs[1]])
            node.axes = None if axes is None else {int(a) % 4 for a in axes}
        if kind == "PAD" and len(inputs) == 2 and len(outputs) == 1:
            pads[outputs[0]] = i, _amounts(model, graph.tensors[inputs[1]])
        nodes[i] = node
    _fuse(graph, nodes, pads)
    return nodes


def _constants(model, graph):
    """Tensors that are constant, or unpacked from such."""
    known = {
        number
        for number, tensor in enumerate(graph.tensors)
        if flatbuffer.values(model, tensor) is not None
    }
    for operator in graph.operators:
        kind = flatbuffer.kind_of(model, operator)
        if kind in ("DENSIFY", "DEQUANTIZE") and known.issuperset(
            map(int, operator.inputs)
        ):
            known.update(map(int, operator.outputs))
    return known


def _padding(node):
    options = node.options
    if getattr(options, "padding", None) != schema.Padding.SAME:
        return 0, 0, 0, 0
    if node.kernel is None or len(node.kernel) != 4:
        return None
    height, width = node.kernel[1:3]
    strides = {options.strideH, options.strideW}
    # Of stride 1, "same" is the same for all sizes.
    if strides != {1} or not height % 2 or not width % 2:
        return None
    return height // 2, height // 2, width // 2, width // 2


def _amounts(model, tensor):
    """Pixels that a PAD adds to an image alone, or None."""
    amounts = flatbuffer.values(model, tensor)
    if amounts is None or len(amounts) != 8 or amounts[[0, 1, 6, 7]].any():
        return None
    return tuple(int(amount) for amount in amounts[2:6])


def _fuse(graph, nodes, pads):
    """Takes a PAD into the convolution that alone uses it."""
    for node in nodes.values():
        if "CONV" not in node.kind or not node.inputs:
            continue
        number = node.inputs[0]
        users = [n for n in nodes.values() if number in n.inputs]
        if number not in pads or len(users) > 1 or number in graph.outputs:
            continue
        i, amounts = pads[number]
        if amounts is None or node.padding != (0, 0, 0, 0):
            continue
        node.inputs[0] = nodes[i].inputs[0] if nodes[i].inputs else number
        node.padding = amounts
        nodes[i].kind = "PAD, part of the next"
    for i, node in list(nodes.items()):
        if node.kind == "PAD, part of the next":
            del nodes[i]


def _own_problem(graph, node):
    """Which rule an operator breaks by itself, or None."""
    kind = node.kind
    tensors = [graph.tensors[n] for n in (*node.inputs, *node.outputs)]
    if any(tensor.type not in _FLOATS for tensor in tensors):
        return "it computes with integers, and sparse kernels with floats alone"
    ranks = {len(flatbuffer.shape(graph.tensors[n])) for n in node.inputs}
    if kind == "CONV_2D":
        return _problem_of_convolution(graph, node)
    if kind == "DEPTHWISE_CONV_2D":
        return _problem_of_depthwise(node)
    if kind == "FULLY_CONNECTED":
        return None
    if kind == "DEPTH_TO_SPACE":
        node.ends = True
        return None
    if kind in _REDUCTIONS and ranks == {4}:
        node.ends = True
        if node.axes == {1, 2}:
            return None
        return f"{kind} is not that of height and width"
    if kind in ("ADD", "MUL"):
        ranks |= set(map(len, node.constants))
        is_vector = all(
            sum(size != 1 for size in shape) <= 1 for shape in node.constants
        )
        if ranks == {4} and is_vector:
            return None
        return f"{kind} takes what is no image, or no vector of constants"
    if kind in _ELEMENTWISE and ranks == {4}:
        return None
    if kind == "RESIZE_BILINEAR":
        height, width = flatbuffer.shape(graph.tensors[node.inputs[0]])[1:3]
        if 1 not in (height, width):
            return None
    return f"{kind} has no sparse kernel"


def _problem_of_convolution(graph, node):
    options, (_, height, width, channels) = node.options, node.kernel
    strides = options.strideH, options.strideW
    if flatbuffer.shape(graph.tensors[node.inputs[0]])[-1] != channels:
        return "its channels are in groups"
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return "it is dilated"
    if (height, width) == (1, 1):
        if strides != (1, 1):
            return f"it is 1x1 of stride {max(strides)}, not 1"
        if node.padding != (0, 0, 0, 0):
            return "it is 1x1 and padded"
        return None
    if (height, width) != (3, 3):
        return f"its kernel is {height}x{width}, not 1x1"
    rule = ", and only the first may be 3x3: of stride 2, on RGB, padded by 1"
    if strides != (2, 2):
        return f"its kernel is 3x3 of stride {max(strides)}{rule}"
    if channels != 3:
        return f"its kernel is 3x3 on {channels} channels{rule}"
    if node.padding is None:
        return f"its kernel is 3x3, padded as TensorFlow's 'same'{rule}"
    if node.padding != (1, 1, 1, 1):
        return f"its kernel is 3x3, padded by {node.padding}{rule}"
    node.starts = True
    return None


def _problem_of_depthwise(node):
    options, (_, height, width, _) = node.options, node.kernel
    strides = options.strideH, options.strideW
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return "it is dilated"
    if options.depthMultiplier != 1:
        return "it makes more than one channel of one"
    if strides not in ((1, 1), (2, 2)):
        return f"it is depthwise of strides {strides}, not 1 or 2"
    if (height, width) not in ((3, 3), (5, 5)):
        return f"it is depthwise {height}x{width}, not 3x3 or 5x5"
    if node.padding != 4 * (height // 2,):
        return f"it is depthwise and not padded by {height // 2} on each side"
    return None


def _clusters(nodes):
    """Operators that are connected and keep the rules, by operator."""
    makers = {output: i for i, node in nodes.items() for output in node.outputs}
    cluster = {i: {i} for i, node in nodes.items() if node.problem is None}
    for i in cluster:
        if nodes[i].starts:
            continue
        for number in nodes[i].inputs:
            maker = makers.get(number)
            if maker not in cluster or _only_ends(nodes[maker]):
                continue
            merged = cluster[i] | cluster[maker]
            for member in merged:
                cluster[member] = merged
    return cluster


def _only_ends(node):
    return node.ends and node.kind not in _REDUCTIONS


def _problem_of_cluster(graph, nodes, members, makers):
    """Which rule a cluster breaks as a whole, or None."""
    if not any(nodes[i].ends for i in members):
        return (
            "what follows it does not end in DEPTH_TO_SPACE or a mean without "
            "an operator between that has no sparse kernel"
        )
    for i in members:
        if nodes[i].starts:
            continue
        for number in nodes[i].inputs:
            maker = makers.get(number)
            if maker not in members:
                what = nodes[maker].kind if maker in nodes else "the input"
                reason = nodes[maker].problem if maker in nodes else None
                return (
                    f"{nodes[i].kind} takes what {what} makes, outside of the "
                    "cluster" + (f": {reason}" if reason else "")
                )
    for i in members:
        if nodes[i].ends:
            continue
        for number in nodes[i].outputs:
            users = [j for j, n in nodes.items() if number in n.inputs]
            if number in graph.outputs or not members.issuperset(users):
                return f"what {nodes[i].kind} makes is used outside too"
    return None


def _problem_of_zeros(nodes, members, zeros, are_sparse):
    counts = [zeros[i] for i in members if i in zeros and _is_1x1(nodes[i])]
    zero, all_of_them = np.sum(counts, axis=0) if counts else (0, 1)
    if 3 * zero <= 2 * all_of_them:
        return (
            f"{zero / all_of_them:.0%} of the weights of the 1x1 convolutions "
            "are zero, and more than two thirds must be"
        )
    if not are_sparse:
        return "no kernel of the file is stored sparse"
    return None


def _is_1x1(node):
    return node.kind == "FULLY_CONNECTED" or (
        node.kind == "CONV_2D" and not node.starts
    )


def _dense_part(node):
    if _is_1x1(node):
        return None
    return "it is dense in the sparse cluster: only 1x1 kernels are sparse"
