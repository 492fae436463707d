"""The kernels after `fit`."""

import contextlib
import csv
import logging
import math
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras import SparsitySummaries
from issp_keras import keras_internals
from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.sparsity import ACDC
from issp_keras.sparsity import ERK
from issp_keras.sparsity import ISSP
from issp_keras.sparsity import ISSR
from issp_keras.sparsity import NM
from issp_keras.sparsity import SRP
from issp_keras.sparsity import Global
from issp_keras.sparsity import L1Norm
from issp_keras.sparsity import Latent
from issp_keras.sparsity import Map
from issp_keras.sparsity import Method
from issp_keras.sparsity import Regrowth
from issp_keras.sparsity import Scratch
from issp_keras.sparsity.schedules import PruningSchedule

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4)).astype("float32")
Y = RNG.normal(size=(160, 3)).astype("float32")


def _sequential(optimizer=None, **compile_arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(16, "relu"), layers.Dense(3)]
    )
    optimizer = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer, "mse", **compile_arguments)
    return model


def _fit(model, callbacks, epochs=2):
    model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def _issp(sparsity=0.7, begin_step=0, *, end_step=30, **arguments):
    schedule = ISSPSchedule(sparsity, begin_step, end_step=end_step)
    return ISSPCallback(schedule, **arguments)


def _kernels(model):
    return [k.numpy() for k in prunable_kernels(model)]


def _assert_exact_zeros(model, sparsity=0.7):
    for kernel in _kernels(model):
        count = min(math.ceil(sparsity * kernel.size), int(0.995 * kernel.size))
        assert np.count_nonzero(kernel == 0) == count


class _CheckEpochs(keras.callbacks.Callback):
    """Counts zeros at the end of every epoch after the pruning stage."""

    def __init__(self, end_step):
        super().__init__()
        self._end_step = end_step
        self.checked = 0

    def on_epoch_end(self, epoch, logs=None):
        if int(ops.copy(self.model.optimizer.iterations)) >= self._end_step:
            _assert_exact_zeros(self.model)
            self.checked += 1


# The arithmetic.


def test_equals_a_numpy_reference_over_20_steps():
    """The reference is linear regression with Adam and ISS-P in NumPy."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    w, b = (v.numpy() for v in model.weights)
    w, b = w.astype("float64"), b.astype("float64")
    _fit(model, [_issp(0.5, begin_step=3, end_step=15)], epochs=1)
    m, v, kept = [0, 0], [0, 0], 1
    for t in range(20):
        x, y = X[8 * t : 8 * t + 8], Y[8 * t : 8 * t + 8]
        error = 2 * (x @ w + b - y) / y.size
        for i, g in enumerate((x.T @ error, error.sum(0))):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            rate = 0.01 * np.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
            step = rate * m[i] / (np.sqrt(v[i]) + 1e-7)
            w, b = (w - step, b) if i == 0 else (w, b - step)
        smallest = np.argsort(abs(w), axis=None, kind="stable")[:6]
        if 3 <= t < 15:
            w.flat[smallest] *= 0.95
        if t == 14:
            w.flat[smallest] = 0
            kept = w != 0
        w = w * kept
    found = ops.convert_to_numpy(model.layers[0].kernel.value)
    assert np.count_nonzero(found == 0) == 6
    np.testing.assert_allclose(found, w, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps_per_execution", [1, 7])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_equals_pruning_by_hand_after_every_step(
    jit_compile, steps_per_execution
):
    by_hand = _sequential(jit_compile=jit_compile)
    masks = {}
    for step in range(40):
        i = 8 * (step % 20)
        by_hand.train_on_batch(X[i : i + 8], Y[i : i + 8])
        for layer in by_hand.layers:
            kernel = layer.kernel.numpy().copy()
            count = math.ceil(0.7 * kernel.size)
            if step < 30:
                chosen = np.argsort(abs(kernel), axis=None, kind="stable")
                factor = np.float32(0.95 if step < 29 else 0)
                kernel.flat[chosen[:count]] *= factor
                masks[layer.name] = kernel != 0
            layer.kernel.assign(kernel * masks[layer.name])
    model = _sequential(
        jit_compile=jit_compile, steps_per_execution=steps_per_execution
    )
    _fit(model, [_issp()])
    _assert_exact_zeros(model)
    for found, expected in zip(_kernels(model), _kernels(by_hand), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_trains_dense_before_begin_step():
    model, dense = _sequential(), _sequential()
    _fit(dense, [], epochs=1)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [_issp(begin_step=20, end_step=30)], epochs=1)
    for found, expected in zip(_kernels(model), _kernels(dense), strict=True):
        np.testing.assert_array_equal(found, expected)


# Exact zeros in any model.


class AttentionBlock(layers.Layer):
    """A composite layer of attention and a depthwise convolution."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 4)
        self.convolutions = [layers.DepthwiseConv2D(3, padding="same")]

    def build(self, input_shape):
        batch, height, width, channels = input_shape
        self.attention.build(
            (batch, height * width, channels),
            (batch, height * width, channels),
        )
        self.convolutions[0].build(input_shape)

    def call(self, x):
        x = self.convolutions[0](x)
        tokens = ops.reshape(x, (-1, 16, 8))
        return ops.reshape(self.attention(tokens, tokens), (-1, 4, 4, 8))


