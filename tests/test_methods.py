"""Each method changes weights as it should, and `fit` ends in exact zeros."""

import math

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras.callbacks import prunable_kernels
from issp_keras.sparsity import ACDC
from issp_keras.sparsity import ASSL
from issp_keras.sparsity import IHT
from issp_keras.sparsity import ISSP
from issp_keras.sparsity import ISSR
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import NM
from issp_keras.sparsity import SRP
from issp_keras.sparsity import Block
from issp_keras.sparsity import Change
from issp_keras.sparsity import Clock
from issp_keras.sparsity import Exact
from issp_keras.sparsity import Global
from issp_keras.sparsity import Kernel
from issp_keras.sparsity import L1Norm
from issp_keras.sparsity import Latent
from issp_keras.sparsity import Method
from issp_keras.sparsity import Random
from issp_keras.sparsity import Regrowth
from issp_keras.sparsity import Sampled
from issp_keras.sparsity import Scratch
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import Unstructured
from issp_keras.sparsity.pruner import Choice

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4)).astype("float32")
Y = RNG.normal(size=(160, 3)).astype("float32")
KERNEL = Kernel(0, "mlp/kernel", (4,), (0,), ())
START = Clock(0, 100)


def _numbers(tensor):
    return ops.convert_to_numpy(tensor)


def _linear(rate=0.05):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="mlp")])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def _fit(model, method, sparsity=0.5, end_step=15, epochs=1, **arguments):
    schedule = ISSPSchedule(sparsity, end_step=end_step)
    model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[SparseTraining(schedule, method, **arguments)],
    )


def _kernel(model):
    return prunable_kernels(model)[0].numpy()


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("steps_per_execution", [1, 7])
def test_every_method_ends_in_exact_zeros(name, steps_per_execution):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(16, "relu", name="mlp"),
            layers.Dense(3, name="head"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.01, use_ema=True)
    model.compile(optimizer, "mse", steps_per_execution=steps_per_execution)
    _fit(model, METHODS[name](), sparsity=0.7)
    found = [int((k.numpy() == 0).sum()) for k in prunable_kernels(model)]
    assert found == [45, 34]


def _apply_steps(callback, model, steps):
    """Applies random gradients in optimizer steps, without `fit`."""
    rng = np.random.default_rng(0)
    callback.set_params({})
    callback.set_model(model)
    callback.on_train_begin()
    variables = model.trainable_variables
    for _ in range(steps):
        gradients = [rng.normal(size=v.shape) for v in variables]
        model.optimizer.apply(
            [ops.convert_to_tensor(g, "float32") for g in gradients], variables
        )
    callback.on_train_end()


# JAX would compile every loop of every step again.
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_ends_exact_under_every_ramp_and_selection(name):
    for ramp in ("constant", "linear", "cubic"):
        for selection in (Exact(), Sampled(50)):
            model = keras.Sequential(
                [keras.Input((9,)), layers.Dense(10, name="mlp")]
            )
            model.compile(keras.optimizers.Adam(0.01), "mse")
            callback = SparseTraining(
                ISSPSchedule(0.7, end_step=4, ramp=ramp),
                METHODS[name](),
                pattern=Unstructured(selection),
                verbose=0,
            )
            _apply_steps(callback, model, 5)
            assert np.count_nonzero(_kernel(model) == 0) == 63, (
                ramp,
                selection,
            )


