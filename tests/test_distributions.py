import math

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import issp_keras
from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras import models
from issp_keras.sparsity import ERK
from issp_keras.sparsity import IHT
from issp_keras.sparsity import Cost
from issp_keras.sparsity import Distribution
from issp_keras.sparsity import Global
from issp_keras.sparsity import Kernel
from issp_keras.sparsity import Map
from issp_keras.sparsity import Uniform


def _kernels(shapes, uses=None):
    uses = uses or [1.0] * len(shapes)
    return [
        Kernel(i, f"layer_{i}/kernel", shape, (len(shape) - 2,), (-1,), uses[i])
        for i, shape in enumerate(shapes)
    ]


def _counts(
    distribution, shapes, sparsity, scores=None, progress=1.0, uses=None
):
    kernels = _kernels(shapes, uses)
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


@pytest.mark.parametrize(
    ("sparsity", "size", "count"),
    [(0.55, 100, 55), (0.07, 100, 7), (1 - 0.45, 100, 55), (2 / 3, 9, 6)],
)
def test_the_number_that_was_meant_counts(sparsity, size, count):
    """`0.55 * 100` is 55.00000000000001 in floats."""
    shapes = [(size,)]
    scores = _tensors([np.arange(size)])
    chosen = Map({"layer": sparsity})
    for distribution in (Uniform(), ERK(), Global(), Cost(), chosen):
        assert _counts(distribution, shapes, sparsity, scores) == [count]


def test_a_floor_is_the_number_that_was_meant():
    """`(1 - 0.9) * 10` is 0.9999999999999998 in floats."""
    scores = _tensors([np.arange(10.0)])
    assert _counts(Global(0.9), [(10,)], 0.5, scores) == [1]


def test_uniform_keeps_the_counts_of_the_official_edsr_baseline():
    sizes = [1728, *[36864] * 33, *[147456] * 2, 1728]
    shapes = [(size,) for size in sizes]
    for sparsity, kept in {0.9: 151_472, 0.95: 75_735, 0.99: 15_126}.items():
        assert sum(sizes) - sum(_counts(Uniform(), shapes, sparsity)) == kept


# Densities are in proportion to 0.5, 0.1 and 0.05. At sparsity 0.5, the first
# kernel is dense.
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


def test_a_floor_is_what_each_kernel_keeps():
    scores = [np.arange(1000.0), np.arange(5000.0, 6000.0)]
    scores = [ops.convert_to_tensor(s.astype("float32")) for s in scores]
    shapes = [(1000,), (1000,)]
    assert _counts(Global(0.2), shapes, 0.75, scores) == [800, 700]
    assert _counts(Global(0.0), shapes, 0.75, scores) == [1000, 500]
    assert _counts(Cost(0.2), shapes, 0.75, scores) == [800, 700]


@pytest.mark.parametrize("distribution", [Global, Cost])
@pytest.mark.parametrize("floor", [-0.1, 1.0, "x", None])
def test_a_floor_that_is_no_share_is_refused(distribution, floor):
    with pytest.raises(ValueError, match=f"Received: floor={floor!r}"):
        distribution(floor=floor)


# The share of multiply-adds.


def _tensors(arrays):
    return [ops.convert_to_tensor(np.asarray(a, "float32")) for a in arrays]


def _by_sorting(scores, uses, sparsity, floor=0.005):
    """Computes `Cost` weight by weight. `uses` are whole numbers."""
    ranks, costs, owners = [], [], []
    for i, (score, cost) in enumerate(zip(scores, uses, strict=True)):
        score = np.asarray(score, "float32").ravel()
        most = int((1 - floor) * score.size)
        own = np.sort(np.argsort(score, kind="stable")[:most])
        ranks.append(score[own] * np.float32(math.sqrt(max(uses) / cost)))
        costs.append(np.full(most, cost))
        owners.append(np.full(most, i))
    order = np.argsort(np.concatenate(ranks), kind="stable")
    freed = np.cumsum(np.concatenate(costs)[order])
    total = sum(np.size(s) * u for s, u in zip(scores, uses, strict=True))
    count = np.searchsorted(freed, math.ceil(sparsity * total)) + 1
    owners = np.concatenate(owners)[order][: count if sparsity else 0]
    return np.bincount(owners, minlength=len(scores)).tolist()


