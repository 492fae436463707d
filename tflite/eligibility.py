"""Which layers of a `.tflite` file run sparse, and which rule prevents it.

TFLite has sparse kernels only in XNNPACK, its default delegate. XNNPACK uses
them for clusters of connected operators that follow the rules below.

Source: XNNPACK at commit c2e81f01b01fca3327d4b3aa070b56085f2603bd, which
LiteRT 2.1.6 builds (`tflite/tools/cmake/modules/xnnpack.cmake`), functions
`xnn_check_nchw_compatibility` and `xnn_subgraph_rewrite_for_nchw` in
`src/subgraph.c` and `xnn_is_chw_compatible_config` in
`src/xnnpack/hardware-config.h`; `tflite/delegates/xnnpack/xnnpack_delegate.cc`
of LiteRT 2.1.6.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.xnnpack_graph import REDUCTIONS
from issp_keras.tflite.xnnpack_graph import Node
from issp_keras.tflite.xnnpack_graph import nodes_of

PLATFORMS = ("ARM64", "ARMv7", "x86", "WebAssembly")

_AVX = "XNNPACK has sparse kernels only for x86 CPUs without AVX"
# Measured with LiteRT.js 2.5.3; no rule of the sources says why.
_INT8_IN_BROWSERS = (
    "its kernel is stored as int8, and LiteRT.js computes such layers dense"
)
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


def xnnpack(
    graph: Graph, zeros: dict[int, tuple[int, int]]
) -> dict[int, dict[str, str | None]]:
    """Decides for each kernel whether stock XNNPACK computes it sparse.

    Args:
        graph: `Graph`.
        zeros: By operator with a kernel: its zeros and its weights.

    Returns:
        By the same operators, for each of `PLATFORMS`, None or the first
        rule that fails.
    """
    nodes = nodes_of(graph)
    for node in nodes.values():
        node.problem = _own_problem(graph, node)
    makers = {output: i for i, node in nodes.items() for output in node.outputs}
    clusters = _clusters(nodes, makers)
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
        if node.is_int8:
            found[i]["WebAssembly"] = reason or _INT8_IN_BROWSERS
    return found


def _own_problem(graph: Graph, node: Node) -> str | None:
    """Which rule an operator breaks by itself, or None."""
    kind = node.kind
    tensors = [graph.tensors[n] for n in (*node.inputs, *node.outputs)]
    if any(tensor.type not in _FLOATS for tensor in tensors):
        return (
            "it computes with integers, and XNNPACK has sparse kernels only "
            "for floats"
        )
    ranks = {len(graph.shape(n)) for n in node.inputs}
    if kind == "CONV_2D":
        return _problem_of_convolution(graph, node)
    if kind == "DEPTHWISE_CONV_2D":
        return _problem_of_depthwise(node)
    if kind == "FULLY_CONNECTED":
        return None
    if kind == "DEPTH_TO_SPACE":
        node.ends = True
        return None
    if kind in REDUCTIONS and ranks == {4}:
        node.ends = True
        if node.axes == {1, 2}:
            return None
        return f"{kind} is not over height and width"
    if kind in ("ADD", "MUL"):
        ranks |= set(map(len, node.constants))
        is_vector = all(
            sum(size != 1 for size in shape) <= 1 for shape in node.constants
        )
        if ranks == {4} and is_vector:
            return None
        return (
            f"{kind} has inputs that are not images, or a constant that is "
            "not a vector"
        )
    if kind in _ELEMENTWISE and ranks == {4}:
        return None
    if kind == "RESIZE_BILINEAR":
        height, width = graph.shape(node.inputs[0])[1:3]
        if 1 not in (height, width):
            return None
    return f"{kind} has no sparse kernel"


def _problem_of_convolution(graph, node):
    options, (_, height, width, channels) = node.options, node.kernel
    strides = options.strideH, options.strideW
    if graph.shape(node.inputs[0])[-1] != channels:
        return "it is a grouped convolution"
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return "it is dilated"
    if (height, width) == (1, 1):
        if strides != (1, 1):
            return f"it is 1x1 with stride {max(strides)}, not 1"
        if node.padding != (0, 0, 0, 0):
            return "it is 1x1 and padded"
        return None
    if (height, width) != (3, 3):
        return f"its kernel is {height}x{width}, not 1x1"
    rule = (
        ", and XNNPACK allows 3x3 only in the first layer, with stride 2, RGB "
        "input and padding 1"
    )
    if strides != (2, 2):
        return f"its kernel is 3x3 with stride {max(strides)}{rule}"
    if channels != 3:
        return f"its kernel is 3x3 with {channels} input channels{rule}"
    if node.padding is None:
        return f"its kernel is 3x3 with TensorFlow's padding 'same'{rule}"
    if node.padding != (1, 1, 1, 1):
        return f"its kernel is 3x3 with padding {node.padding}{rule}"
    node.starts = True
    return None


def _problem_of_depthwise(node):
    options, (_, height, width, _) = node.options, node.kernel
    strides = options.strideH, options.strideW
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return "it is dilated"
    if options.depthMultiplier != 1:
        return "it makes several output channels of each input channel"
    if strides not in ((1, 1), (2, 2)):
        return f"it is depthwise with strides {strides}, not 1 or 2"
    if (height, width) not in ((3, 3), (5, 5)):
        return f"it is depthwise {height}x{width}, not 3x3 or 5x5"
    if node.padding != 4 * (height // 2,):
        return f"it is depthwise and not padded by {height // 2} on each side"
    return None


def _clusters(nodes, makers):
    """The cluster of each operator that follows the rules."""
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
    return node.ends and node.kind not in REDUCTIONS


def _problem_of_cluster(graph, nodes, members, makers):
    """Which rule a cluster breaks as a whole, or None."""
    if not any(nodes[i].ends for i in members):
        return (
            "the cluster of operators that can run sparse does not end in "
            "DEPTH_TO_SPACE or a mean"
        )
    for i in members:
        if nodes[i].starts:
            continue
        for number in nodes[i].inputs:
            maker = makers.get(number)
            if maker not in members:
                source = (
                    f"the output of {nodes[maker].kind}"
                    if maker in nodes
                    else "the input of the network"
                )
                reason = nodes[maker].problem if maker in nodes else None
                return (
                    f"{nodes[i].kind} takes {source} from outside of the "
                    "sparse cluster" + (f": {reason}" if reason else "")
                )
    for i in members:
        if nodes[i].ends:
            continue
        for number in nodes[i].outputs:
            users = [j for j, n in nodes.items() if number in n.inputs]
            if number in graph.outputs or not members.issuperset(users):
                return (
                    f"the output of {nodes[i].kind} is also used outside "
                    "of the sparse cluster"
                )
    return None


def _problem_of_zeros(nodes, members, zeros, are_sparse):
    counts = [zeros[i] for i in members if i in zeros and _is_1x1(nodes[i])]
    zero, all_of_them = np.sum(counts, axis=0) if counts else (0, 1)
    if 3 * zero <= 2 * all_of_them:
        return (
            f"{zero / all_of_them:.0%} of the weights of the 1x1 convolutions "
            "are zero, expected more than two thirds"
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
    return "XNNPACK computes it dense, because only 1x1 kernels can be sparse"