@pytest.mark.parametrize(
    ("method", "arguments", "zeros"),
    [
        (SRP(), {"pattern": Unstructured(Sampled(50))}, [60, 60]),
        (ASSL(), {"distribution": Global()}, None),
        # Kernels of 8 and 10 inputs: 3 of each 4, and 1 of the last 2.
        (SRP(), {"pattern": NM(3, 4)}, [60, 56]),
    ],
)
def test_a_mask_that_is_chosen_early_is_that_of_the_end(
    method, arguments, zeros
):
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(10, name="mlp"),
            layers.Dense(8, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    schedule = ISSPSchedule(0.75, end_step=9, ramp="linear")
    x = np.tile(X, 2)
    model.fit(
        x,
        x,
        batch_size=16,
        verbose=0,
        callbacks=[SparseTraining(schedule, method, **arguments)],
    )
    found = [int((k.numpy() == 0).sum()) for k in prunable_kernels(model)]
    assert found == zeros if zeros else sum(found) == 120


# ISS-P and IHT.


def test_iss_p_shrinks_the_unimportant_weights_only():
    kernel = ops.array([4.0, -2.0, 1.0])
    marks = ops.array([False, True, True])
    shrunk = ISSP(0.5).update(kernel, marks, START)
    assert _numbers(shrunk).tolist() == [4.0, -1.0, 0.5]


@pytest.mark.parametrize(
    ("ramp", "ratio"), [("constant", 0.5), ("linear", 0.75), ("cubic", 0.5625)]
)
def test_iss_p_can_reach_its_ratio_by_a_ramp(ramp, ratio):
    half = Clock(50, 101)
    shrunk = ISSP(0.5, ramp).update(ops.ones(1), ops.array([True]), half)
    assert float(shrunk[0]) == pytest.approx(ratio)


@pytest.mark.parametrize("ratio", [1.0, -0.1, "0.9"])
def test_iss_p_refuses_a_ratio_that_does_not_shrink(ratio):
    with pytest.raises(ValueError, match=f"Received: shrink_ratio={ratio!r}"):
        ISSP(ratio)


def test_iht_sets_the_unimportant_weights_to_zero():
    kernel = ops.array([4.0, -2.0])
    shrunk = IHT().update(kernel, ops.array([False, True]), START)
    assert _numbers(shrunk).tolist() == [4.0, 0.0]


def test_iss_p_can_tie_its_ratio_to_the_learning_rate():
    method = ISSP(0.9, full_rate=1e-3)
    for rate, ratio in ((1e-3, 0.9), (5e-4, 0.95), (0.0, 1.0), (1.0, 0.0)):
        clock = Clock(0, 100, rate)
        shrunk = method.update(ops.ones(1), ops.array([True]), clock)
        assert float(shrunk[0]) == pytest.approx(ratio)


def test_the_learning_rate_of_each_step_reaches_the_method():
    class Rates(Method):
        def update(self, values, unimportant, clock):
            return ops.full_like(values, clock.rate)

    model = _linear()
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([9], [0.5, 0.25])
    for steps, expected in ((10, 0.5), (11, 0.25)):
        model.compile(keras.optimizers.SGD(rate), "mse")
        with pytest.warns(UserWarning, match="not sparse yet"):
            model.fit(
                X[: 8 * steps],
                Y[: 8 * steps],
                batch_size=8,
                verbose=0,
                callbacks=[
                    SparseTraining(ISSPSchedule(0.5, end_step=20), Rates())
                ],
            )
        assert _kernel(model).tolist() == [[expected] * 3] * 4


# A latent copy.


def _latent_reference(w, b, operator, pruned_rate=1.0, shrink=1.0, reach=12):
    """Linear regression by SGD on `operator(v)`. Half of 12 are pruned."""
    v, b = w.astype("float64"), b.astype("float64")
    w = v
    for step in range(20):
        x, y = X[8 * step : 8 * step + 8], Y[8 * step : 8 * step + 8]
        error = 2 * (x @ w + b - y) / y.size
        change = -0.05 * (x.T @ error)
        b = b - 0.05 * error.sum(0)
        if step < 15:
            change = np.where(w == 0, pruned_rate * change, change)
            change.flat[_smallest(v, 12 - reach)] = 0
            v = v + change
            small = _smallest(v)
            w = operator(v, abs(v.flat[small]).max())
            w.flat[small] = 0
            v.flat[small] *= shrink
        else:
            zeros = w == 0
            w = w + change
            w[zeros] = 0
    return w


def _power(power):
    def operator(v, t):
        share = np.minimum(t / abs(v), 1) ** power
        return v * (1 - share) ** (1 / power)

    return operator


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        (Latent(), (_power(3), 0.5)),
        (Latent(1.0, 1.0), (_power(1),)),
        (Latent(math.inf), (lambda v, t: v.copy(), 0.5)),
        (Latent(shrink_ratio=0.9), (_power(3), 0.5, 0.9)),
        (Latent(math.inf, 1.0, reach=1.5), (lambda v, t: v.copy(), 1, 1, 9)),
    ],
)
def test_a_latent_copy_equals_a_numpy_reference(method, arguments):
    model = _linear()
    w, b = (v.numpy() for v in model.weights)
    expected = _latent_reference(w, b, *arguments)
    _fit(model, method)
    np.testing.assert_allclose(_kernel(model), expected, rtol=1e-4, atol=1e-6)