def test_cost_prunes_first_where_a_weight_is_used_most():
    """The values |w| / sqrt(uses) are 1, 2, 3, 4 and 0.5, 1.25, 1.75, 2.5."""
    scores = _tensors([[1.0, 2.0, 3.0, 4.0], [2.0, 5.0, 7.0, 10.0]])
    shapes, uses = [(4,), (4,)], [1.0, 16.0]
    # Multiply-adds: 4 * 1 + 4 * 16 = 68.
    for sparsity, counts in (
        (0.0, [0, 0]),
        (1 / 68, [0, 1]),
        (16 / 68, [0, 1]),
        (17 / 68, [1, 1]),
        (18 / 68, [1, 2]),
        (49 / 68, [1, 3]),
        (50 / 68, [2, 3]),
        (51 / 68, [3, 3]),
        (0.9, [3, 3]),
    ):
        found = _counts(Cost(), shapes, sparsity, scores, uses=uses)
        assert found == counts, sparsity


@pytest.mark.parametrize(
    ("sparsity", "unit"),
    [(0.0, 1), (0.3, 0.25), (0.9, 1), (0.97, 2304), (0.999, 1)],
)
def test_cost_equals_a_sort_by_score_over_root_of_uses(sparsity, unit):
    rng = np.random.default_rng(0)
    sizes, uses = [(500,), (30, 40), (500,), (1000,), (7,)], [1, 1, 16, 4, 16]
    scores = [np.abs(rng.normal(size=s) * (i + 1)) for i, s in enumerate(sizes)]
    # Ties in one kernel, and across kernels with the same cost.
    scores[2][::3] = scores[4][3] = 2.0
    scores[0][::5] = scores[1][0] = 0.0
    expected = _by_sorting(scores, uses, sparsity)
    arguments = Cost(), sizes, sparsity, _tensors(scores)
    found = _counts(*arguments, uses=[use * unit for use in uses])
    assert found == expected
    total = sum(math.prod(s) * u for s, u in zip(sizes, uses, strict=True))
    kept = total - sum(c * u for c, u in zip(found, uses, strict=True))
    if sparsity < 0.99:
        assert kept <= (1 - sparsity) * total < kept + 16


def test_cost_is_exact_where_32_bits_do_not_hold_the_multiply_adds():
    """There are 2.4e10. A weight of the first kernel has one of them."""
    rng = np.random.default_rng(0)
    sizes, uses = [(64,), (10_000,)], [1, 2_400_001]
    scores = [rng.random(64), rng.random(10_000) * 1e3]
    for sparsity in (0.5, 0.9, 0.990001):
        found = _counts(Cost(), sizes, sparsity, _tensors(scores), uses=uses)
        assert found == _by_sorting(scores, uses, sparsity)


def test_cost_takes_any_uses():
    rng = np.random.default_rng(0)
    sizes = [(1000,)] * 4
    scores = [rng.random(1000) for _ in sizes]
    uses = [1e12, 1.0, math.pi * 1e11, 0.0]
    found = _counts(Cost(), sizes, 0.9, _tensors(scores), uses=uses)
    # Weights without cost are kept.
    assert found[3] == 0
    work = np.array(uses) / sum(uses)
    assert np.array(found) / 1000 @ work == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9, 0.999])
def test_cost_is_global_where_all_uses_are_equal(sparsity):
    rng = np.random.default_rng(0)
    sizes = [(300,), (20, 20), (300,)]
    scores = _tensors(
        np.round(np.abs(rng.normal(size=s)) * (i + 1), 1)
        for i, s in enumerate(sizes)
    )
    for value in (sparsity, ops.convert_to_tensor(sparsity, "float32")):
        expected = _counts(Global(), sizes, value, scores)
        for uses in ([1.0] * 3, [7.5] * 3):
            assert _counts(Cost(), sizes, value, scores, 1, uses) == expected


def test_cost_does_not_depend_on_where_equal_scores_lie():
    """Many scores are zero, as after pruning. Ties go to the first kernels."""
    scores = _tensors([np.zeros(100), np.zeros(100), np.ones(100)])
    sizes = [(100,)] * 3
    found = _counts(Cost(), sizes, 0.4, scores, uses=[1.0, 1.0, 4.0])
    # The zeros have 200 of 600 multiply-adds. 10 other weights have 40 more.
    assert found == [99, 99, 11]
    found = _counts(Cost(), sizes, 0.2, scores, uses=[1.0, 1.0, 4.0])
    assert found == [99, 21, 0]


def _compiled(function):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


