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
from typing import Any

import numpy as np
from absl import flags

from issp_keras import cli
from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.tflite import eligibility
from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.metadata import read_metadata
from issp_keras.tflite.sparse import KERNEL_INPUTS

_SHAPES = pathlib.Path(__file__).with_name("shapes.py")
_SECONDS = 120
_ANY = 2**31
# What the converter adds to a layer's name in that of its kernel.
_OPERATORS = {
    "Conv2D",
    "MatMul",
    "ReadVariableOp",
    "Reshape",
    "Tensordot",
    "conv_transpose",
    "convolution",
    "depthwise",
    "einsum",
    "separable_conv2d",
    "transpose",
}
# Layers that are named before "and ... more".
_NAMES = 4


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A constant of a file.

    Attributes:
        name: String.
        shape: Tuple of integers.
        dtype: String.
        count: Integer, its values.
        nonzeros: Integer, those that are not zero.
        encoding: String, "dense", or "sparse" and the order of dimensions,
            compressed ones in brackets.
        bytes: Integer, as it is stored: values and indices.
        dense_bytes: Integer, as it would be stored with its zeros.
        floor_bytes: Float, the least in which zeros at any place and values
            of any kind can be stored (`encoding.floor`).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    nonzeros: int
    encoding: str
    bytes: int
    dense_bytes: int
    floor_bytes: float

    @property
    def is_sparse(self) -> bool:
        """Whether it is stored without its zeros."""
        return self.encoding != "dense"


@dataclasses.dataclass(frozen=True)
class Layer:
    """An operator with a kernel.

    Attributes:
        name: String.
        operator: String, such as "CONV_2D".
        kernel: `Tensor`.
        macs: Integer, multiply-adds of the kernel for one image, or None if
            the image's size is not known.
        sparse_macs: Integer, those with weights that are not zero.
        xnnpack: Dict, for each platform why stock XNNPACK does not run it
            sparse, or None if it does.
        delegate: String, why the sparse delegate of issp_keras does not, or
            None if it does.
    """

    name: str
    operator: str
    kernel: Tensor
    macs: int | None
    sparse_macs: int | None
    xnnpack: dict[str, str | None]
    delegate: str | None


@dataclasses.dataclass(frozen=True)
class Weights:
    """The kernels of a network.

    Attributes:
        count: Integer, weights in all kernels.
        nonzeros: Integer, how many of them are not zero.
        sparse_kernels: Integer, kernels that are stored sparse.
        kernels: Integer, kernels in all.
    """

    count: int
    nonzeros: int
    sparse_kernels: int
    kernels: int


@dataclasses.dataclass(frozen=True)
class Inspection:
    """A `.tflite` file.

    Attributes:
        path: String.
        bytes: Integer, its size.
        gzip_bytes: Integer, its size after gzip.
        zip_bytes: Integer, its size in an APK, as zip deflates it.
        floor_bytes: Float, the least that its constants can take.
        size: Pair of the height and width for which multiply-adds are
            counted, or None.
        tensors: List of `Tensor`, all constants.
        layers: List of `Layer`.
        metadata: Dict of what `issp-export` says of the network, or None.
    """

    path: str
    bytes: int
    gzip_bytes: int
    zip_bytes: int
    floor_bytes: float
    size: tuple[int, int] | None
    tensors: list[Tensor]
    layers: list[Layer]
    metadata: dict[str, Any] | None

    @property
    def weights(self) -> Weights:
        """The kernels; one that several layers share counts once."""
        return _weights(layer.kernel for layer in self.layers)

    @property
    def sparse_layers(self) -> dict[str, int]:
        """How many layers stock XNNPACK runs sparse on each platform."""
        return {
            platform: sum(
                layer.xnnpack[platform] is None for layer in self.layers
            )
            for platform in eligibility.PLATFORMS
        }

    @property
    def macs(self) -> int | None:
        """Multiply-adds of all kernels for one image, or None."""
        return _sum(layer.macs for layer in self.layers)

    @property
    def sparse_macs(self) -> int | None:
        """Those with weights that are not zero, or None."""
        return _sum(layer.sparse_macs for layer in self.layers)