class NestedModel(keras.Model):
    """A subclassed model that contains a functional model with a layer."""

    def __init__(self):
        super().__init__()
        image = keras.Input((4, 4, 3))
        features = layers.Conv2D(8, 3, padding="same")(image)
        self.body = keras.Model(image, AttentionBlock()(features))
        self.head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]

    def call(self, x):
        x = self.body(x)
        for layer in self.head:
            x = layer(x)
        return x


@pytest.mark.versions
def test_prunes_a_subclassed_nested_model():
    model = NestedModel()
    model.compile("adam", "mse")
    images = RNG.normal(size=(160, 4, 4, 3)).astype("float32")
    model(images[:1])
    callback = _issp(0.75, end_step=10)
    model.fit(
        images, Y, batch_size=16, epochs=2, verbose=0, callbacks=[callback]
    )
    # Convolution, depthwise convolution, q, k, v, output, head.
    assert len(prunable_kernels(model)) == 7
    _assert_exact_zeros(model, 0.75)


def test_prunes_a_sequential_classifier():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(8, 3),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    images = RNG.normal(size=(160, 4, 4, 3)).astype("float32")
    labels = RNG.integers(0, 3, 160)
    model.fit(
        images,
        labels,
        batch_size=16,
        epochs=2,
        verbose=0,
        callbacks=[_issp(0.9, end_step=15)],
    )
    _assert_exact_zeros(model, 0.9)


@pytest.mark.versions
def test_prunes_a_functional_edsr():
    model = models.edsr(2, features=8, blocks=2)
    model.compile("adam", "mae")
    lr = RNG.random((16, 8, 8, 3), np.float32)
    hr = RNG.random((16, 16, 16, 3), np.float32)
    model.fit(
        lr,
        hr,
        batch_size=2,
        epochs=2,
        verbose=0,
        callbacks=[_issp(0.95, end_step=10)],
    )
    assert len(prunable_kernels(model)) == 8
    _assert_exact_zeros(model, 0.95)


def test_a_shared_kernel_is_pruned_once():
    shared = layers.Dense(4)
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(3)(shared(shared(x))))
    model.compile("adam", "mse")
    _fit(model, [_issp()])
    assert len(prunable_kernels(model)) == 2
    _assert_exact_zeros(model)


def test_kernels_that_do_not_train_stay_as_they_are():
    model = _sequential()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = ops.convert_to_numpy(model.layers[0].kernel.value)
    _fit(model, [_issp()])
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before)
    _assert_exact_zeros(model)


_OPTIONS = [
    {"use_ema": True},
    {"weight_decay": 0.01},
    {"gradient_accumulation_steps": 4},
    {"use_ema": True, "ema_overwrite_frequency": 3},
]


@pytest.mark.parametrize(
    ("optimizer", "jit_compile"),
    [
        *(
            pytest.param(options, False, marks=pytest.mark.versions)
            for options in _OPTIONS
        ),
        # XLA compiles slowly.
        *(
            pytest.param(options, True, marks=pytest.mark.long)
            for options in _OPTIONS[:2]
        ),
        *((options, True) for options in _OPTIONS[2:]),
    ],
)
def test_zeros_are_exact_with_any_option_of_the_optimizer(
    optimizer, jit_compile
):
    model = _sequential(
        keras.optimizers.Adam(0.01, **optimizer), jit_compile=jit_compile
    )
    callback, epochs = _issp(end_step=4), _CheckEpochs(4)
    _fit(model, [callback, epochs])
    _assert_exact_zeros(model)
    _fit(model, [callback, epochs])
    _assert_exact_zeros(model)
    assert epochs.checked == 4


def test_averages_are_sparse_when_training_ends_with_the_pruning_stage():
    model = _sequential(keras.optimizers.Adam(0.01, use_ema=True))
    _fit(model, [_issp(end_step=40)])
    _assert_exact_zeros(model)


def _with_averages(model):
    """Pairs of each kernel and its moving average."""
    keras_internals.synchronise(model)
    kernels = prunable_kernels(model)
    averages = keras_internals.moving_averages(model.optimizer, kernels)
    return [(k.numpy(), averages[i].numpy()) for i, k in enumerate(kernels)]