def test_feather_shrinks_whole_blocks():
    """|v| of a block is its mean, and t is the largest that is pruned."""
    kernel = Kernel(0, "k", (4, 2), (0,), (1,))
    v = ops.array([[3.0, 1.0], [1.0, -1.0], [0.5, 5.0], [-1.5, 3.0]])
    choice = Choice([kernel], Uniform(), Block(2, 1), 0.5, 1.0, 0, True)
    change = Change(kernel, v, v, v, None)
    (values,), (latent,) = Latent().advance(choice, [change], Clock(0, 9))
    # The means are 2, 1 and 1, 4. The second and third blocks are pruned.
    first, last = (1 - (1 / 2) ** 3) ** (1 / 3), (1 - (1 / 4) ** 3) ** (1 / 3)
    expected = [[3 * first, 0], [first, 0], [0, 5 * last], [0, 3 * last]]
    np.testing.assert_allclose(_numbers(values), expected, rtol=1e-6)
    np.testing.assert_array_equal(_numbers(latent), _numbers(v))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Latent(power=0.5), r"power=0\.5"),
        (lambda: Latent(pruned_rate=2), "pruned_rate=2"),
        (lambda: Latent(shrink_ratio=0), "shrink_ratio=0"),
        (lambda: Latent(reach=0.9), r"reach=0\.9"),
        (lambda: ACDC(0), "phases=0"),
        (lambda: Regrowth(0), "interval=0"),
        (lambda: Regrowth(fraction=1), "fraction=1"),
        (lambda: ISSP(full_rate=0), "full_rate=0"),
    ],
)
def test_methods_with_changes_refuse_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Phases, and regrowth.


def _choose(kernel, sparsity=0.5):
    return Choice([kernel], Uniform(), Unstructured(), sparsity, 1.0, 0, True)


def test_ac_dc_alternates_and_holds_the_mask_of_a_phase():
    """8 steps in 2 pairs of phases: 2 dense, 2 sparse, 2 dense, 2 sparse."""
    method, choice = ACDC(2), _choose(KERNEL)

    def after(age, before, values):
        change = Change(
            KERNEL, ops.array(before), ops.array(values), None, None
        )
        (found,), _ = method.advance(choice, [change], Clock(age, 8))
        return _numbers(found).tolist()

    dense, small = [4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 0.0, 0.0]
    grown = [4.0, 3.0, 9.0, 9.0]
    assert after(1, dense, dense) == dense
    assert after(2, dense, dense) == small
    # A pruned weight stays zero even if an update makes it the largest.
    assert after(3, small, grown) == small
    assert after(4, small, grown) == grown
    assert after(6, grown, grown) == [0.0, 0.0, 9.0, 9.0]
    resets = [age for age in range(8) if method.resets_momentum(Clock(age, 8))]
    assert resets == [4]


def test_regrowth_exchanges_the_smallest_for_the_steepest():
    method = Regrowth(interval=10, fraction=0.5)
    before = ops.array([4.0, 1.0, 0.0, 0.0])
    values = ops.array([4.0, 1.0, 0.1, 0.2])
    momentum = ops.array([0.0, 1.0, -3.0, 2.0])
    change = Change(KERNEL, before, values, None, momentum)

    def after(age):
        clock = Clock(age, 1_000_000)
        (found,), _ = method.advance(_choose(KERNEL), [change], clock)
        return _numbers(found).tolist()

    assert after(0) == after(11) == [4.0, 1.0, 0.0, 0.0]
    np.testing.assert_allclose(after(10), [4.0, 0.0, 0.1, 0.0])


@pytest.mark.parametrize("method", [ACDC(1), Regrowth(interval=1000)])
def test_zeros_stay_zero_under_a_sampled_threshold(method):
    kernel = Kernel(0, "k", (4000,), (0,), ())
    pattern = Unstructured(Sampled(200))
    values = ops.array(RNG.normal(size=4000).astype("float32"))
    zeros = 3600
    for age in range(500, 510):
        choice = Choice([kernel], Uniform(), pattern, 0.9, 1.0, age, False)
        change = Change(kernel, values, values, None, ops.zeros(4000))
        (values,), _ = method.advance(choice, [change], Clock(age, 1000))
        found = int(np.count_nonzero(_numbers(values) == 0))
        assert found >= (zeros if age > 500 else 0.85 * zeros)
        zeros = found


