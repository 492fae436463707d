import numpy as np
import pytest
from keras import ops

from issp_keras.sparsity import ERK
from issp_keras.sparsity import Global
from issp_keras.sparsity import Kernel
from issp_keras.sparsity import Map
from issp_keras.sparsity import Uniform


def _kernels(shapes):
    return [
        Kernel(i, f"layer_{i}/kernel", shape, (len(shape) - 2,), (-1,))
        for i, shape in enumerate(shapes)
    ]


def _counts(distribution, shapes, sparsity, scores=None, progress=1.0):
    kernels = _kernels(shapes)
    scores = scores or [None] * len(shapes)
    counts = distribution.pruned_counts(kernels, scores, sparsity, progress)
    return [int(count) for count in counts]


@pytest.mark.parametrize(
    ("size", "sparsity", "count"),
    [
        (1000, 0.9, 900),
        (1001, 0.9, 901),
        (10, 0.95, 9),
        (1, 0.95, 0),
        (10_000, 0.999, 9950),
        (1000, 0.0, 0),
    ],
)
def test_uniform_prunes_the_ceiling_but_never_a_whole_kernel(
    size, sparsity, count
):
    assert _counts(Uniform(), [(size,)], sparsity) == [count]
    tensor = ops.convert_to_tensor(sparsity, "float32")
    (found,) = _counts(Uniform(), [(size,)], tensor)
    assert abs(found - count) <= 1


def test_uniform_keeps_the_counts_of_the_official_edsr_baseline():
    sizes = [1728, *[36864] * 33, *[147456] * 2, 1728]
    shapes = [(size,) for size in sizes]
    for sparsity, kept in {0.9: 151_472, 0.95: 75_735, 0.99: 15_126}.items():
        assert sum(sizes) - sum(_counts(Uniform(), shapes, sparsity)) == kept


# Densities in proportion to 0.5, 0.1 and 0.05; at 0.5 the first is dense.
ERK_SHAPES = [(4, 4), (20, 20), (40, 40)]


def test_erk_gives_densities_in_proportion_to_sum_over_product():
    sizes = [16, 400, 1600]
    counts = _counts(ERK(), ERK_SHAPES, 0.9)
    kept = [n - c for n, c in zip(sizes, counts, strict=True)]
    # One factor f with 16 * 0.5 f + 400 * 0.1 f + 1600 * 0.05 f = 201.6.
    assert kept == [int(201.6 / 128 * x) for x in (8, 40, 80)]
    assert sum(counts) >= 0.9 * sum(sizes)


def test_erk_keeps_a_kernel_dense_rather_than_exceed_density_one():
    counts = _counts(ERK(), ERK_SHAPES, 0.5)
    assert counts[0] == 0
    assert counts[1] == 400 - int(400 * 0.1 * (1008 - 16) / 120)
    assert abs(sum(counts) - 1008) <= 2


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9, 0.97])
def test_erk_is_the_same_inside_a_compiled_step(sparsity):
    tensor = ops.convert_to_tensor(sparsity, "float32")
    inside = _counts(ERK(), ERK_SHAPES, tensor)
    outside = _counts(ERK(), ERK_SHAPES, sparsity)
    assert max(abs(a - b) for a, b in zip(inside, outside)) <= 1


def test_global_ranks_all_kernels_together():
    scores = [np.arange(1000.0), np.arange(500.0, 1500.0)]
    scores = [ops.convert_to_tensor(s.astype("float32")) for s in scores]
    counts = _counts(Global(), [(1000,), (1000,)], 0.5, scores)
    assert counts == [750, 250]


def test_global_lets_no_kernel_die_and_still_prunes_the_exact_total():
    scores = [np.arange(1000.0), np.arange(5000.0, 6000.0)]
    scores = [ops.convert_to_tensor(s.astype("float32")) for s in scores]
    counts = _counts(Global(), [(1000,), (1000,)], 0.75, scores)
    assert counts == [995, 505]


def test_a_map_sets_the_first_expression_that_is_found():
    chosen = Map({"layer_0": 0.5, "layer_[01]": 0.8})
    shapes = [(100,), (100,), (100,)]
    assert _counts(chosen, shapes, 0.9) == [50, 80, 90]
    pairs = Map((("layer_0", 0.5), ("layer_[01]", 0.8)))
    assert _counts(pairs, shapes, 0.9) == [50, 80, 90]


def test_a_map_follows_a_ramp():
    assert _counts(Map({"0": 0.5}), [(100,)], 0.45, progress=0.5) == [25]


@pytest.mark.parametrize(
    ("sparsities", "message"),
    [
        ({"a": 1.0}, "'a': 1.0"),
        ({"a": "x"}, "'a': 'x'"),
        ({"(": 0.5}, "Not a regular expression"),
    ],
)
def test_a_map_refuses_what_it_cannot_use(sparsities, message):
    with pytest.raises(ValueError, match=message):
        Map(sparsities)


def test_a_map_refuses_an_expression_that_finds_nothing():
    with pytest.raises(ValueError, match=r"contains 'conv'.*layer_0/kernel"):
        Map({"conv": 0.5}).check(_kernels([(100,)]))