def test_averages_begin_anew_when_the_mask_is_final():
    class Collect(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(_with_averages(self.model))

    steps = []
    model = _sequential(
        keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    )
    _fit(model, [_issp(end_step=10), Collect()], epochs=1)
    *_, before, final, after = steps[:11]
    for (kernel, average), (_, next_average), (next_kernel, _) in zip(
        final, after, after, strict=True
    ):
        np.testing.assert_array_equal(average, kernel)
        np.testing.assert_allclose(
            next_average, 0.9 * kernel + 0.1 * next_kernel, atol=1e-7
        )
    assert any(abs(kernel - average).max() > 1e-3 for kernel, average in before)


def test_averages_begin_anew_when_training_is_finalized():
    """A second call, when the mask is final, keeps them."""

    class Finalize(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch in (5, 9):
                callback.finalize()
                found.append(_with_averages(self.model))

    found = []
    callback = _issp(end_step=1000)
    model = _sequential(
        keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    )
    _fit(model, [callback, Finalize()], epochs=1)
    first, second = found
    for kernel, average in first:
        np.testing.assert_array_equal(average, kernel)
    assert all(abs(k - average).max() > 1e-4 for k, average in second)


@pytest.mark.versions
@pytest.mark.parametrize("before", [False, True])
def test_zeros_are_exact_with_swapped_averages(before):
    """Validation and the final model use sparse averages."""

    class Validate(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            if self.model.optimizer.iterations >= 30:
                _assert_exact_zeros(self.model)
                seen.append(True)

    seen = []
    model = _sequential(keras.optimizers.Adam(0.01, use_ema=True))
    callbacks = [keras.callbacks.SwapEMAWeights(), _issp()]
    if before:
        callbacks.reverse()
    model.fit(
        X,
        Y,
        batch_size=8,
        epochs=3,
        shuffle=False,
        verbose=0,
        validation_data=(X, Y),
        callbacks=[*callbacks, Validate()],
    )
    assert seen
    _assert_exact_zeros(model)


@pytest.mark.versions
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("use_ema", [False, True])
def test_zeros_are_exact_under_mixed_precision(policy, use_ema):
    keras.config.set_dtype_policy(policy)
    try:
        model = _sequential(keras.optimizers.Adam(0.01, use_ema=use_ema))
        epochs = _CheckEpochs(20)
        _fit(model, [_issp(end_step=20), epochs])
        assert epochs.checked == 2
    finally:
        keras.config.set_dtype_policy("float32")
    _assert_exact_zeros(model)


@pytest.mark.versions
def test_zeros_are_exact_with_a_loss_scale():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.01), initial_scale=16.0
    )
    model = _sequential(optimizer)
    _fit(model, [SparseTraining(ISSPSchedule(0.7, end_step=30), SRP())])
    _assert_exact_zeros(model)
    plain = _sequential()
    _fit(plain, [SparseTraining(ISSPSchedule(0.7, end_step=30), SRP())])
    for found, expected in zip(_kernels(model), _kernels(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("slots", ["keep", "zero"])
def test_slots_of_frozen_weights_are_kept_or_zeroed(slots):
    model = _sequential()
    _fit(model, [_issp(optimizer_slots=slots)])
    _assert_exact_zeros(model)
    optimizer = model.optimizer
    kept = 0
    for kernel in prunable_kernels(model):
        place = [id(v) for v in optimizer._trainable_variables].index(
            id(kernel)
        )
        for moments in (optimizer._momentums, optimizer._velocities):
            moment = moments[place].numpy()
            assert (moment[kernel.numpy() != 0] != 0).any()
            kept += np.count_nonzero(moment[kernel.numpy() == 0])
    assert (kept > 0) == (slots == "keep")


@pytest.mark.versions
def test_the_train_step_is_traced_once():
    """Keras does not trace again in any phase."""
    traces = []

    class Traced(ISSPSchedule):
        def __call__(self, step):
            if not isinstance(step, int):
                traces.append(step)
            return super().__call__(step)

    def count(epochs):
        traces.clear()
        model = _sequential()
        schedule = Traced(0.7, begin_step=5, end_step=20 * epochs - 10)
        _fit(model, [ISSPCallback(schedule)], epochs)
        _assert_exact_zeros(model)
        return len(traces)

    assert 0 < count(epochs=2) == count(epochs=6)


def test_a_kernel_of_nan_stops_the_training_with_its_name():
    x = keras.Input((4,))
    broken = layers.Dense(16, name="broken", kernel_initializer="ones")
    model = keras.Model(x, layers.Dense(3)(broken(x)))
    model.compile(keras.optimizers.SGD(1e30), "mse")
    with pytest.raises(
        FloatingPointError, match=r"layer 'broken' holds NaN after 20 optimizer"
    ):
        _fit(model, [_issp(end_step=100)])


@pytest.mark.long
def test_equals_the_compiled_run_when_run_eagerly():
    compiled, eager = _sequential(), _sequential(run_eagerly=True)
    for model in (compiled, eager):
        _fit(model, [_issp()])
    for found, expected in zip(_kernels(eager), _kernels(compiled)):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.versions
def test_one_update_per_optimizer_step_under_gradient_accumulation():
    """40 batches are 10 updates, like 10 batches of 4 times the size."""
    model = _sequential(
        keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)
    )
    _fit(model, [_issp(end_step=9)])
    large = _sequential(keras.optimizers.SGD(0.01))
    large.fit(
        X,
        Y,
        batch_size=32,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[_issp(end_step=9)],
    )
    for found, expected in zip(_kernels(model), _kernels(large), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


# Methods that use the optimizer's changes.

_BY_CHANGES = {
    "latent": Latent(),
    "ac_dc": ACDC(2),
    "regrowth": Regrowth(interval=3),
}
by_changes = pytest.mark.parametrize("name", sorted(_BY_CHANGES))


def _by_changes(name, end_step=20):
    schedule = ISSPSchedule(0.7, end_step=end_step, ramp="cubic")
    return SparseTraining(schedule, _BY_CHANGES[name])


@by_changes
@pytest.mark.parametrize(
    "options",
    [
        {"gradient_accumulation_steps": 4},
        {"use_ema": True, "ema_overwrite_frequency": 3},
        *(
            pytest.param(options, marks=pytest.mark.long)
            for options in (
                {"policy": "mixed_float16"},
                {"policy": "mixed_bfloat16", "use_ema": True},
                {"jit_compile": True, "steps_per_execution": 7},
            )
        ),
    ],
)
def test_changes_end_in_exact_zeros_under_every_switch(name, options):
    options = dict(options)
    compile_options = {
        key: options.pop(key)
        for key in ("jit_compile", "steps_per_execution")
        if key in options
    }
    keras.config.set_dtype_policy(options.pop("policy", "float32"))
    try:
        optimizer = keras.optimizers.Adam(0.01, **options)
        model = _sequential(optimizer, **compile_options)
        epochs = _CheckEpochs(8)
        _fit(model, [_by_changes(name, end_step=8), epochs])
    finally:
        keras.config.set_dtype_policy("float32")
    assert epochs.checked >= 1
    _assert_exact_zeros(model)


@pytest.mark.long
@by_changes
def test_changes_equal_the_compiled_run_when_run_eagerly(name):
    compiled, eager = _sequential(), _sequential(run_eagerly=True)
    for model in (compiled, eager):
        _fit(model, [_by_changes(name)])
    for found, expected in zip(_kernels(eager), _kernels(compiled)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@by_changes
def test_one_change_per_optimizer_step_under_gradient_accumulation(name):
    momentum = {"learning_rate": 0.01, "momentum": 0.5}
    model = _sequential(
        keras.optimizers.SGD(**momentum, gradient_accumulation_steps=4)
    )
    _fit(model, [_by_changes(name, end_step=9)])
    large = _sequential(keras.optimizers.SGD(**momentum))
    large.fit(
        X,
        Y,
        batch_size=32,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[_by_changes(name, end_step=9)],
    )
    for found, expected in zip(_kernels(model), _kernels(large), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "gains"),
    [
        (keras.optimizers.SGD(0.1, momentum=0.5), [1, 1.5, 1.75, 1.875, 1]),
        # The first moment of Adam is a tenth of the gradient in a first step.
        (keras.optimizers.Adam(0.1), [0.1, 0.19, 0.271, 0.3439, 0.1]),
        (keras.optimizers.SGD(0.1), None),
    ],
)
def test_a_dense_phase_of_ac_dc_begins_without_momentum(optimizer, gains):
    # The gradient of each weight is 1 in every step.
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, loss=lambda _, y: y)
    momenta = []

    class Remember(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            # On JAX, `self.model` first brings its variables up to date.
            trained = self.model.trainable_variables
            found = keras_internals.momenta(self.model.optimizer, trained) or {}
            momenta.append([np.array(m) for m in found.values()])

    model.fit(
        np.ones((8, 4), "float32"),
        np.ones((8, 1), "float32"),
        batch_size=1,
        verbose=0,
        callbacks=[
            SparseTraining(ISSPSchedule(0.5, end_step=8), ACDC(2)),
            Remember(),
        ],
    )
    if gains is None:
        assert momenta == [[]] * 8
        return
    for found, gain in zip(momenta, [*gains, *gains[1:4]], strict=True):
        # Those of the kernel and of the bias.
        assert len(found) == 2
        for momentum in found:
            np.testing.assert_allclose(
                abs(momentum) / abs(momenta[0][1]), gain / gains[0], rtol=1e-5
            )


def test_layers_that_are_not_built_are_passed_by():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.unused = layers.Dense(3), layers.Dense(5)

        def build(self, input_shape):
            self.used.build(input_shape)

        def call(self, x):
            return self.used(x)

    model = Model()
    model(X[:1])
    model.compile("adam", "mse")
    _fit(model, [_issp()])
    _assert_exact_zeros(model)


@pytest.mark.long
@pytest.mark.tensorflow
def test_replicas_of_a_mirrored_model_stay_equal_and_sparse():
    program = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    2 * [tf.config.LogicalDeviceConfiguration()],
)
import keras
from issp_keras import ISSPSchedule, SparseTraining
from issp_keras.sparsity import ACDC, ISSP, ISSR, SRP, Latent, Regrowth
x = np.random.default_rng(0).normal(size=(64, 4))
y = x[:, :1] * np.ones(10)
def train(strategy, method):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(10)])
        model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    callback = SparseTraining(ISSPSchedule(0.7, end_step=10), method)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, shuffle=False,
              callbacks=[callback])
    return model.layers[0].kernel.value