def test_a_latent_copy_may_have_a_stage_of_one_step():
    model = _linear()
    given = _kernel(model)
    _fit(model, Latent(), end_step=1)
    largest = given[~np.isin(np.arange(12).reshape(4, 3), _smallest(given))]
    kept = _kernel(model) != 0
    assert kept.sum() == 6
    assert abs(given[kept]).min() > 0.5 * abs(largest).min()


def test_methods_with_changes_refuse_steps_without_pruning():
    schedule = ISSPSchedule(0.5, end_step=9)
    schedule.frequency = 10
    with pytest.raises(ValueError, match=r"Latent acts after.*frequency=10"):
        SparseTraining(schedule, Latent()).set_model(_linear())


def test_regrowth_needs_momentum():
    with pytest.raises(ValueError, match=r"momentum, such as Adam.*SGD"):
        _fit(_linear(), Regrowth())
    model = _linear()
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    _fit(model, Regrowth())
    assert np.count_nonzero(_kernel(model)) == 6


# Growing penalties.


def _reference(w, b, penalties, steps=20, end=15):
    """Linear regression by SGD. `penalties(step, w)` are coefficients."""
    w, b = w.astype("float64"), b.astype("float64")
    for step in range(steps):
        x, y = X[8 * step : 8 * step + 8], Y[8 * step : 8 * step + 8]
        error = 2 * (x @ w + b - y) / y.size
        zeros = w == 0
        penalty = penalties(step, w) * w if step < end else 0
        w = w - 0.05 * (x.T @ error + penalty)
        b = b - 0.05 * error.sum(0)
        if step == end - 1:
            w.flat[penalties.final(w)] = 0
        elif step >= end:
            w[zeros] = 0
    return w


def _smallest(w, count=6):
    return np.argsort(abs(w), axis=None, kind="stable")[:count]


def test_iss_r_equals_a_numpy_reference():
    model = _linear()
    w, b = (v.numpy() for v in model.weights)
    times = np.zeros(w.shape)

    def penalties(step, w):
        if step % 2 == 0:
            times.flat[_smallest(w)] += 1
        return np.minimum(0.5 * times / (0.8 * 15 / 2), 0.5)

    penalties.final = _smallest
    expected = _reference(w, b, penalties)
    _fit(model, ISSR(limit=0.5, interval=2, growth=0.8))
    np.testing.assert_allclose(_kernel(model), expected, rtol=1e-4, atol=1e-6)


