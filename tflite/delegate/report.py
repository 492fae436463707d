"""What a delegate has taken of a network, and how long it took."""

import ctypes
import dataclasses
import json
from typing import Any

from issp_keras.tflite.delegate.loading import library


@dataclasses.dataclass(frozen=True)
class Layer:
    """A line of a profile: what is computed at once, and how long it takes.

    Attributes:
        name: String, of the tensor it makes.
        ms: Float, mean milliseconds of one inference; of the sparse delegate,
            of the runs with `profile=1`.
        kind: String, the operator of TFLite, or what the sparse delegate
            computes: "convolution", "linear", "attention" and so on.
        nonzeros: Integer, weights that are not zero, or None if unknown.
        dense: Integer, multiply-adds a pixel of a dense kernel, 0 for what
            has no kernel, or None if unknown.
        height: Integer, of the image it makes; 0 before the first run, None
            if unknown.
        width: Integer, likewise.
        blocks: Integer, of four input channels, in which a layer in int8 has a
            weight that is not zero; None of other layers.
        dense_blocks: Integer, blocks of its dense kernel, likewise.
    """

    name: str
    ms: float
    kind: str | None = None
    nonzeros: int | None = None
    dense: int | None = None
    height: int | None = None
    width: int | None = None
    blocks: int | None = None
    dense_blocks: int | None = None


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a network that the delegate computes as one node.

    Attributes:
        nodes: Integer, nodes of the file that it replaces.
        sparsity: Float, the share of zeros of its kernels.
        expected_speedup: Float, on which the decision to take it rests.
        runs: Integer, images so far.
        bytes: Integer, memory for images.
        layers: List of `Layer`.
    """

    nodes: int
    sparsity: float
    expected_speedup: float
    runs: int
    bytes: int
    layers: list[Layer]


@dataclasses.dataclass(frozen=True)
class Report:
    """What a delegate does.

    Attributes:
        kernels: String, for which CPU it computes.
        parts: List of `Part`, of all interpreters that use it.
        declined: Dict of integers, nodes of the main graph of the file that
            was loaded last, to strings, why they are left to TFLite.
    """

    kernels: str
    parts: list[Part]
    declined: dict[int, str]


def report(delegate: Any) -> Report:
    """Asks a delegate that `load` has loaded what it does."""
    function = ctypes.CDLL(str(library())).issp_delegate_report
    function.restype = ctypes.c_char_p
    function.argtypes = [ctypes.c_void_p]
    text = function(delegate._get_native_delegate_pointer())
    # Names of tensors are any bytes.
    found = json.loads(text.decode(errors="replace"))
    return Report(
        found["kernels"],
        [_part(part) for part in found["parts"]],
        {int(node): reason for node, reason in found["declined"].items()},
    )


def _part(part):
    return Part(
        part["nodes"],
        part["sparsity"],
        part["expected_speedup"],
        part["runs"],
        part.get("bytes", 0),
        [
            Layer(
                layer["name"],
                layer["ms"],
                layer["kind"],
                layer["nonzeros"],
                layer["dense"],
                layer.get("height", 0),
                layer.get("width", 0),
                layer.get("nonzero_blocks"),
                layer.get("dense_blocks"),
            )
            for layer in part["layers"]
        ],
    )