@pytest.mark.parametrize("distribution", [Global(), Cost()])
def test_a_compiled_step_counts_as_outside(distribution):
    rng = np.random.default_rng(0)
    sizes = [(300,), (20, 20), (300,)]
    scores = _tensors(np.abs(rng.normal(size=s)) for s in sizes)
    kernels = _kernels(sizes, [1.0, 4.0, 16.0])

    @_compiled
    def counts(scores, sparsity):
        return distribution.pruned_counts(kernels, scores, sparsity, 1.0)

    # float32 represents these shares exactly.
    for sparsity in (0.0, 0.25, 0.5, 0.875, 0.984375):
        inside = counts(scores, ops.convert_to_tensor(sparsity, "float32"))
        outside = distribution.pruned_counts(kernels, scores, sparsity, 1.0)
        assert [int(c) for c in inside] == [int(c) for c in outside]


@pytest.mark.one_backend
@pytest.mark.parametrize("ramp", ["constant", "cubic"])
def test_cost_leaves_its_share_of_the_multiply_adds_of_edsr(ramp):
    keras.utils.set_random_seed(0)
    model = models.edsr(4, features=8, blocks=1)
    schedule = ISSPSchedule(0.8, end_step=6, ramp=ramp)
    training = SparseTraining(schedule, IHT(), Cost())
    x = np.random.default_rng(0).random((16, 8, 8, 3))
    y = np.repeat(np.repeat(x, 4, axis=1), 4, axis=2)
    model.compile(keras.optimizers.Adam(1e-3), "mae")
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[training])
    rows = issp_keras.summary(model, (1, 48, 48, 3), print_fn=lambda _: None)
    *rows, total = rows
    # A weight of the last layer has 16 * 48 * 48 multiply-adds.
    left = 0.2 * total["dense_macs"] - total["sparse_macs"]
    assert 0 <= left < 16 * 48 * 48
    for row in rows:
        assert row["zeros"] <= 0.995 * row["weights"]
    kernels = training.pruned_model.pruner.kernels
    places = {kernel.path: kernel.uses / 48**2 for kernel in kernels}
    assert places == {
        "conv_first/kernel": 1,
        "body.0.conv1/kernel": 1,
        "body.0.conv2/kernel": 1,
        "conv_after_body/kernel": 1,
        "upsample.0/kernel": 1,
        "upsample.2/kernel": 4,
        "conv_last/kernel": 16,
    }


def test_cost_counts_for_the_shape_it_is_given():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 1, name="conv")(image)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(3, 1, name="pooled")(x)
    model = keras.Model(image, x)
    training = SparseTraining(
        ISSPSchedule(0.5, end_step=6), IHT(), Cost(input_shape=(1, 20, 30, 3))
    )
    training.set_model(model)
    uses = [kernel.uses for kernel in training.pruned_model.pruner.kernels]
    assert uses == [600, 1]


def test_cost_refuses_a_model_without_one_input():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, layers.Dense(3)(layers.add(inputs)))
    training = SparseTraining(ISSPSchedule(0.5, end_step=6), IHT(), Cost())
    with pytest.raises(
        ValueError, match=r"Cost\(\) needs a model with one input"
    ):
        training.set_model(model)


@pytest.mark.parametrize("shape", [(1, 0, 8, 3), (1, 8.5, 8, 3), ()])
def test_cost_refuses_a_shape_that_is_none(shape):
    with pytest.raises(ValueError, match=r"`input_shape` must .*Received"):
        Cost(input_shape=shape)


def test_settings_at_their_default_do_not_change_a_description():
    """Checkpoints from before these settings existed are still accepted."""

    def described(distribution):
        training = SparseTraining(
            ISSPSchedule(0.5, end_step=6), IHT(), distribution
        )
        training.set_model(models.edsr(2, features=4, blocks=1))
        return training.pruned_model.pruner.describe()["distribution"]

    assert described(Global()) == "Global()"
    assert described(Global(0.01)) == "Global(floor=0.01)"
    assert described(Cost()) == "Cost(input_shape=None)"


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
    with pytest.raises(ValueError, match=r"'conv' matches no.*layer_0/kernel"):
        Map({"conv": 0.5}).check(_kernels([(100,)]))


def test_one_of_the_users_own_must_say_what_it_prunes():
    class Own(Distribution):
        pass

    with pytest.raises(
        NotImplementedError, match="Own must define `pruned_counts`"
    ):
        Own().pruned_counts([], [], 0.5, 1.0)