def test_srp_equals_a_numpy_reference():
    model = _linear()
    w, b = (v.numpy() for v in model.weights)
    chosen = _smallest(w)

    def penalties(step, w):
        coefficients = np.zeros(w.shape)
        coefficients.flat[chosen] = min(
            0.5 * (1 + step // 2) / (0.7 * 15 / 2), 0.5
        )
        return coefficients

    penalties.final = lambda w: chosen
    expected = _reference(w, b, penalties)
    _fit(model, SRP(interval=2))
    np.testing.assert_allclose(_kernel(model), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "method", [SRP(interval=2), ISSR(limit=0.5, interval=2)]
)
def test_a_loss_scale_weakens_no_penalty(method):
    """Keras divides gradients by the scale after the penalty is added."""
    models, norms = [_linear(), _linear()], []
    models[1].set_weights(models[0].get_weights())
    models[1].compile(
        keras.optimizers.SGD(0.05, loss_scale_factor=1024.0), "mse"
    )

    class Norms(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            norms.append(callback.snapshot()[0].gradient_norm)

    for model in models:
        callback = SparseTraining(ISSPSchedule(0.5, end_step=15), method)
        model.fit(
            X,
            Y,
            batch_size=8,
            shuffle=False,
            verbose=0,
            callbacks=[callback, Norms()],
        )
    np.testing.assert_allclose(*map(_kernel, models), rtol=1e-5, atol=1e-7)
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)


def test_a_method_may_have_a_state_without_changing_gradients():
    """The state keeps the first mask, which is also the last one."""

    class First(Method):
        state_dtype = "bool"
        holds_final_mask = True

        def refreshes(self, clock):
            return ops.equal(clock.age, 0)

        def refresh(self, state, unimportant):
            return unimportant

        def pruned(self, unimportant, state):
            return state

    model = _linear()
    chosen = _smallest(_kernel(model))
    _fit(model, First(), end_step=30, epochs=2)
    assert np.flatnonzero(_kernel(model) == 0).tolist() == sorted(chosen)


def test_srp_has_the_coefficients_of_the_released_code():
    """1e-4 more every 20 steps, and 0.5 from step 100,000 of 143,170 on."""
    gradients = [
        SRP().gradient(
            ops.zeros(1),
            ops.ones(1),
            ops.array([True]),
            KERNEL,
            Clock(age, 143_170),
        )
        for age in (0, 19, 20, 50_000, 100_020, 140_000)
    ]
    found = [float(gradient[0]) for gradient in gradients]
    expected = [1e-4, 1e-4, 2e-4, 0.2501, 0.5, 0.5]
    assert found == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SRP(limit=0), "limit=0"),
        (lambda: ISSR(interval=0), "interval=0"),
        (lambda: SRP(growth=1.5), r"growth=1\.5"),
        (lambda: ASSL(alignment=1), "alignment=1"),
        (lambda: ASSL("("), "Not a regular expression"),
        (lambda: ASSL(ratio=-1), "ratio=-1"),
        (lambda: Random(seed=-1), "seed=-1"),
        (lambda: Scratch(seed=1.5), r"seed=1\.5"),
    ],
)
def test_refuses_arguments_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_growth_per_optimizer_step_under_gradient_accumulation():
    """40 batches are 10 updates, like 10 batches of 4 times the size."""
    models = [_linear(), _linear()]
    models[1].set_weights(models[0].get_weights())
    models[0].compile(
        keras.optimizers.SGD(0.05, gradient_accumulation_steps=4), "mse"
    )
    for model, batch_size in zip(models, (4, 16), strict=True):
        schedule = ISSPSchedule(0.5, end_step=9)
        model.fit(
            X,
            Y,
            batch_size=batch_size,
            shuffle=False,
            verbose=0,
            callbacks=[SparseTraining(schedule, ISSR(interval=1))],
        )
    np.testing.assert_allclose(
        _kernel(models[0]), _kernel(models[1]), rtol=1e-4, atol=1e-6
    )


# ASSL.


def test_assl_aligns_as_the_gradient_of_its_loss():
    method = ASSL("mlp", ratio=1.0)
    method.check([KERNEL])
    w = np.array([-0.5, 0.1, 0.3, -0.2], "float32")
    state = ops.array([False, True, False, True])  # Two are to be pruned.
    found = _numbers(
        method.gradient(ops.zeros(4), ops.array(w), state, KERNEL, START)
    )

    def loss(w):
        return -np.sum(1 / (1 + np.exp(-(w.astype("float64") + 0.2))) ** 2)

    for i in range(4):
        step = np.eye(4)[i] * 1e-6
        slope = (loss(w + step) - loss(w - step)) / 2e-6
        assert found[i] == pytest.approx(slope, rel=1e-4)


def test_assl_penalises_after_the_alignment():
    method = ASSL("mlp", alignment=0.5, growth=0.2, interval=1)
    method.check([KERNEL])
    state = ops.array([True, True, False, False])

    def gradient(age, kernel):
        found = method.gradient(
            ops.zeros(4), ops.ones(4), state, kernel, Clock(age, 100)
        )
        return _numbers(found).tolist()

    other = Kernel(1, "head/kernel", (4,), (0,), ())
    assert gradient(49, other) == [0.5, 0.5, 0, 0]
    assert gradient(50, KERNEL) == pytest.approx([0.025, 0.025, 0, 0])
    assert gradient(99, KERNEL) == [0.5, 0.5, 0, 0]


def test_assl_refuses_constrained_kernels_of_several_sizes():
    kernels = [KERNEL, Kernel(1, "mlp2/kernel", (5,), (0,), ())]
    with pytest.raises(ValueError, match=r"equal size.*mlp/kernel \(4\), mlp2"):
        ASSL("mlp").check(kernels)
    with pytest.raises(ValueError, match="matches no kernel"):
        ASSL("attention").check(kernels)


