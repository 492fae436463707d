"""The parts of a network that a delegate computes, and their times."""

import ctypes
import dataclasses
import json
from typing import Any

from issp_keras.tflite.delegate.loading import library


@dataclasses.dataclass(frozen=True)
class Layer:
    """A line of a profile: a layer and its time.

    Attributes:
        name: String, the name of its output tensor.
        ms: Float, mean milliseconds per inference. The sparse delegate counts
            only runs with `profile=1`.
        kind: String, the operator of TFLite, or the operation of the sparse
            delegate: "convolution", "linear", "attention" and so on.
        nonzeros: Integer, weights that are not zero, or None if unknown.
        dense: Integer, multiply-adds per pixel of a dense kernel; 0 if the
            layer has no kernel, None if unknown.
        height: Integer, height of its output image; 0 before the first run,
            None if unknown.
        width: Integer, width of its output image, likewise.
        blocks: Integer, the number of blocks of four input channels that
            contain a non-zero weight, for a layer in int8; None for others.
        dense_blocks: Integer, the number of all blocks, likewise.
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
        nodes: Integer, the number of nodes of the file that it replaces.
        sparsity: Float, the share of zeros in its kernels.
        expected_speedup: Float, how many times as fast as dense the delegate
            expects it to be. This decides whether the delegate takes it.
        runs: Integer, the number of images so far.
        bytes: Integer, memory for images in bytes.
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
    """The parts that a delegate computes, and the nodes that it does not.

    Attributes:
        kernels: String, the instructions of the CPU that it uses.
        parts: List of `Part`, of all interpreters that use the delegate.
        declined: Dict from the number of a node to the reason why it is left
            to TFLite. The nodes are those of the main graph of the file that
            was loaded last.
    """

    kernels: str
    parts: list[Part]
    declined: dict[int, str]


def report(delegate: Any) -> Report:
    """Returns the report of a delegate that `load` has loaded."""
    function = ctypes.CDLL(str(library())).issp_delegate_report
    function.restype = ctypes.c_char_p
    function.argtypes = [ctypes.c_void_p]
    text = function(delegate._get_native_delegate_pointer())
    # Names of tensors need not be valid UTF-8.
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
