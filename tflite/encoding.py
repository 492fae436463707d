"""The smallest of TFLite's sparse encodings for a tensor.

TFLite stores a sparse tensor as a tree. Each level of the tree is a dimension.
In a dense level, every index has a child. A compressed level lists the indices
of the children, and where the list of each node begins. The leaves are the
values. Dimensions may have any order, and may be split into blocks. The
smallest tree depends on where the zeros are. `choose` finds it among all
orders, all choices of dense and compressed levels, and blocks.

Source: `SparsityParameters` in TFLite's `schema.fbs`.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np

from issp_keras.tflite.flatbuffer import Level

# Index types of the schema, by the bytes of an index.
_WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.int32}
# Bytes of a level's table, and of the two vectors of a compressed level.
_LEVEL = 16
_VECTORS = 40
_BLOCKS = (1, 2, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class Encoding:
    """A sparse encoding.

    Attributes:
        order: Tuple of integers, the dimension of each level. The tensor's
            own dimensions come first, then those inside of blocks.
        compressed: Tuple of booleans, whether each level is compressed.
        blocks: Tuple of pairs (dimension, size), the blocks' sides. A blocked
            dimension counts blocks. An additional dimension counts the values
            along a side of a block.
    """

    order: tuple[int, ...]
    compressed: tuple[bool, ...]
    blocks: tuple[tuple[int, int], ...] = ()


def choose(values: np.ndarray) -> tuple[Encoding | None, int]:
    """Finds the encoding that takes the fewest bytes.

    Args:
        values: Array of any shape and rank.

    Returns:
        Pair of an `Encoding` (None if a dense tensor is as small) and its
        bytes in a file, without the bytes that every tensor takes.
    """
    zeros = values.size - np.count_nonzero(values)
    best: Encoding | None = None
    least = float(values.nbytes)
    # Every tree needs at least the bytes of the values.
    if not zeros or (values.size - zeros) * values.itemsize >= least:
        return None, values.nbytes
    occupied = _occupied(values)
    for blocks in _possible_blocks(values.shape):
        inside = math.prod(size for _, size in blocks)
        blocked = _blocked(occupied, blocks)
        first = values.ndim
        outer = tuple(range(first, blocked.ndim))
        filled = int(np.count_nonzero(blocked.any(axis=outer)))
        if filled * (inside * values.itemsize + 1) >= least:
            continue
        cost, levels = _smallest_tree(blocked, first, values.itemsize)
        if cost < least:
            least = cost
            order, compressed = zip(*levels, strict=True)
            best = Encoding(order, compressed, blocks)
    return best, int(least)


def encode(
    values: np.ndarray, encoding: Encoding
) -> tuple[list[Level], np.ndarray]:
    """Encodes a tensor.

    Args:
        values: Array.
        encoding: `Encoding`.

    Returns:
        Its levels, and a flat array of the values that are stored.
    """
    blocked = _blocked(values, encoding.blocks).transpose(encoding.order)
    occupied = np.flatnonzero(_occupied(blocked))
    levels = []
    # The nodes of a level, as numbers of prefixes of the index, ascending.
    nodes = np.zeros(1, np.int64)
    below = blocked.size
    for size, compressed in zip(
        blocked.shape, encoding.compressed, strict=True
    ):
        below //= size
        if compressed:
            children = np.unique(occupied // below)
            starts = np.searchsorted(children // size, nodes)
            segments = np.append(starts, len(children))
            indices = children % size
            levels.append(Level(size, _narrow(segments), _narrow(indices)))
            nodes = children
        else:
            levels.append(Level(size))
            nodes = (nodes[:, None] * size + np.arange(size)).ravel()
    return levels, blocked.ravel()[nodes]


def floor(count: int, nonzeros: int, itemsize: int) -> float:
    """A lower bound for the bytes of a tensor.

    It is the entropy of the places of the non-zero values, log2 of the number
    of ways to choose them, plus the values, which are not compressed. If all
    values with their zeros take fewer bytes, it is that number.
    """
    ways = (
        math.lgamma(count + 1)
        - math.lgamma(nonzeros + 1)
        - math.lgamma(count - nonzeros + 1)
    )
    return min(count * itemsize, nonzeros * itemsize + ways / math.log(2) / 8)


def _occupied(values):
    """Which values are stored. TFLite needs at least one."""
    occupied = values != 0
    if not occupied.any():
        occupied[(0,) * values.ndim] = True
    return occupied


def _possible_blocks(shape):
    """Yields no blocks, then blocks along the first and last dimensions."""
    axes = sorted({0, len(shape) - 1})
    sides = [
        [size for size in _BLOCKS if shape[axis] % size == 0] for axis in axes
    ]
    for sizes in itertools.product(*sides):
        pairs = zip(axes, sizes, strict=True)
        yield tuple((axis, size) for axis, size in pairs if size > 1)


def _blocked(values, blocks):
    """Splits dimensions into blocks. The dimensions inside come last."""
    shape = list(values.shape)
    inside = []
    for shift, (axis, size) in enumerate(blocks):
        shape[axis + shift : axis + shift + 1] = [
            values.shape[axis] // size,
            size,
        ]
        inside.append(axis + shift + 1)
    outer = [axis for axis in range(len(shape)) if axis not in inside]
    return values.reshape(shape).transpose(outer + inside)


def _smallest_tree(occupied, first, itemsize):
    """The cheapest tree, by dynamic programming over sets of dimensions.

    The nodes below a compressed level are the index prefixes with a value.
    Their number depends on the set of dimensions above, not on its order.

    Returns:
        Its bytes, and (dimension, compressed) of each level.
    """
    every = frozenset(range(occupied.ndim))
    filled = _filled(occupied)

    @functools.cache
    def search(done, nodes):
        if done == every:
            return itemsize * nodes, ()
        best = math.inf, ()
        left = sorted(every - done)
        # Dimensions inside of blocks come last, in order, and are dense.
        for axis in [axis for axis in left if axis < first] or left[:1]:
            size = occupied.shape[axis]
            then = done | {axis}
            below, levels = search(then, nodes * size)
            best = min(best, (below + _LEVEL, ((axis, False), *levels)))
            if axis >= first:
                continue
            children = filled[then]
            below, levels = search(then, children)
            cost = below + _LEVEL + _VECTORS
            cost += (nodes + 1) * _width(children) + children * _width(size - 1)
            best = min(best, (cost, ((axis, True), *levels)))
        return best

    return search(frozenset(), 1)


def _filled(occupied):
    """How many index prefixes have a value, for each set of dimensions."""
    every = frozenset(range(occupied.ndim))
    arrays = {every: occupied}
    for size in range(occupied.ndim - 1, -1, -1):
        for kept in map(frozenset, itertools.combinations(every, size)):
            larger = min(
                (kept | {axis} for axis in every - kept),
                key=lambda of: arrays[of].size,
            )
            (axis,) = larger - kept
            arrays[kept] = arrays[larger].any(axis=axis, keepdims=True)
    return {kept: int(array.sum()) for kept, array in arrays.items()}


def _width(most):
    """The bytes of an integer that can be as large as `most`."""
    return next(width for width in (1, 2, 4) if most < 256**width)


def _narrow(numbers):
    return numbers.astype(_WIDTHS[_width(int(numbers.max(initial=0)))])
