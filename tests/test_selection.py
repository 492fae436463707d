import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from issp_keras.sparsity import selection


def _smallest(values, k):
    values = np.asarray(values, np.float32)
    return ops.convert_to_numpy(selection.smallest(values, k))


def test_marks_the_smallest_magnitudes():
    marked = _smallest([[3.0, -1.0], [0.5, -2.0]], 2)
    assert marked.tolist() == [[False, True], [True, False]]


def test_among_equal_magnitudes_marks_the_first():
    marked = _smallest([1.0, -1.0, 0.5, 1.0, -1.0], 3)
    assert marked.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("k", range(5))
def test_marks_exactly_k_of_equal_values(k):
    assert _smallest(np.zeros((2, 2)), k).sum() == k
    assert _smallest(np.full((2, 2), -7.0), k).sum() == k


def test_tells_denormals_infinities_and_nan_apart():
    values = [np.nan, -np.inf, 3e38, 1e-45, 0.0, -2e-45]
    order = [4, 3, 5, 2, 1, 0]
    for k in range(len(values) + 1):
        assert set(np.flatnonzero(_smallest(values, k))) == set(order[:k])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("size", [1, 7, 5000])
def test_equals_a_stable_sort(size, dtype):
    values = np.random.default_rng(size).normal(size=size)
    values = ops.cast(values, dtype)
    order = np.argsort(
        np.abs(ops.convert_to_numpy(ops.cast(values, "float32"))),
        kind="stable",
    )
    for k in (0, size // 2, size):
        marked = ops.convert_to_numpy(selection.smallest(values, k))
        assert set(np.flatnonzero(marked)) == set(order[:k].tolist())


@pytest.mark.parametrize("jit_compile", [False, True])
def test_takes_k_as_a_tensor_inside_a_compiled_function(jit_compile):
    smallest = tf.function(selection.smallest, jit_compile=jit_compile)
    values = ops.array([3.0, -1.0, 0.5, -2.0])
    for k, marked in {1: [2], 3: [1, 2, 3]}.items():
        found = smallest(values, ops.convert_to_tensor(k))
        assert np.flatnonzero(found).tolist() == marked