# One shot.


def test_l1_norm_masks_the_given_weights_before_the_first_step():
    model = _linear(rate=0.0)
    given = _kernel(model)
    _fit(model, L1Norm())
    expected = given.copy()
    expected.flat[_smallest(given)] = 0
    np.testing.assert_array_equal(_kernel(model), expected)


def test_l1_norm_can_come_after_dense_training():
    dense, model = _linear(), _linear()
    model.set_weights(dense.get_weights())
    dense.fit(X[:80], Y[:80], batch_size=8, shuffle=False, verbose=0)
    schedule = ISSPSchedule(0.5, begin_step=10, end_step=11)
    with pytest.warns(UserWarning, match="not sparse yet"):
        model.fit(
            X[:72],
            Y[:72],
            batch_size=8,
            shuffle=False,
            verbose=0,
            callbacks=[SparseTraining(schedule, L1Norm())],
        )
    model.fit(
        X[72:80],
        Y[72:80],
        batch_size=8,
        verbose=0,
        callbacks=[SparseTraining(schedule, L1Norm())],
    )
    expected = _kernel(dense)
    expected.flat[_smallest(expected)] = 0
    np.testing.assert_allclose(_kernel(model), expected, rtol=1e-6)


def test_scratch_really_draws_anew():
    model = _linear(rate=0.0)
    given = _kernel(model)
    _fit(model, Scratch())
    found = _kernel(model)
    kept = np.ones(given.shape, bool)
    kept.flat[_smallest(given)] = False
    np.testing.assert_array_equal(found != 0, kept)
    assert not np.isin(found[kept], given).any()
    other = _linear(rate=0.0)
    other.set_weights([given, np.zeros(3)])
    _fit(other, Scratch(seed=1))
    assert not np.isin(_kernel(other)[kept], found).any()


def test_scratch_refuses_to_begin_late():
    schedule = ISSPSchedule(0.5, begin_step=5, end_step=10)
    with pytest.raises(ValueError, match=r"Scratch init.*begin_step=5"):
        SparseTraining(schedule, Scratch()).set_model(_linear())


def test_a_sampled_threshold_really_shrinks():
    """Halfway through the stage, the unimportant weights are near zero."""
    magnitudes = {}
    for method in (ISSP(), Method()):
        model = keras.Sequential([keras.Input((40,)), layers.Dense(100)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        x = RNG.normal(size=(160, 40)).astype("float32")
        before = abs(_kernel(model))
        callback = SparseTraining(
            ISSPSchedule(0.9, end_step=100),
            method,
            pattern=Unstructured(Sampled(500)),
        )
        with pytest.warns(UserWarning, match="not sparse yet"):
            model.fit(
                x,
                np.zeros((160, 100)),
                batch_size=4,
                verbose=0,
                callbacks=[callback],
            )
        unimportant = before < np.quantile(before, 0.8)
        after = abs(_kernel(model))
        magnitudes[type(method)] = after[unimportant].max()
    assert magnitudes[ISSP] < 0.95**35 * magnitudes[Method]


def test_scratch_refuses_a_layer_it_cannot_draw():
    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(4,), initializer="ones")

        def get_prunable_weights(self):
            return [self.scale]

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([keras.Input((4,)), Scale(name="scale")])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="scale' cannot be initialised again"):
        model.fit(
            X,
            X,
            verbose=0,
            callbacks=[
                SparseTraining(ISSPSchedule(0.5, end_step=2), Scratch())
            ],
        )


def test_random_masks_do_not_follow_the_magnitude():
    masks = []
    for seed in (0, 0, 1):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(100)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        before = abs(_kernel(model))
        model.fit(
            X,
            np.zeros((160, 100)),
            verbose=0,
            callbacks=[
                SparseTraining(ISSPSchedule(0.5, end_step=2), Random(seed))
            ],
        )
        masks.append(_kernel(model) == 0)
        assert masks[-1].sum() == 200
        pruned, kept = before[masks[-1]], before[~masks[-1]]
        assert pruned.max() > np.median(kept) > kept.min()
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()
