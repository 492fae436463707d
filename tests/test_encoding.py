"""The smallest sparse encoding of a tensor."""

import math

import numpy as np
import pytest

from issp_keras.tflite import encoding
from issp_keras.tflite import flatbuffer

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _decode(levels, stored, order, blocks, shape):
    """Decodes like TFLite's `FormatConverter`, written out in Python."""
    rank = len(shape)
    sides = dict(blocks)
    inner = [axis for axis, _ in blocks]
    result = np.zeros(shape, stored.dtype)
    values = iter(stored)

    def fill(depth, node, index):
        if depth == len(levels):
            place = [index[axis] for axis in range(rank)]
            for i, axis in enumerate(inner):
                place[axis] = place[axis] * sides[axis] + index[rank + i]
            result[tuple(place)] = next(values)
            return
        level = levels[depth]
        if level.segments is None:
            for i in range(level.size):
                fill(
                    depth + 1, node * level.size + i, {**index, order[depth]: i}
                )
            return
        for child in range(level.segments[node], level.segments[node + 1]):
            i = int(level.indices[child])
            fill(depth + 1, child, {**index, order[depth]: i})

    fill(0, 0, {})
    return result


def _bytes(levels, stored):
    parts = [part for lv in levels for part in (lv.segments, lv.indices)]
    return stored.nbytes + sum(p.nbytes for p in parts if p is not None)


@pytest.mark.parametrize("zeros", [0.4, 0.9, 0.99])
@pytest.mark.parametrize(
    "shape", [(64, 32), (16, 3, 3, 32), (1, 3, 3, 96), (300, 1, 1, 8), (512,)]
)
def test_what_is_encoded_can_be_decoded(shape, zeros):
    values = RNG.random(shape, np.float32) * (RNG.random(shape) > zeros)
    best, size = encoding.choose(values)
    levels, stored = encoding.encode(values, best)
    decoded = _decode(levels, stored, best.order, best.blocks, shape)
    np.testing.assert_array_equal(decoded, values)
    assert flatbuffer.leaves(levels) == len(stored)
    # The estimate is exact except for the bytes of the tables.
    assert 0 <= size - _bytes(levels, stored) <= 60 * len(levels)


def test_rows_are_along_the_longest_dimension():
    values = RNG.random((256, 3, 3, 64), np.float32)
    values *= RNG.random(values.shape) > 0.95
    best, _ = encoding.choose(values)
    assert best.order[-1] == 0
    assert best.compressed == (False, False, False, True)


def test_empty_rows_are_left_out_where_that_is_smaller():
    values = RNG.random((64, 3, 3, 64), np.float32)
    values *= RNG.random(values.shape) > 0.995
    best, size = encoding.choose(values)
    rows = encoding.Encoding((0, 1, 2, 3), (False, False, False, True))
    assert sum(best.compressed) == 2
    assert size < _bytes(*encoding.encode(values, rows))


def test_an_empty_channel_costs_nothing():
    values = np.zeros((64, 3, 3, 64), np.float32)
    values[5] = 1
    best, size = encoding.choose(values)
    levels, stored = encoding.encode(values, best)
    assert len(stored) == 9 * 64
    assert _bytes(levels, stored) == stored.nbytes + 3
    assert size < stored.nbytes + 200


@pytest.mark.parametrize("block", [(4, 1), (1, 4), (2, 8)])
def test_blocks_of_zeros_are_found(block):
    kept = RNG.random((64 // block[0], 64 // block[1])) > 0.9
    values = np.kron(kept, np.ones(block)).astype(np.float32)
    best, size = encoding.choose(values)
    sides = {axis: side for axis, side in enumerate(block) if side > 1}
    assert dict(best.blocks) == sides
    levels, stored = encoding.encode(values, best)
    assert len(stored) == np.count_nonzero(values)
    decoded = _decode(levels, stored, best.order, best.blocks, values.shape)
    np.testing.assert_array_equal(decoded, values)
    assert size < 1.2 * stored.nbytes + 200


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
def test_no_encoding_is_larger_than_the_dense_tensor(dtype):
    for zeros in np.linspace(0, 1, 21):
        values = np.ones((32, 32), dtype)
        values[RNG.random(values.shape) < zeros] = 0
        best, size = encoding.choose(values)
        assert (best is None) == (size == values.nbytes)
        if best is not None:
            assert size < values.nbytes
            assert _bytes(*encoding.encode(values, best)) <= size


def test_a_tensor_without_zeros_stays_dense():
    assert encoding.choose(np.ones((8, 8, 8), np.float32)) == (None, 2048)


def test_of_a_tensor_of_zeros_one_is_stored():
    """TFLite takes a tensor without values for a computed one."""
    zeros = np.zeros((8, 8, 8), np.float32)
    best, size = encoding.choose(zeros)
    levels, stored = encoding.encode(zeros, best)
    assert flatbuffer.leaves(levels) == len(stored) > 0
    assert not stored.any()
    assert size < 300


def test_the_floor_is_the_entropy_of_the_mask_and_the_values():
    assert encoding.floor(8, 8, 4) == pytest.approx(32)
    assert encoding.floor(8, 0, 4) == pytest.approx(0)
    # One byte for one of 256 places, and four for its value.
    assert encoding.floor(256, 1, 4) == pytest.approx(5)
    entropy = -(0.05 * math.log2(0.05) + 0.95 * math.log2(0.95))
    expected = 1e6 * (0.05 * 2 + entropy / 8)
    assert encoding.floor(10**6, 50_000, 2) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("segments", "indices"),
    [
        ([0, 1], [0, 1]),
        ([0, 2, 1], [0]),
        ([0, 1, 1], [4]),
        ([1, 1, 1], [0]),
        ([0, 1], [0]),
        ([0, 1, 3], [0, 1]),
    ],
)
def test_levels_that_contradict_each_other_are_refused(segments, indices):
    levels = [
        flatbuffer.Level(2),
        flatbuffer.Level(4, np.array(segments), np.array(indices)),
    ]
    with pytest.raises(ValueError, match="levels do not fit"):
        flatbuffer.leaves(levels)
