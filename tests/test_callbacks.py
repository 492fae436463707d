"""Which layers are pruned, and what is reported about them."""

import csv
import logging as std_logging
import math

import keras
import numpy as np
import pytest
from absl import logging
from keras import layers

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras import SparsitySummaries
from issp_keras.callbacks import prunable_kernels
from issp_keras.callbacks.kernels import find_kernels
from issp_keras.sparsity import IHT
from issp_keras.sparsity import ISSP
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import NM
from issp_keras.sparsity import SRP
from issp_keras.sparsity import Block
from issp_keras.sparsity import Unstructured

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _model():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(4, 3, name="body.conv1"),
            layers.Conv2D(4, 3, name="body.conv2"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="head"),
        ],
        name="net",
    )
    model.compile("adam", "mse")
    return model


def _fit(model, callbacks, epochs=2):
    images = RNG.normal(size=(20, 8, 8, 3)).astype("float32")
    targets = RNG.normal(size=(20, 3)).astype("float32")
    model.fit(
        images,
        targets,
        batch_size=2,
        epochs=epochs,
        verbose=0,
        callbacks=callbacks,
    )


def _names(kernels):
    return [kernel.path.split("/")[-2] for kernel in kernels]


@pytest.mark.parametrize(
    ("rules", "pruned"),
    [
        ({}, ["stem", "body.conv1", "body.conv2", "head"]),
        ({"include": r"body\."}, ["body.conv1", "body.conv2"]),
        ({"exclude": ["net/stem$", "head$"]}, ["body.conv1", "body.conv2"]),
        ({"include": "conv", "exclude": "conv2"}, ["body.conv1"]),
        (
            {"include": lambda layer: isinstance(layer, layers.Dense)},
            ["head"],
        ),
    ],
)
def test_rules_say_which_layers_are_pruned(rules, pruned):
    model = _model()
    assert _names(prunable_kernels(model, **rules)) == pruned
    schedule = ISSPSchedule(0.5, end_step=5)
    _fit(model, [ISSPCallback(schedule, **rules)], epochs=1)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            is_sparse = bool((layer.kernel.numpy() == 0).any())
            assert is_sparse == (layer.name in pruned)


@pytest.mark.parametrize("rule", ["include", "exclude"])
def test_refuses_an_expression_that_finds_no_layer(rule):
    with pytest.raises(ValueError, match=rf"`{rule}`: .*'boddy'.*body\.conv1"):
        prunable_kernels(_model(), **{rule: "boddy"})
    with pytest.raises(ValueError, match="Not a regular expression"):
        prunable_kernels(_model(), **{rule: "("})


def test_layers_that_are_not_pruned_are_named_once_with_the_reason(caplog):
    model = _model()
    model.get_layer("body.conv2").trainable = False
    model.compile("adam", "mse")
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=5), exclude="stem")
    level = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    logger = std_logging.getLogger("absl")
    propagate, logger.propagate = logger.propagate, True
    try:
        _fit(model, [callback])
    finally:
        logging.set_verbosity(level)
        logger.propagate = propagate
    lines = [r.getMessage() for r in caplog.records]
    assert [line for line in lines if "Not pruned" in line] == [
        "Not pruned: net/stem (excluded).",
        "Not pruned: net/norm (BatchNormalization has no kernel to prune).",
        "Not pruned: net/body.conv2 (not trainable).",
    ]


def _told(capsys, model, sparsity=0.5, **arguments):
    """The output at the beginning of a training."""
    schedule = ISSPSchedule(sparsity, end_step=5)
    callback = SparseTraining(schedule, IHT(), **arguments)
    callback.set_params({})
    callback.set_model(model)
    callback.on_train_begin()
    return capsys.readouterr().out.splitlines()


def _chain(channels, **convolutions):
    """A compiled model of convolutions: their names, filters and sizes."""
    model = keras.Sequential(
        [keras.Input((8, 8, channels))]
        + [layers.Conv2D(*of, name=name) for name, of in convolutions.items()],
        name="net",
    )
    model.compile("adam", "mse")
    return model


def _pruned_kernels(model, sparsity, pattern):
    """Prunes a model to the end, and returns its kernels."""
    schedule = ISSPSchedule(sparsity, end_step=5)
    callback = SparseTraining(schedule, IHT(), pattern=pattern)
    callback.set_model(model)
    callback.finalize()
    return prunable_kernels(model)