for method in (ISSP(), ISSR(interval=1), SRP(interval=1), Latent(), ACDC(2),
               Regrowth(3)):
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    first, second = (v.numpy() for v in train(mirrored, method).values)
    assert (first == second).all()
    assert (first == 0).sum() == 28
    alone = train(tf.distribute.get_strategy(), method).numpy()
    np.testing.assert_allclose(first, alone, rtol=1e-4, atol=1e-6)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_kernel_of_zeros_gets_exactly_the_promised_zeros():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    _fit(model, [_issp(0.5)])
    _assert_exact_zeros(model, 0.5)


@pytest.mark.versions
@pytest.mark.parametrize("order", [1, -1])
def test_what_fit_saves_on_the_way_is_sparse(tmp_path, order):
    model = _sequential()
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.keras")
    )
    _fit(model, [checkpoint, _issp()][::order], epochs=3)
    for epoch in (2, 3):
        _assert_exact_zeros(
            keras.models.load_model(tmp_path / f"{epoch}.keras")
        )


@pytest.mark.versions
def test_a_constraint_of_the_user_keeps_working():
    x = keras.Input((4,))
    constrained = layers.Dense(16, kernel_constraint="non_neg")(x)
    model = keras.Model(x, layers.Dense(3)(constrained))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    _fit(model, [_issp()])
    assert _kernels(model)[0].min() == 0
    _assert_exact_zeros(model)
    assert model.layers[1].get_config()["kernel_constraint"] is not None


