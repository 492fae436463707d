"""What is inside a `.tflite` file: zeros, bytes, multiply-adds, sparse layers.

    issp-inspect model.tflite --size=180,320

The file is not trusted, and not run, but for `--size` with a file that takes
images of any size: then a process of its own asks the interpreter for shapes.
"""

import dataclasses
import gzip
import io
import json
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
from absl import flags

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.programs import cli
from issp_keras.tflite import eligibility
from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.delegate import library as load_library
from issp_keras.tflite.description import describe
from issp_keras.tflite.inspection import NOT_ASKED
from issp_keras.tflite.inspection import Inspection
from issp_keras.tflite.inspection import Layer
from issp_keras.tflite.inspection import Tensor
from issp_keras.tflite.inspection import count_weights
from issp_keras.tflite.metadata import read_metadata
from issp_keras.tflite.sparse import KERNEL_INPUTS

_SHAPES = pathlib.Path(__file__).with_name("shapes.py")
_DECLINED = pathlib.Path(__file__).with_name("delegate") / "declined.py"
_SECONDS = 120
_ANY = 2**31
# What the converter calls constants, and what it adds to a layer's name.
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
    path, size: tuple[int, int] | None = None, delegate: bool = False
) -> Inspection:
    """Looks into a `.tflite` file.

    Args:
        path: Path of the file, of any origin.
        size: Height and width of the input image for which to count
            multiply-adds. Defaults to what the file takes, if it takes one
            size alone.

    Returns:
        An `Inspection`.

    Raises:
        InputError: If the file is missing, is no TFLite model, contradicts
            itself, or does not take images of `size`.
    """
    path = pathlib.Path(path)
    model = flatbuffer.read(path)
    # What a broken file says of itself may be wrong in any way.
    with blame(f"{path}: is not a TFLite model", Exception):
        constants = [_constants(model, graph) for graph in model.subgraphs]
        main = model.subgraphs[0]
        fixed = _size_of_input(main)
        metadata = read_metadata(model)
    shapes = _shapes(path, model, main, fixed, size)
    declined = _declined(path, model) if delegate else NOT_ASKED
    with blame(f"{path}: is not a TFLite model", Exception):
        layers = [
            layer
            for graph, of in zip(model.subgraphs, constants, strict=True)
            for layer in _layers(
                model, graph, of, shapes if graph is main else None, declined
            )
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
        metadata=metadata,
    )


def share_of_zeros(model) -> float:
    """Which share of the weights of a model's kernels is zero.

    Args:
        model: `schema.ModelT`.
    """
    weights = count_weights(
        kernel
        for graph in model.subgraphs
        for kernel in _kernels(model, graph, _constants(model, graph)).values()
    )
    return 1 - weights.nonzeros / max(1, weights.count)


def _tensor(model, tensor):
    stored = flatbuffer.values(model, tensor)
    shape = _sizes(tensor)
    count = int(np.prod(shape, dtype=object)) if shape else 1
    text = "dense"
    size = stored.nbytes
    if tensor.sparsity is not None:
        levels, text = _levels(tensor.sparsity, len(shape))
        size += sum(
            part.nbytes
            for level in levels
            for part in (level.segments, level.indices)
            if part is not None
        )
    expected = encoding.leaves(levels) if tensor.sparsity else count
    if expected != len(stored) or min(shape, default=1) < 1:
        raise ValueError(f"has {len(stored)} values for a tensor of {count}.")
    nonzeros = int(np.count_nonzero(stored))
    if nonzeros > count:
        raise ValueError("has more values than fit into a tensor.")
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


def _levels(sparsity, rank):
    """The levels of a sparse tensor, and a text for them."""
    levels = []
    names = []
    order = [int(axis) for axis in sparsity.traversalOrder]
    for axis, of in zip(order, sparsity.dimMetadata, strict=True):
        if of.arraySegments is not None:
            segments, indices = of.arraySegments.values, of.arrayIndices.values
            # The file does not say the size of a compressed dimension.
            levels.append(encoding.Level(_ANY, segments, indices))
            names.append(f"[{axis}]")
        else:
            levels.append(encoding.Level(int(of.denseSize)))
            names.append(
                str(axis) if axis < rank else f"block of {of.denseSize}"
            )
    return levels, "sparse " + " ".join(names)


def _constants(model, graph):
    """The constants of a graph, by their numbers."""
    return {
        number: _tensor(model, tensor)
        for number, tensor in enumerate(graph.tensors)
        if flatbuffer.values(model, tensor) is not None
    }