def test_what_is_not_pruned_is_printed_by_default(capsys):
    """absl's log would not show such lines outside of `app.run`."""
    expected = [
        "Not pruned: net/stem (excluded).",
        "Not pruned: net/norm (BatchNormalization has no kernel to prune).",
    ]
    assert _told(capsys, _model(), exclude="stem") == expected
    assert _told(capsys, _model(), exclude="stem", verbose=0) == []
    with pytest.raises(ValueError, match=r"must be 0 or 1.*verbose=2"):
        _told(capsys, _model(), verbose=2)


def test_many_layers_of_one_kind_are_told_in_one_line(capsys):
    x = first = keras.Input((4,))
    for i in range(7):
        x = layers.LayerNormalization(name=f"norm{i}")(x)
    model = keras.Model(first, layers.Dense(3)(x))
    model.compile("adam", "mse")
    assert _told(capsys, model) == [
        "Not pruned: norm0, norm1, norm2, norm3, norm4 and 2 more "
        "(LayerNormalization has no kernel to prune)."
    ]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (NM(2, 4), ["grey", "head"]),
        (NM(2, 4, order="torch"), []),
        (Block(4, 4), ["head"]),
        (Unstructured(), []),
    ],
)
def test_a_kernel_that_the_pattern_leaves_dense_is_told(capsys, pattern, told):
    model = _chain(1, grey=(4, 3), body=(1, 3), head=(4, 1))
    kind = type(pattern).__name__
    names = ", ".join(f"net/{name}/kernel" for name in told)
    lines = [f"Not pruned: {names} ({kind} allows no zero in it)."]
    assert _told(capsys, model, pattern=pattern) == (lines if told else [])
    for kernel in _pruned_kernels(model, 0.9, pattern):
        is_dense = bool((kernel.numpy() != 0).all())
        assert is_dense == (kernel.path.split("/")[-2] in told)


def test_a_kernel_that_a_low_sparsity_leaves_dense_is_told(capsys):
    model = _chain(2, two=(3, 3), three=(8, 3), eight=(8, 3))
    assert _told(capsys, model, 0.25, pattern=NM(2, 4)) == [
        "Not pruned: net/two/kernel, net/three/kernel (NM allows no zero in it "
        "at 25% zeros)."
    ]
    kernels = _pruned_kernels(model, 0.25, NM(2, 4))
    assert [(k.numpy() == 0).mean() for k in kernels] == [0, 0, 0.25]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_cells_of_conv_lstm_are_pruned(rank):
    kind = (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)[rank - 1]
    sequence = keras.Input((2, *rank * (4,), 3))
    model = keras.Model(sequence, kind(5, 3, name="lstm")(sequence))
    found, skipped = find_kernels(model)
    assert skipped == {}
    assert [(k.facts.shape, k.facts.input_axes) for k in found] == [
        ((*rank * (3,), 3, 20), (rank,)),
        ((*rank * (3,), 5, 20), (rank,)),
    ]
    if rank > 1:
        return
    callback = ISSPCallback(ISSPSchedule(0.9, end_step=5))
    callback.set_model(model)
    callback.finalize()
    for kernel in prunable_kernels(model):
        size = kernel.numpy().size
        assert (kernel.numpy() == 0).sum() == math.ceil(size * 9 / 10)


def test_a_kernel_of_an_unknown_layer_is_not_denied():
    class Mine(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 2))

        def call(self, x):
            return x @ self.kernel

    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), Mine(name="mine")], name="net"
    )
    _, skipped = find_kernels(model)
    assert "Mine is not a prunable layer type" in skipped["net/mine"]