def test_fit_without_the_callback_prunes_no_more():
    model = _sequential()
    _fit(model, [_issp()])
    _fit(model, [], epochs=1)
    assert all(np.count_nonzero(kernel == 0) == 0 for kernel in _kernels(model))


# Two runs, and ends.


def test_goes_on_where_an_earlier_fit_stopped():
    whole, in_two = _sequential(), _sequential()
    _fit(whole, [_issp()])
    callback = _issp()
    with pytest.warns(UserWarning, match="after 20 optimizer steps"):
        _fit(in_two, [callback], epochs=1)
    _fit(in_two, [callback], epochs=1)
    for found, expected in zip(_kernels(in_two), _kernels(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_run_that_ends_early_warns_and_finalize_ends_it():
    model = _sequential()
    callback = _issp(end_step=1000)
    with pytest.warns(UserWarning, match=r"end_step=1000.*finalize\(\)"):
        _fit(model, [callback])
    before = _kernels(model)
    callback.finalize()
    _assert_exact_zeros(model)
    for kernel, old in zip(_kernels(model), before, strict=True):
        kept = kernel != 0
        np.testing.assert_array_equal(kernel[kept], old[kept])
        assert abs(old[~kept]).max() <= abs(old[kept]).min()
    _fit(model, [callback])
    for kernel, old in zip(_kernels(model), before, strict=True):
        assert set(np.flatnonzero(kernel)) <= set(np.flatnonzero(old))
    _assert_exact_zeros(model)


@pytest.mark.parametrize("batch", [10, 19])
@pytest.mark.parametrize("use_ema", [False, True])
def test_finalize_inside_a_running_fit_holds_to_its_end(use_ema, batch):
    class Finalize(keras.callbacks.Callback):
        def on_train_batch_end(self, done, logs=None):
            if done == batch:
                callback.finalize()

    callback = _issp(end_step=1000)
    model = _sequential(keras.optimizers.Adam(0.01, use_ema=use_ema))
    _fit(model, [callback, Finalize()], epochs=1)
    _assert_exact_zeros(model)


def test_finalize_ends_the_penalties_of_a_method():
    """Without a gradient of the loss, only a penalty changes the weights."""
    method = ISSR(limit=0.5, interval=1, growth=0.001)
    callback = SparseTraining(ISSPSchedule(0.5, end_step=1000), method)
    model = _sequential()
    model.compile(
        keras.optimizers.SGD(0.1), lambda y, output: 0 * ops.mean(output)
    )
    random = _kernels(model)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback])
    assert all((a != b).any() for a, b in zip(random, _kernels(model)))
    callback.finalize()
    before = _kernels(model)
    _fit(model, [callback])
    for kernel, old in zip(_kernels(model), before, strict=True):
        np.testing.assert_array_equal(kernel, old)


def test_the_mask_of_a_finalized_training_is_where_the_zeros_are(tmp_path):
    schedule = ISSPSchedule(0.7, end_step=1000, ramp="cubic")
    callback = SparseTraining(schedule)
    model = _sequential()
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback])
    callback.finalize()
    _fit(model, [callback, SparsitySummaries(callback, tmp_path)])
    lines = (tmp_path / "sparsity.csv").read_text().splitlines()
    rows = csv.DictReader(lines)
    assert {row["mask_change"] for row in rows} == {"0.0"}
    for kernel in callback.snapshot():
        np.testing.assert_array_equal(kernel.mask, kernel.values == 0)


