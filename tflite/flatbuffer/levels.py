"""The levels of a sparse tensor, as a file describes them.

TFLite trusts the file here. If the levels are wrong, XNNPACK reads and writes
beyond its memory while it unpacks the tensor. So this module first checks them
against the tensor's shape and the number of its values.

Source: `FormatConverter` in LiteRT's
`tflite/kernels/internal/utils/sparsity_format_converter.cc`.
"""

import dataclasses
import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

# TFLite numbers values with 32 bits.
_MOST_VALUES = 2**31 - 1
# The most characters of a file's content in an error.
_LONGEST = 60


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of an encoded tensor.

    Attributes:
        size: Integer, the size of the dimension.
        segments: Array, where the children of each node begin, and where the
            last ones end. None if the level is dense.
        indices: Array, the indices of the children. None if it is dense.
    """

    size: int
    segments: np.ndarray | None = None
    indices: np.ndarray | None = None


def levels_of(tensor) -> list[Level]:
    """The levels of a sparse tensor, with the sizes of its dimensions.

    Args:
        tensor: Object of the schema with `sparsity`.

    Raises:
        ValueError: If they contradict the tensor's shape.
    """
    shape = _integers(tensor.shape)
    sparsity = tensor.sparsity
    order, blocks = map(_integers, (sparsity.traversalOrder, sparsity.blockMap))
    metadata = sparsity.dimMetadata or []
    rank = len(shape)
    count = rank + len(blocks)
    _expect(
        min(shape, default=1) > 0 and math.prod(shape) <= _MOST_VALUES,
        f"its shape is {shape}",
        f"positive sizes and at most {_MOST_VALUES:,} values",
    )
    _expect(
        sorted(order[:rank]) == list(range(rank))
        and order[rank:] == list(range(rank, count)),
        f"its traversal order is {order}",
        f"dimensions 0 to {rank - 1}, each once, and then {len(blocks)} blocks",
    )
    _expect(
        blocks == sorted(set(blocks) & set(range(rank))),
        f"its block map is {blocks}",
        f"dimensions below {rank} in increasing order",
    )
    _expect(
        len(metadata) == count,
        f"it describes {len(metadata)} levels",
        f"{count}, one for each of its traversal order",
    )
    sizes = shape + [int(of.denseSize) for of in metadata[rank:]]
    for axis, of in zip(blocks, metadata[rank:], strict=True):
        side = int(of.denseSize)
        _expect(
            of.format == schema.DimensionType.DENSE
            and side > 0
            and sizes[axis] % side == 0,
            f"a block of dimension {axis} has the size {side}",
            f"a dense one that divides {shape[axis]}",
        )
        sizes[axis] //= side
    return [
        _level(depth, of, sizes[axis])
        for depth, (axis, of) in enumerate(zip(order, metadata, strict=True))
    ]


def check(tensor, stored):
    """Raises a `ValueError` if a sparse tensor contradicts itself.

    Args:
        tensor: Object of the schema with `sparsity`.
        stored: Sequence, the values that the file stores of it.
    """
    expected = leaves(levels_of(tensor))
    _expect(
        expected == len(stored),
        f"it has {len(stored)} values",
        f"{expected} for its levels",
    )


def leaves(levels: list[Level]) -> int:
    """How many values an encoded tensor has.

    Raises:
        ValueError: If the levels contradict each other.
    """
    nodes = 1
    for depth, level in enumerate(levels):
        if level.segments is None or level.indices is None:
            nodes *= level.size
            continue
        problem = _problem_of_level(level, nodes)
        if problem:
            raise ValueError(f"its levels do not fit: {problem} {depth}.")
        nodes = len(level.indices)
    return nodes


def places_of(tensor) -> np.ndarray:
    """Where the stored values of a sparse tensor are.

    Args:
        tensor: Object of the schema with `sparsity`, which `check` has passed.

    Returns:
        Integer array of shape (values, dimensions).
    """
    nodes = np.zeros((1, 0), np.int64)
    for level in levels_of(tensor):
        if level.segments is None or level.indices is None:
            counts = np.full(len(nodes), level.size)
            children = np.tile(np.arange(level.size), len(nodes))
        else:
            counts = np.diff(level.segments.astype(np.int64))
            children = level.indices.astype(np.int64)
        nodes = np.column_stack([np.repeat(nodes, counts, 0), children])
    sparsity = tensor.sparsity
    rank = len(_integers(tensor.shape))
    found = np.empty((len(nodes), rank), np.int64)
    found[:, _integers(sparsity.traversalOrder)[:rank]] = nodes[:, :rank]
    for depth, axis in enumerate(_integers(sparsity.blockMap), rank):
        side = sparsity.dimMetadata[depth].denseSize
        found[:, axis] = found[:, axis] * side + nodes[:, depth]
    return found


def _problem_of_level(level, nodes):
    """What is wrong with a compressed level below `nodes` nodes, or None."""
    segments = level.segments.astype(np.int64)
    indices = level.indices.astype(np.int64)
    if len(segments) != nodes + 1:
        return f"{len(segments)} segments, expected {nodes + 1} in level"
    if segments[0] != 0 or (np.diff(segments) < 0).any():
        return "segments that do not begin with 0 and increase in level"
    if segments[-1] != len(indices):
        return f"{len(indices)} indices, expected {segments[-1]} in level"
    if not ((indices >= 0) & (indices < level.size)).all():
        return f"indices that are not below {level.size} in level"
    begins = np.zeros(len(indices) + 1, bool)
    begins[segments] = True
    if not ((np.diff(indices) > 0) | begins[1:-1]).all():
        return "indices that do not increase in level"
    return None


def _level(depth, of, size):
    if of.format == schema.DimensionType.DENSE:
        _expect(
            of.denseSize == size,
            f"level {depth} has the size {of.denseSize}",
            f"{size} as the tensor's shape says",
        )
        return Level(size)
    _expect(
        of.format == schema.DimensionType.SPARSE_CSR,
        f"level {depth} has the format {of.format}",
        "dense or compressed",
    )
    parts = [
        getattr(part, "values", None)
        for part in (of.arraySegments, of.arrayIndices)
    ]
    _expect(
        all(part is not None for part in parts),
        f"level {depth} is compressed without segments or indices",
        "both",
    )
    return Level(size, *map(np.asarray, parts))


def _integers(numbers):
    return [] if numbers is None else [int(number) for number in numbers]


def _expect(is_so, received, expected):
    if not is_so:
        if len(received) > _LONGEST:
            received = f"{received[:_LONGEST]}..."
        raise ValueError(f"{received}, expected {expected}.")