def test_finds_every_kind_of_kernel_and_its_channels():
    sequence = keras.Input((8, 6))
    x = layers.SeparableConv1D(4, 3, name="separable")(sequence)
    x = layers.Conv1DTranspose(5, 3, name="transposed")(x)
    x = layers.LSTM(3, return_sequences=True, name="lstm")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    model = keras.Model(sequence, x)
    found, _ = find_kernels(model)
    axes = {
        kernel.facts.path: (
            kernel.facts.shape,
            kernel.facts.input_axes,
            kernel.facts.output_axes,
        )
        for kernel in found
    }
    assert axes == {
        "separable/depthwise_kernel": ((3, 6, 1), (1,), (2,)),
        "separable/pointwise_kernel": ((1, 6, 4), (1,), (2,)),
        "transposed/kernel": ((3, 5, 4), (2,), (1,)),
        "lstm/lstm_cell/kernel": ((5, 12), (0,), (1,)),
        "lstm/lstm_cell/recurrent_kernel": ((3, 12), (0,), (1,)),
        "attention/query/kernel": ((3, 2, 4), (0,), (1, 2)),
        "attention/key/kernel": ((3, 2, 4), (0,), (1, 2)),
        "attention/value/kernel": ((3, 2, 4), (0,), (1, 2)),
        "attention/attention_output/kernel": ((2, 4, 3), (0, 1), (2,)),
    }


def test_a_layer_of_the_users_own_takes_part():
    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(10,), initializer="normal")

        def get_prunable_weights(self):
            return [self.scale]

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([keras.Input((10,)), Scale()])
    model.compile("adam", "mse")
    x = RNG.normal(size=(20, 10))
    schedule = ISSPSchedule(0.7, end_step=2)
    model.fit(x, x, batch_size=4, verbose=0, callbacks=[ISSPCallback(schedule)])
    assert (model.layers[0].scale.numpy() == 0).sum() == 7


# Summaries.


def _rows(folder):
    with (folder / "sparsity.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_summaries_tell_how_each_kernel_develops(tmp_path):
    model = _model()
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    _fit(model, [SparsitySummaries(callback, tmp_path), callback])
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == ["10"] * 4 + ["20"] * 4
    for row, kernel in zip(rows[4:], prunable_kernels(model), strict=True):
        values = np.abs(kernel.numpy())
        assert row["kernel"] == kernel.path
        assert float(row["sparsity"]) == pytest.approx((values == 0).mean())
        assert float(row["threshold"]) == 0
        assert float(row["gradient_norm"]) > 0
    assert {float(row["sparsity"]) for row in rows[:4]} == {0.0}
    assert all(float(row["threshold"]) > 0 for row in rows[:4])


@pytest.mark.parametrize(
    ("method", "pattern"), [(ISSP(), NM(2, 4)), (SRP(), None), (IHT(), None)]
)
def test_the_mask_change_is_that_of_the_masks(tmp_path, method, pattern):
    class Masks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rows = callback.snapshot()
            masks.append([mask for _, _, mask, _ in rows])

    masks = []
    callback = SparseTraining(
        ISSPSchedule(0.5, end_step=25), method, pattern=pattern
    )
    model = _model()
    model.optimizer.learning_rate = 0.1
    summaries = SparsitySummaries(callback, tmp_path)
    _fit(model, [callback, summaries, Masks()], epochs=4)
    rows = iter(_rows(tmp_path))
    before = masks[0]
    for epoch in masks:
        for mask, last in zip(epoch, before, strict=True):
            row = next(rows)
            assert float(row["mask_change"]) == np.mean(mask != last)
        before = epoch
    changed = any((a != b).any() for a, b in zip(masks[0], masks[2]))
    assert changed == (not isinstance(method, SRP))
    for kernel, mask in zip(prunable_kernels(model), masks[3], strict=True):
        np.testing.assert_array_equal(kernel.numpy() == 0, mask)


def test_kernels_of_one_path_have_names_of_their_own(tmp_path):
    def part(units):
        x = keras.Input((4,))
        return keras.Model(x, layers.Dense(units, name="conv")(x))

    x = keras.Input((4,))
    model = keras.Model(x, part(3)(part(4)(x)))
    model.compile("adam", "mse")
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=5))
    x = RNG.normal(size=(20, 4))
    model.fit(
        x,
        x[:, :3],
        batch_size=4,
        verbose=0,
        callbacks=[callback, SparsitySummaries(callback, tmp_path)],
    )
    names = [row["kernel"] for row in _rows(tmp_path)]
    assert names == ["conv/kernel", "conv/kernel#2"]