def test_finalize_after_a_finished_fit_leaves_no_state():
    model, callback = _sequential(), _issp(end_step=10)
    _fit(model, [callback])
    count = len(model.optimizer.variables)
    callback.finalize()
    assert len(model.optimizer.variables) == count
    assert not hasattr(model.optimizer, "sparse_training")


@pytest.mark.parametrize("method", [SRP(), Latent()])
@pytest.mark.parametrize("steps", [0, 10, 40])
@pytest.mark.parametrize("compiled", [True, False])
def test_finalize_makes_exact_zeros_whatever_the_method_remembers(
    compiled, steps, method
):
    model = _sequential()
    callback = SparseTraining(ISSPSchedule(0.7, end_step=30), method)
    if not compiled:
        model = keras.models.clone_model(model)
        callback.set_model(model)
    elif steps == 0:
        callback.set_model(model)
    else:
        context = contextlib.nullcontext()
        if steps < 30:
            context = pytest.warns(UserWarning, match="not sparse yet")
        with context:
            _fit(model, [callback], epochs=max(1, steps // 20))
    before = [kernel == 0 for kernel in _kernels(model)]
    callback.finalize()
    _assert_exact_zeros(model)
    if compiled and steps == 40:
        for kernel, zero in zip(_kernels(model), before, strict=True):
            np.testing.assert_array_equal(kernel == 0, zero)


def test_a_finalized_callback_begins_anew_after_compile():
    model, callback = _sequential(), _issp()
    callback.set_model(model)
    callback.finalize()
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    model.compile("adam", "mse")
    _fit(model, [callback])
    _assert_exact_zeros(model)


def test_a_finalized_callback_begins_anew_with_another_model():
    callback = _issp()
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(_sequential(), [callback], epochs=1)
    callback.finalize()
    model = _sequential()
    _fit(model, [callback])
    _assert_exact_zeros(model)


def test_finalize_needs_no_fit_and_no_optimizer():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(10)])
    callback = _issp()
    callback.set_model(model)
    callback.finalize()
    _assert_exact_zeros(model)


def test_finalize_before_fit_asks_for_a_model():
    with pytest.raises(ValueError, match="set_model"):
        _issp().finalize()


def test_a_fit_after_an_interrupted_one_prunes_once_a_step():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                raise KeyboardInterrupt

    model, whole = _sequential(), _sequential()
    with pytest.raises(KeyboardInterrupt):
        _fit(model, [_issp(), Interrupt()])
    with pytest.warns(UserWarning, match="after 5 optimizer steps"):
        whole.fit(
            X[:40],
            Y[:40],
            batch_size=8,
            shuffle=False,
            verbose=0,
            callbacks=[_issp()],
        )
    for either in (model, whole):
        _fit(either, [_issp()])
    for found, expected in zip(_kernels(model), _kernels(whole), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_warns_of_dense_weights_that_another_callback_has_restored():
    stop = keras.callbacks.EarlyStopping(
        "loss", mode="max", restore_best_weights=True, patience=9
    )
    with pytest.warns(UserWarning, match=r"0 zeros.*EarlyStopping"):
        _fit(_sequential(), [stop, _issp(begin_step=25, end_step=30)])


# tfmot's schedules, and methods of the user's own.


@pytest.mark.versions
def test_takes_a_ramp_of_tfmot():
    tfmot = pytest.importorskip("tensorflow_model_optimization")
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        0.2, 0.8, begin_step=0, end_step=25, frequency=5
    )
    model = _sequential()
    _fit(model, [ISSPCallback(schedule)])
    _assert_exact_zeros(model, 0.8)


@pytest.mark.versions
def test_takes_a_schedule_derived_from_one_of_tfmot():
    tfmot = pytest.importorskip("tensorflow_model_optimization")

    class Mine(tfmot.sparsity.keras.PolynomialDecay):
        pass

    model = _sequential()
    _fit(model, [ISSPCallback(Mine(0.2, 0.8, 0, 25, frequency=5))])
    _assert_exact_zeros(model, 0.8)


