"""What a delegate takes of a network."""

import collections
import dataclasses

from issp_keras.inference.interpreter import SPARSE
from issp_keras.tflite import delegate as sparse_delegate
from issp_keras.tflite.benchmarking.latency import Contender

# Enough for a mean of each layer.
_PROFILE_RUNS = 10


@dataclasses.dataclass(frozen=True)
class Operation:
    """A line of a profile.

    Attributes:
        name: String, of the tensor it makes.
        ms: Float, mean milliseconds of one inference.
        kind: String, the operator, or None where the sparse delegate has
            fused several.
        nonzeros: Integer, weights that are not zero, or None if unknown.
        dense: Integer, multiply-adds a pixel of a dense kernel, or None.
        height: Integer, pixels of the image it makes, or None.
        width: Integer, likewise.
    """

    name: str
    ms: float
    kind: str | None = None
    nonzeros: int | None = None
    dense: int | None = None
    height: int | None = None
    width: int | None = None


@dataclasses.dataclass(frozen=True)
class Delegation:
    """What was delegated.

    Attributes:
        nodes: Integer, nodes of the file that the delegate computes.
        bytes: Integer, the delegate's own memory for images, or None if
            unknown.
        kernels: String, the instructions it uses, or None.
        profile: List of `Operation`.
    """

    nodes: int | None = None
    bytes: int | None = None
    kernels: str | None = None
    profile: list[Operation] = dataclasses.field(default_factory=list)


def why_nothing(contender: Contender) -> str | None:
    """Why the sparse delegate takes nothing of a file; None if it does.

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
    """What a contender's delegate computes, and how long each layer takes.

    The layers are timed in runs of their own, so that this slows no other.

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
        [_operation(la) for part in report.parts for la in part.layers],
    )


def _operation(layer):
    return Operation(
        layer.name,
        layer.milliseconds,
        None,
        layer.nonzeros,
        layer.dense,
        layer.height,
        layer.width,
    )