def inspect(path, size: tuple[int, int] | None = None) -> Inspection:
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
    with blame(f"{path}: is not a TFLite model", Exception):
        layers = [
            layer
            for graph, of in zip(model.subgraphs, constants, strict=True)
            for layer in _layers(
                model, graph, of, shapes if graph is main else None
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
    weights = _weights(
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


def _weights(kernels):
    kernels = list({id(kernel): kernel for kernel in kernels}.values())
    return Weights(
        sum(kernel.count for kernel in kernels),
        sum(kernel.nonzeros for kernel in kernels),
        sum(kernel.is_sparse for kernel in kernels),
        len(kernels),
    )


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
    """The height and width that a graph takes, or None if it takes any."""
    if len(graph.inputs) != 1:
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
        # Of one image: where any number may come, the file has 1 here.
        return [_sizes(tensor) for tensor in graph.tensors]
    if not size:
        return None
    # Only by running it, some shapes become known.
    kinds = {flatbuffer.kind_of(model, o) for o in graph.operators}
    must_run = "SHAPE" in kinds
    command = [sys.executable, "-P", _SHAPES, path, *size, int(must_run)]
    failed = f"{path}: does not take an image of {size[1]}x{size[0]} pixels"
    try:
        result = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        return json.loads(result.stdout)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{failed} within {_SECONDS} seconds.") from error
    except (subprocess.CalledProcessError, ValueError) as error:
        raise InputError(f"{failed}.") from error


def _layers(model, graph, constants, shapes):
    """The layers of a graph; `shapes` are those of its tensors, or None."""
    kernels = _kernels(model, graph, constants)
    zeros = {
        i: (kernel.count - kernel.nonzeros, kernel.count)
        for i, kernel in kernels.items()
    }
    reasons = eligibility.xnnpack(model, graph, zeros)
    return [
        _layer(model, graph, i, kernel, shapes, reasons[i])
        for i, kernel in kernels.items()
    ]


def _layer(model, graph, i, kernel, shapes, reasons):
    operator = graph.operators[i]
    kind = flatbuffer.kind_of(model, operator)
    macs = None
    if shapes:
        image = shapes[operator.inputs[-1 if kind == "TRANSPOSE_CONV" else 0]]
        result = shapes[operator.outputs[0]]
        macs = kernel.count * _uses(kind, kernel, image, result)
    return Layer(
        name=_layer_name(kernel.name),
        operator=kind,
        kernel=kernel,
        macs=macs,
        sparse_macs=None
        if macs is None
        else macs * kernel.nonzeros // kernel.count,
        xnnpack=reasons,
        delegate=eligibility.delegate(model, operator),
    )


def _layer_name(kernel):
    """The name of a kernel without those of operators at its end."""
    parts = kernel.split(";")[0].split("/")
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


def _sum(numbers):
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)


def main(argv):
    flag = flags.FLAGS
    (path,) = cli.arguments(argv, "a .tflite file")
    size = cli.image_size(flag.size) if flag.size else None
    about = inspect(path, size)
    _print_layers(about)
    _print_bytes(about)
    _print_eligibility(about)
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


def _print_layers(about):
    rows = []
    for layer in about.layers:
        kernel = layer.kernel
        rows.append(
            [
                layer.name,
                layer.operator,
                "x".join(map(str, kernel.shape)),
                kernel.dtype,
                _share(kernel.count - kernel.nonzeros, kernel.count),
                kernel.encoding,
                f"{kernel.bytes:,}",
                f"{kernel.dense_bytes:,}",
                _number(layer.macs),
                _number(layer.sparse_macs),
            ]
        )
    weights = about.weights
    # One that several layers share is stored once.
    kernels = list({id(la.kernel): la.kernel for la in about.layers}.values())
    rows.append(
        [
            "total",
            "",
            "",
            "",
            _share(weights.count - weights.nonzeros, weights.count),
            f"{weights.sparse_kernels} of {weights.kernels} sparse",
            f"{sum(kernel.bytes for kernel in kernels):,}",
            f"{sum(kernel.dense_bytes for kernel in kernels):,}",
            _number(about.macs),
            _number(about.sparse_macs),
        ]
    )
    cli.print_table(
        [
            "layer",
            "operator",
            "kernel",
            "type",
            "zeros",
            "stored",
            "bytes",
            "dense",
            "multiply-adds",
            "without zeros",
        ],
        rows,
    )


def _print_bytes(about):
    print(
        f"{about.path}: {about.bytes:,} bytes, {about.gzip_bytes:,} after "
        f"gzip, {about.zip_bytes:,} in a zip archive such as an APK. The "
        "least that its constants can take, if zeros are at any place and "
        f"values are not compressed: {about.floor_bytes:,.0f} bytes, so the "
        f"file is {about.bytes / max(1, about.floor_bytes):.2f} times that."
    )
    if about.size:
        height, width = about.size
        print(f"Multiply-adds are of kernels, for {width}x{height} pixels.")
    else:
        print("For multiply-adds, say for which image: --size=HEIGHT,WIDTH.")


def _print_eligibility(about):
    groups: dict[tuple, list[str]] = {}
    for platform in eligibility.PLATFORMS:
        reasons = tuple(layer.xnnpack[platform] for layer in about.layers)
        groups.setdefault(reasons, []).append(platform)
    everything = len(about.layers)
    for reasons, platforms in groups.items():
        print(
            f"XNNPACK on {', '.join(platforms)} runs {reasons.count(None)} of "
            f"{everything} layers sparse."
        )
        _print_reasons(about.layers, reasons)
    reasons = tuple(layer.delegate for layer in about.layers)
    print(
        f"The sparse delegate of issp_keras runs {reasons.count(None)} of "
        f"{everything} layers sparse."
    )
    _print_reasons(about.layers, reasons)


def _print_reasons(layers, reasons):
    """Prints reasons, and the layers they forbid, the first few by name."""
    for reason in filter(None, dict.fromkeys(reasons)):
        names = [
            layer.name
            for layer, of in zip(layers, reasons, strict=True)
            if of == reason
        ]
        more = len(names) - _NAMES
        text = ", ".join(names[:_NAMES])
        print(
            f"  Not {text}{f' and {more} more' if more > 0 else ''}: {reason}."
        )


def _share(part, whole):
    return f"{part / max(1, whole):.1%}"


def _number(number):
    return "" if number is None else f"{number:,}"


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