@pytest.mark.parametrize("ramp", ["constant", "cubic"])
@pytest.mark.parametrize(
    ("distribution", "zeros"),
    [
        # Densities are 20/64 and 19/48 times 33.6/39, that is 0.269 and 0.341.
        (ERK(), [47, 32]),
        (Map({"head": 0.5}), [45, 24]),
        (Global(), None),
    ],
)
def test_distributions_are_exact_after_any_ramp(distribution, zeros, ramp):
    x = keras.Input((4,))
    hidden = layers.Dense(16, "relu", name="body")(x)
    model = keras.Model(x, layers.Dense(3, name="head")(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    schedule = ISSPSchedule(0.7, end_step=30, ramp=ramp)
    _fit(model, [ISSPCallback(schedule, distribution=distribution)])
    found = [int((kernel == 0).sum()) for kernel in _kernels(model)]
    if zeros is None:
        assert sum(found) == math.ceil(0.7 * 112)
    else:
        assert found == zeros


def test_takes_a_method_of_the_users_own():
    class Zero(Method):
        def update(self, values, unimportant, clock):
            return ops.where(unimportant, 0.0, values)

    model = _sequential()
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [SparseTraining(ISSPSchedule(0.7, end_step=99), Zero())])
    _assert_exact_zeros(model)


def test_a_part_of_the_model_may_have_no_gradient():
    x = keras.Input((4,))
    heads = [layers.Dense(3, name="a")(x), layers.Dense(3, name="b")(x)]
    model = keras.Model(x, heads)
    model.compile(keras.optimizers.Adam(0.01), ["mse", None])
    callback = SparseTraining(ISSPSchedule(0.7, end_step=20), SRP())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        _fit(model, [callback])
    _assert_exact_zeros(model)


@pytest.mark.versions
@pytest.mark.tensorflow
def test_a_train_step_may_update_a_part_of_the_model():
    import tensorflow as tf

    class Half(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            variables = self.layers[-1].trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return {"loss": loss}

    x = keras.Input((4,))
    model = Half(x, layers.Dense(3)(layers.Dense(16)(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.optimizer.build(model.layers[-1].trainable_variables)
    _fit(model, [_issp()])
    _assert_exact_zeros(model)


@pytest.mark.versions
@pytest.mark.parametrize("options", [{"use_ema": True}, {"slots": "zero"}])
def test_an_optimizer_may_be_built_on_a_part_of_the_model(options):
    options = dict(options)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(16), layers.Dense(3)]
    )
    slots = options.pop("slots", "keep")
    optimizer = keras.optimizers.Adam(0.01, **options)
    model.compile(optimizer, "mse")
    variables = model.layers[-1].trainable_variables
    optimizer.build(variables)
    callback = _issp(end_step=2, optimizer_slots=slots)
    callback.set_params({})
    callback.set_model(model)
    callback.on_train_begin()
    for _ in range(3):
        optimizer.apply([ops.ones(v.shape) for v in variables], variables)
    callback.on_train_end()
    _assert_exact_zeros(model)
    mine = model.layers[-1].kernel.numpy() == 0
    if slots == "zero":
        assert not optimizer._momentums[0].numpy()[mine].any()
    else:
        (average, _) = optimizer._model_variables_moving_average
        np.testing.assert_array_equal(average.numpy() == 0, mine)


def test_a_method_that_needs_momentum_names_a_kernel_without():
    model = _sequential()
    model.optimizer.build(model.layers[-1].trainable_variables)
    with pytest.raises(ValueError, match=r"Adam has none for 'seq.*`exclude`"):
        _fit(model, [_by_changes("regrowth")])


# Refusals.


@pytest.mark.versions
@pytest.mark.skipif(
    not hasattr(keras.optimizers, "MultiOptimizer"),
    reason="this release of Keras has no MultiOptimizer",
)
@pytest.mark.parametrize("is_scaled", [False, True])
def test_refuses_an_optimizer_of_optimizers(is_scaled):
    several = keras.optimizers.MultiOptimizer(
        lambda variable: keras.optimizers.Adam(0.01)
    )
    if is_scaled:
        several = keras.optimizers.LossScaleOptimizer(several)
    with pytest.raises(ValueError, match=r"needs one optimizer.*MultiOpti"):
        _fit(_sequential(several), [_issp()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("iss_p",), r"`method` must be.*'iss_p'"),
        ((ISSP,), "`method` must be an instance of Method"),
        ((ISSP(), "erk"), "`distribution` must be.*'erk'"),
        ((ISSP(), None, "2:4"), "`pattern` must be.*'2:4'"),
    ],
)
def test_refuses_parts_that_are_none(arguments, message):
    with pytest.raises(TypeError, match=message):
        SparseTraining(ISSPSchedule(0.7, end_step=9), *arguments)


def test_warns_of_a_pattern_that_cannot_hold_the_zeros(caplog):
    logger = logging.getLogger("absl")
    propagate, logger.propagate = logger.propagate, True
    try:
        _fit(_sequential(), [_issp(0.9, pattern=NM(2, 4))])
    finally:
        logger.propagate = propagate
    assert "allows 50 % zeros, and the schedule asks for 90 %" in caplog.text


def test_refuses_a_model_without_prunable_layers():
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"no prunable layer.*Conv2D.*Dense"):
        model.fit(X, X, verbose=0, callbacks=[_issp()])


def test_refuses_a_model_without_optimizer():
    model = _sequential()
    model.compile(optimizer=None, loss="mse")
    with pytest.raises(ValueError, match="needs an optimizer: compile the mod"):
        _fit(model, [_issp()])


def test_refuses_a_model_that_is_not_built():
    with pytest.raises(ValueError, match="Only a built model"):
        prunable_kernels(keras.Sequential([layers.Dense(3)]))


def test_refuses_what_is_no_schedule():
    with pytest.raises(TypeError, match=r"PruningSchedule.*schedule=0\.9"):
        ISSPCallback(0.9)


def test_refuses_a_schedule_without_an_end():
    class Endless(PruningSchedule):
        end_step = -1

        def __call__(self, step):
            return True, 0.5

        def get_config(self):
            return {}

    with pytest.raises(ValueError, match=r"must have an end.*end_step=-1"):
        ISSPCallback(Endless())


def test_refuses_an_optimizer_that_is_past_the_end_of_a_dense_model():
    model = _sequential()
    _fit(model, [])
    with pytest.raises(ValueError, match=r"has made 40 steps, end_step=30"):
        _fit(model, [_issp()])


def test_refuses_two_sparse_trainings_in_one_fit():
    with pytest.raises(ValueError, match="one sparse-training callback"):
        _fit(_sequential(), [_issp(), _issp()])


# Shares of the training.


def _weights(model):
    return [weight.numpy() for weight in model.weights]


def _assert_same_weights(one, other):
    for a, b in zip(_weights(one), _weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "method",
    [pytest.param(ISSP(), marks=pytest.mark.versions), Latent(), SRP()],
)
def test_a_share_is_that_of_all_steps_of_the_fit(method):
    """There are 2 epochs of 20 batches."""
    shares, steps = _sequential(), _sequential()
    _fit(
        shares,
        [SparseTraining(ISSPSchedule(0.7, 0.25, end_step=0.75), method)],
    )
    _fit(steps, [SparseTraining(ISSPSchedule(0.7, 10, end_step=30), method)])
    _assert_exact_zeros(shares)
    _assert_same_weights(shares, steps)


@pytest.mark.parametrize("method", [L1Norm(), Scratch()])
def test_a_method_of_one_shot_takes_shares(method):
    shares, steps = _sequential(), _sequential()
    _fit(shares, [SparseTraining(ISSPSchedule(0.7, 0.0, end_step=0.5), method)])
    _fit(steps, [SparseTraining(ISSPSchedule(0.7, end_step=20), method)])
    _assert_exact_zeros(shares)
    _assert_same_weights(shares, steps)


def test_a_share_counts_steps_of_the_optimizer_and_not_batches():
    model = _sequential(
        keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)
    )
    training = SparseTraining(ISSPSchedule(0.7, end_step=0.8))
    _fit(model, [training])
    assert training.pruned_model.pruner.end == 8
    _assert_exact_zeros(model)