def test_few_bytes_are_kept_for_each_weight():
    # ISS-R counts beyond 255. A latent copy is as large as the weights.
    more = {"iss_r": 2, "latent": 4}
    without = ("iss_p", "iht", "l1_norm", "scratch", "random", "ac_dc")
    for name, method in METHODS.items():
        model = _model()
        arguments = {"constrained": "body"} if name == "assl" else {}
        callback = SparseTraining(
            ISSPSchedule(0.5, end_step=5), method(**arguments)
        )
        callback.set_model(model)
        state = model.optimizer.sparse_training
        kept = sum(array.numpy().nbytes for array in state.arrays)
        weights = sum(k.numpy().size for k in prunable_kernels(model))
        assert kept <= weights * more.get(name, 1)
        if name in (*without, "regrowth"):
            assert kept == 0


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_the_gradient_norm_is_that_of_the_last_step(tmp_path, scale):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    optimizer = keras.optimizers.SGD(0.0, loss_scale_factor=scale)
    model.compile(optimizer, "mse")
    x = RNG.normal(size=(8, 4)).astype("float32")
    y = RNG.normal(size=(8, 3)).astype("float32")
    w = model.layers[0].kernel.numpy()
    callback = ISSPCallback(ISSPSchedule(0.0, end_step=1))
    summaries = SparsitySummaries(callback, tmp_path)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback, summaries])
    gradient = x.T @ (2 * (x @ w - y) / y.size)
    norm = float(_rows(tmp_path)[0]["gradient_norm"])
    assert norm == pytest.approx(np.linalg.norm(gradient), rel=1e-4)


@pytest.mark.parametrize("record", [False, True])
def test_gradient_norms_are_only_computed_where_they_are_recorded(record):
    class _Norms(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.extend(row.gradient_norm for row in callback.snapshot())

    found: list[float] = []
    callback = ISSPCallback(
        ISSPSchedule(0.5, end_step=15), record_gradients=record
    )
    _fit(_model(), [callback, _Norms()], epochs=2)
    assert len(found) == 8
    assert all((norm > 0) == record for norm in found)


def test_summaries_can_follow_steps_and_go_on_in_the_same_file(tmp_path):
    model = _model()
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    summaries = SparsitySummaries(callback, tmp_path, frequency=5)
    with pytest.warns(UserWarning, match="not sparse yet"):
        _fit(model, [callback, summaries], epochs=1)
    assert {row["step"] for row in _rows(tmp_path)} == {"5", "10"}
    with (tmp_path / "sparsity.csv").open("a") as file:
        file.write("12,of a run that was killed,0,0,0,0\n")
    _fit(model, [callback, summaries], epochs=1)
    steps = [row["step"] for row in _rows(tmp_path)]
    assert steps == [step for step in ("5", "10", "15", "20") for _ in range(4)]


def test_summaries_write_scalars_for_tensorboard(tmp_path):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    _fit(_model(), [callback, SparsitySummaries(callback, tmp_path)])
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert "sparsity/net/stem/kernel" in tags
    assert "gradient_norm/net/head/kernel" in tags
    assert len(tags) == 16


def test_summaries_refuse_what_they_cannot_use(tmp_path):
    with pytest.raises(TypeError, match="Received: 'callback'"):
        SparsitySummaries("callback", tmp_path)
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    (tmp_path / "sparsity.csv").write_text("no,sense\n1,2\n")
    with pytest.raises(ValueError, match=r"sparsity\.csv: is not a readable"):
        _fit(_model(), [callback, SparsitySummaries(callback, tmp_path)])
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    with pytest.raises(ValueError, match="among the callbacks of the same fit"):
        _fit(_model(), [SparsitySummaries(callback, tmp_path)])
    model, callback = _model(), ISSPCallback(ISSPSchedule(0.5, end_step=10))
    _fit(model, [callback])
    with pytest.raises(ValueError, match="among the callbacks of the same fit"):
        _fit(model, [SparsitySummaries(callback, tmp_path)])
    callback = ISSPCallback(
        ISSPSchedule(0.5, end_step=15), record_gradients=False
    )
    with pytest.raises(ValueError, match="record_gradients=True"):
        SparsitySummaries(callback, tmp_path)
    callback = ISSPCallback(ISSPSchedule(0.5, end_step=15))
    with pytest.raises(ValueError, match="frequency='batch'"):
        SparsitySummaries(callback, tmp_path, "batch")
