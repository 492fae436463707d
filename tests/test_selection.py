import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import Exact
from issp_keras.sparsity import Sampled
from issp_keras.sparsity.selection import traced_once

pytestmark = pytest.mark.versions


def test_calls_of_equal_shapes_are_traced_once():
    shapes = []

    @traced_once
    def double(x):
        shapes.append(tuple(x.shape))
        return 2 * x

    for value in ([1.0], [2.0], [3.0, 4.0]):
        found = double(ops.convert_to_tensor(value))
        np.testing.assert_array_equal(found, 2 * np.array(value))
    assert shapes == [(1,), (2,)]


def _smallest(values, k):
    values = np.abs(np.asarray(values, np.float32))
    (mask,) = Exact().smallest([ops.convert_to_tensor(values)], [k])
    return ops.convert_to_numpy(mask)


def test_marks_the_smallest_scores():
    marked = _smallest([[3.0, 1.0], [0.5, 2.0]], 2)
    assert marked.tolist() == [[False, True], [True, False]]


def test_among_equal_scores_marks_the_first():
    marked = _smallest([1.0, 1.0, 0.5, 1.0, 1.0], 3)
    assert marked.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("k", range(5))
def test_marks_exactly_k_of_equal_values(k):
    assert _smallest(np.zeros((2, 2)), k).sum() == k
    assert _smallest(np.full((2, 2), 7.0), k).sum() == k


def test_tells_denormals_infinities_and_nan_apart():
    values = [np.nan, np.inf, 3e38, 1e-45, 0.0, 2e-45]
    order = [4, 3, 5, 2, 1, 0]
    for k in range(len(values) + 1):
        assert set(np.flatnonzero(_smallest(values, k))) == set(order[:k])


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_agrees_with_numpy_partition(size):
    """The values have ties, zeros, denormals and infinities in any order."""
    rng = np.random.default_rng(size)
    special = np.array([0.0, -0.0, 1e-45, 1e-40, np.inf, 0.5, 0.5], "float32")
    for _ in range(5):
        values = np.resize(special, max(size, 7))
        values[7:] = rng.normal(size=values.size - 7)
        values = np.abs(rng.permutation(values)[:size])
        for k in {0, 1, size // 2, size - 1, size}:
            marked = _smallest(values, k)
            assert marked.sum() == k
            if k:
                least = np.partition(values, k - 1)[:k]
                np.testing.assert_array_equal(
                    np.sort(values[marked]), np.sort(least)
                )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("size", [1, 7, 5000])
def test_equals_a_stable_sort(size, dtype):
    values = np.abs(np.random.default_rng(size).normal(size=size))
    values = ops.cast(values, dtype)
    numbers = ops.convert_to_numpy(ops.cast(values, "float32"))
    order = np.argsort(numbers, kind="stable")
    for k in (0, size // 2, size):
        (mask,) = Exact().smallest([values], [k])
        marked = np.flatnonzero(ops.convert_to_numpy(mask))
        assert set(marked) == set(order[:k].tolist())


def test_chooses_in_many_arrays_of_several_sizes_as_in_each_alone():
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,), (12,), (2, 6), (1,)]
    arrays = [rng.random(shape).astype("float32") for shape in shapes]
    counts = [4, 2, 7, 0, 1]
    together = Exact().smallest(
        [ops.convert_to_tensor(array) for array in arrays], counts
    )
    for mask, array, count in zip(together, arrays, counts, strict=True):
        found = ops.convert_to_numpy(mask)
        assert found.shape == array.shape
        np.testing.assert_array_equal(found, _smallest(array, count))


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_takes_k_as_a_tensor_inside_a_compiled_function(jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def smallest(values, k):
        return Exact().smallest([values], [k])[0]

    values = ops.array([3.0, 1.0, 0.5, 2.0])
    for k, marked in {1: [2], 3: [1, 2, 3]}.items():
        found = smallest(values, ops.convert_to_tensor(k))
        assert np.flatnonzero(found).tolist() == marked


def test_a_sampled_threshold_marks_about_as_many_as_asked_for():
    scores = np.random.default_rng(0).random((100, 400)).astype("float32")
    shares = []
    for step in range(20):
        (mask,) = Sampled(4000).smallest(
            [ops.convert_to_tensor(scores)], [38_000], step
        )
        mask = ops.convert_to_numpy(mask)
        shares.append(mask.mean())
        assert scores[mask].max() < scores[~mask].min()
    assert abs(np.mean(shares) - 0.95) < 0.005
    assert max(np.abs(np.array(shares) - 0.95)) < 0.02
    assert len(set(shares)) > 10  # Each step draws another sample.


def test_a_sample_holds_no_place_twice():
    for size in (32_400, 36_864, 589_824):
        places = Sampled()._places(size, step=12_345, salt=3)
        places = ops.convert_to_numpy(places)
        assert len(set(places.tolist())) == 32_400
        assert places.min() >= 0 and places.max() < size


def test_kernels_below_the_sample_size_are_chosen_exactly():
    scores = ops.array([3.0, 1.0, 0.5, 2.0])
    (mask,) = Sampled(5).smallest([scores], [3])
    assert np.flatnonzero(ops.convert_to_numpy(mask)).tolist() == [1, 2, 3]


def test_refuses_a_sample_of_one():
    with pytest.raises(ValueError, match="sample_size=1"):
        Sampled(1)