def test_a_share_keeps_its_steps_in_a_later_fit():
    training = SparseTraining(ISSPSchedule(0.7, end_step=0.75))
    model = _sequential()
    _fit(model, [training], epochs=2)
    zeros = [kernel == 0 for kernel in _kernels(model)]
    _fit(model, [training], epochs=5)
    assert training.pruned_model.pruner.end == 30
    for before, kernel in zip(zeros, _kernels(model), strict=True):
        np.testing.assert_array_equal(before, kernel == 0)


def test_a_share_is_found_anew_after_the_model_is_compiled_again():
    training = SparseTraining(ISSPSchedule(0.7, end_step=0.75))
    model = _sequential()
    _fit(model, [training], epochs=2)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    _fit(model, [training], epochs=1)
    assert training.pruned_model.pruner.end == 15


def test_steps_before_the_fit_count_for_a_share():
    model = _sequential()
    _fit(model, [], epochs=1)
    training = SparseTraining(ISSPSchedule(0.7, 0.5, end_step=1.0))
    _fit(model, [training], epochs=1)
    pruner = training.pruned_model.pruner
    assert (pruner.begin, pruner.end) == (20, 40)
    _assert_exact_zeros(model)


def test_an_evaluation_finds_no_steps():
    training = SparseTraining(ISSPSchedule(0.7, end_step=0.75))
    model = _sequential()
    model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[training])
    _fit(model, [training], epochs=2)
    assert training.pruned_model.pruner.end == 30


def test_a_share_prunes_without_a_fit_when_it_is_told_to():
    training = SparseTraining(ISSPSchedule(0.7, end_step=0.75))
    model = _sequential()
    training.set_model(model)
    training.finalize()
    _assert_exact_zeros(model)


def test_refuses_a_share_of_a_training_of_unknown_length():
    def batches():
        for i in range(0, 160, 8):
            yield X[i : i + 8], Y[i : i + 8]

    training = SparseTraining(ISSPSchedule(0.7, end_step=0.75))
    with pytest.raises(ValueError, match=r"0\.75\): .*`steps_per_epoch`"):
        _sequential().fit(
            batches(), shuffle=False, verbose=0, callbacks=[training]
        )
    model = _sequential()
    model.fit(
        batches(),
        steps_per_epoch=20,
        shuffle=False,
        verbose=0,
        callbacks=[training],
    )
    assert training.pruned_model.pruner.end == 15
    _assert_exact_zeros(model)


def test_trains_with_iss_p_by_default():
    default, given = _sequential(), _sequential()
    _fit(default, [SparseTraining(ISSPSchedule(0.7, end_step=30))])
    _fit(given, [SparseTraining(ISSPSchedule(0.7, end_step=30), ISSP())])
    _assert_same_weights(default, given)