def _kernels(model, graph, constants):
    """The constant kernel of each operator that has one, by its number."""
    unpacked = {}
    kernels = {}
    for i, operator in enumerate(graph.operators):
        kind = flatbuffer.kind_of(model, operator)
        if kind in ("DENSIFY", "DEQUANTIZE"):
            unpacked[int(operator.outputs[0])] = int(operator.inputs[0])
        if kind in KERNEL_INPUTS:
            number = int(operator.inputs[KERNEL_INPUTS[kind]])
            for _ in range(2):
                number = unpacked.get(number, number)
            if number in constants:
                kernels[i] = constants[number]
    return kernels


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


def _shapes(path, model, graph, fixed, size):
    """The shape of every tensor, or None if it is not known."""
    if fixed and size not in (None, fixed):
        raise InputError(
            f"--size: is {size[1]}x{size[0]}, but {path} takes "
            f"{fixed[1]}x{fixed[0]} pixels only."
        )
    if fixed:
        return [flatbuffer.shape(tensor) for tensor in graph.tensors]
    if not size:
        return None
    # Only by running it, some shapes become known.
    kinds = {flatbuffer.kind_of(model, o) for o in graph.operators}
    must_run = "SHAPE" in kinds
    failed = f"{path}: does not take an image of {size[1]}x{size[0]} pixels"
    try:
        return _told_by(_SHAPES, path, *size, int(must_run))
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{failed} within {_SECONDS} seconds.") from error
    except (subprocess.CalledProcessError, ValueError) as error:
        raise InputError(f"{failed}.") from error


def _told_by(script, *arguments):
    """What a script prints as JSON, in a process that a file may break."""
    command = [sys.executable, "-P", script, *arguments]
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    return json.loads(result.stdout)


def _declined(path, model):
    """Why the delegate leaves operators to TFLite: by number, or all."""
    if len(model.subgraphs) > 1:
        return "it is asked of files with one graph alone"
    try:
        library = load_library()
    except InputError as error:
        return str(error).removesuffix(".")
    try:
        declined = _told_by(_DECLINED, path, library)["declined"]
    except (subprocess.SubprocessError, ValueError):
        return "TFLite does not load the file with it"
    return {int(node): reason for node, reason in declined.items()}


def _layers(model, graph, constants, shapes, declined):
    """The layers of a graph; `shapes` are those of its tensors, or None."""
    kernels = _kernels(model, graph, constants)
    zeros = {
        i: (kernel.count - kernel.nonzeros, kernel.count)
        for i, kernel in kernels.items()
    }
    reasons = eligibility.xnnpack(model, graph, zeros)
    return [
        _layer(
            model,
            graph,
            i,
            kernel,
            shapes,
            reasons[i],
            declined if isinstance(declined, str) else declined.get(i),
        )
        for i, kernel in kernels.items()
    ]


def _layer(model, graph, i, kernel, shapes, reasons, declined):
    operator = graph.operators[i]
    kind = flatbuffer.kind_of(model, operator)
    macs = None
    if shapes:
        image = shapes[operator.inputs[2 if kind == "TRANSPOSE_CONV" else 0]]
        result = shapes[operator.outputs[0]]
        macs = kernel.count * _uses(kind, kernel, image, result)
    return Layer(
        name=_layer_name(kernel.name, graph.tensors[operator.outputs[0]]),
        operator=kind,
        kernel=kernel,
        macs=macs,
        sparse_macs=None
        if macs is None
        else macs * kernel.nonzeros // kernel.count,
        xnnpack=reasons,
        delegate=declined,
    )


def _layer_name(kernel, output):
    """The name of a kernel without those of operators at its end.

    Some converters name kernels by their order; then it is that of what the
    layer makes.
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
    """What a file adds to an archive, without the archive's own tables."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.tflite", content)
        (entry,) = file.infolist()
    return entry.compress_size


def main(argv):
    flag = flags.FLAGS
    (path,) = cli.arguments(argv, "a .tflite file")
    size = cli.image_size(flag.size) if flag.size else None
    about = inspect(path, size, delegate=True)
    describe(about)
    if about.metadata:
        print(f"Written by issp-export: {json.dumps(about.metadata)}")
    if flag.output:
        files.write_json(
            flag.output,
            {
                **dataclasses.asdict(about),
                "weights": dataclasses.asdict(about.weights),
                "macs": about.macs,
                "sparse_macs": about.sparse_macs,
            },
        )
        print(f"Wrote {flag.output}.")


def run():
    """Entry point of `issp-inspect`."""
    flags.DEFINE_list(
        "size",
        None,
        "LR height and width in pixels for which to count multiply-adds, if "
        "the file takes any.",
    )
    flags.DEFINE_string("output", None, "JSON file to write the same to.")
    cli.run(main)


if __name__ == "__main__":
    run()
