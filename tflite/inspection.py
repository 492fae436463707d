"""Inspects a `.tflite` file: zeros, bytes, multiply-adds, sparse layers.

The file is not trusted. Only a separate process runs it. If the file takes
images of any size, this process asks the interpreter for the shapes.
"""

import gzip
import io
import pathlib
import zipfile

import numpy as np

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.tflite import eligibility
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import probe
from issp_keras.tflite.contents import NOT_ASKED
from issp_keras.tflite.contents import Inspection
from issp_keras.tflite.contents import Layer
from issp_keras.tflite.delegate import library as load_library
from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.metadata import read_metadata
from issp_keras.tflite.weights import blocks_of
from issp_keras.tflite.weights import constants_of
from issp_keras.tflite.weights import kernels_of

# Prefixes of the converter's names for constants that have none, and the
# operators that it appends to a layer's name.
_NAMELESS = ("arith.", "tfl.")
_OPERATORS = {
    "Add",
    "BiasAdd",
    "Conv2D",
    "MatMul",
    "ReadVariableOp",
    "Relu",
    "Relu6",
    "Reshape",
    "Tensordot",
    "conv_transpose",
    "convolution",
    "depthwise",
    "einsum",
    "separable_conv2d",
    "transpose",
}


def inspect(
    path: StrPath, size: tuple[int, int] | None = None, delegate: bool = False
) -> Inspection:
    """Inspects a `.tflite` file.

    Args:
        path: Path of the file. It may come from any tool.
        size: Height and width of the input image for which to count
            multiply-adds. Defaults to the size that the file takes, if it
            takes only one.
        delegate: Whether to ask the sparse delegate which layers it takes, in
            a separate process. Defaults to `False`.

    Returns:
        An `Inspection`.

    Raises:
        InputError: If the file is missing, is no TFLite model, contradicts
            itself (the error names the tensor), or does not take images of
            `size`.
    """
    path = pathlib.Path(path)
    model = flatbuffer.read(path)
    # A broken file may contradict itself in any way.
    with blame(f"{path}: is not a TFLite model", Exception):
        graphs = [Graph(model, graph) for graph in model.subgraphs]
        constants = [constants_of(graph) for graph in graphs]
        main = model.subgraphs[0]
        fixed = _size_of_input(main)
        metadata = read_metadata(model)
    shapes = _shapes(path, graphs[0], fixed, size)
    # Only the main graph takes the image. Sizes in other graphs are unknown.
    sizes = [shapes, *[None] * (len(graphs) - 1)]
    speedups, declined = _delegated(path, len(graphs), delegate)
    with blame(f"{path}: is not a TFLite model", Exception):
        layers = [
            layer
            for parts in zip(graphs, constants, sizes, declined, strict=True)
            for layer in _layers(*parts)
        ]
    tensors = [tensor for of in constants for tensor in of.values()]
    content = path.read_bytes()
    return Inspection(
        path=str(path),
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        zip_bytes=_zip_bytes(content),
        floor_bytes=sum(tensor.floor_bytes for tensor in tensors),
        size=(size or fixed) if shapes else None,
        tensors=tensors,
        layers=layers,
        speedups=speedups,
        metadata=metadata,
    )


def _size_of_input(graph):
    """The height and width that a graph takes, or None if any size varies."""
    if len(graph.inputs) != 1 or any(
        -1 in flatbuffer.shape(tensor) for tensor in graph.tensors
    ):
        return None
    shape = flatbuffer.shape(graph.tensors[graph.inputs[0]])
    if len(shape) != 4 or min(shape[1:3]) < 1:
        return None
    return shape[1:3]


def _shapes(path, graph, fixed, size):
    """The shape of every tensor, or None if it is not known."""
    if fixed and size not in (None, fixed):
        raise ArgumentError(
            "size",
            f"is {size[1]}x{size[0]}, but {path} takes {fixed[1]}x{fixed[0]} "
            "pixels only.",
        )
    if fixed:
        return [flatbuffer.shape(tensor) for tensor in graph.tensors]
    if not size:
        return None
    # With SHAPE operators, some shapes are only known after a run.
    must_run = "SHAPE" in map(graph.kind, graph.operators)
    try:
        return probe.ask("shapes", path, *size, int(must_run))
    except probe.ProbeError as error:
        raise InputError(
            f"{path}: does not take an image of {size[1]}x{size[0]} pixels "
            f"({error})."
        ) from error


def _delegated(path, count, is_asked):
    """What the delegate expects, and why it leaves operators to TFLite.

    Returns:
        List of the expected speedups of its parts, and a list with an entry
        for each of `count` graphs: a dict of reasons by operator, or one
        reason for all operators.
    """
    if not is_asked:
        return [], [NOT_ASKED] * count
    try:
        found = probe.ask("delegated", path, load_library())
    except InputError as error:
        return [], [str(error).removesuffix(".")] * count
    except probe.ProbeError:
        return [], ["TFLite does not load the file with it"] * count
    graphs = found["declined"]
    if len(graphs) != count:
        # The report does not say which graphs are missing.
        reason = f"TFLite shows it {len(graphs)} of {count} graphs"
        return [], [reason] * count
    return found["speedups"], [
        {int(node): reason for node, reason in of.items()} for of in graphs
    ]


def _layers(graph, constants, shapes, declined):
    """The layers of a graph. `shapes` are those of its tensors, or None."""
    kernels = kernels_of(graph, constants)
    zeros = {
        i: (kernel.count - kernel.nonzeros, kernel.count)
        for i, kernel in kernels.items()
    }
    reasons = eligibility.xnnpack(graph, zeros)
    return [
        _layer(
            graph,
            graph.operators[i],
            kernel,
            shapes,
            reasons[i],
            declined if isinstance(declined, str) else declined.get(i),
        )
        for i, kernel in kernels.items()
    ]


def _layer(graph, operator, kernel, shapes, reasons, declined):
    kind = graph.kind(operator)
    macs = None
    if shapes:
        image = shapes[operator.inputs[2 if kind == "TRANSPOSE_CONV" else 0]]
        result = shapes[operator.outputs[0]]
        macs = kernel.count * _uses(kind, kernel, image, result)
    blocks, all_blocks = blocks_of(graph, operator)
    return Layer(
        name=_layer_name(kernel.name, graph.tensors[operator.outputs[0]]),
        operator=kind,
        kernel=kernel,
        blocks=blocks,
        all_blocks=all_blocks,
        macs=macs,
        sparse_macs=None
        if macs is None
        else macs * kernel.nonzeros // kernel.count,
        xnnpack=reasons,
        delegate=declined,
    )


def _layer_name(kernel, output):
    """The name of a kernel without the names of operators at its end.

    Some converters only number kernels. Then it is the name of the output.
    """
    name = kernel
    if not name or name.startswith(_NAMELESS):
        name = flatbuffer.name(output)
    parts = name.split(";")[0].split("/")
    while len(parts) > 1 and parts[-1].rstrip("_0123456789") in _OPERATORS:
        del parts[-1]
    return "/".join(parts)


def _uses(kind, kernel, image, result):
    """How often each weight is used."""
    if kind == "FULLY_CONNECTED":
        return int(np.prod(image, dtype=object)) // kernel.shape[-1]
    shape = image if kind == "TRANSPOSE_CONV" else result
    return int(np.prod(shape[:3], dtype=object))


def _zip_bytes(content):
    """The bytes of a file in an archive, without the archive's own tables."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.tflite", content)
        (entry,) = file.infolist()
    return entry.compress_size
