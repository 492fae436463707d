"""The parts of a network that a delegate takes."""

import collections
import dataclasses

from issp_keras.inference import SPARSE
from issp_keras.tflite import delegate as sparse_delegate
from issp_keras.tflite.benchmarking.latency import Contender
from issp_keras.tflite.delegate import Layer

# Enough for a mean of each layer.
_PROFILE_RUNS = 10


@dataclasses.dataclass(frozen=True)
class Delegation:
    """The nodes and layers that a delegate computes.

    Attributes:
        nodes: Integer, nodes of the file that the delegate computes.
        bytes: Integer, the delegate's own memory for images, or None if
            unknown.
        kernels: String, the instructions it uses, or None.
        profile: List of `delegate.Layer`.
    """

    nodes: int | None = None
    bytes: int | None = None
    kernels: str | None = None
    profile: list[Layer] = dataclasses.field(default_factory=list)


def why_nothing(contender: Contender) -> str | None:
    """Why the sparse delegate takes no part of a file; None if it does.

    Args:
        contender: `Contender` with the sparse delegate.
    """
    report = sparse_delegate.report(contender.interpreter.delegate)
    if report.parts:
        return None
    reasons = collections.Counter(report.declined.values())
    return reasons.most_common(1)[0][0] if reasons else "it has no nodes"


def profiled(
    contender: Contender, height: int, width: int, threads: int
) -> Delegation:
    """The nodes that a contender's delegate computes, and the layers' times.

    The layers are timed in separate runs, which do not slow the others.

    Args:
        contender: `Contender`.
        height: Integer, the LR height in pixels.
        width: Integer, likewise.
        threads: Integer.
    """
    if contender.delegate != SPARSE:
        return Delegation()
    delegate = sparse_delegate.load(profile=1)
    twin = Contender(contender.path, height, width, threads, delegate)
    for _ in range(_PROFILE_RUNS):
        twin.run()
    report = sparse_delegate.report(delegate)
    return Delegation(
        sum(part.nodes for part in report.parts),
        sum(part.bytes for part in report.parts),
        report.kernels,
        [layer for part in report.parts for layer in part.layers],
    )
