import keras
import numpy as np
import pytest
from keras import layers

import issp_keras
from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import models
from issp_keras.errors import ArgumentError
from issp_keras.sparsity import NM
from issp_keras.sparsity import Block

pytestmark = pytest.mark.versions


def _summary(model, *arguments):
    printed = []
    rows = issp_keras.summary(model, *arguments, print_fn=printed.append)
    return rows, printed[0]


def test_counts_the_multiply_adds_of_edsr_baseline():
    """They are 316.3, 160.4 and 114.2 G for an output of 1280x720."""
    for scale, size, expected in (
        (2, (360, 640), 316.3e9),
        (3, (240, 432), 160.4e9 * 240 * 432 / (240 * 427)),
        (4, (184, 320), 114.2e9 * 184 / 180),
    ):
        rows, _ = _summary(models.edsr(scale), (1, *size, 3))
        assert rows[-1]["dense_macs"] == pytest.approx(expected, rel=0.03)
        assert rows[-1]["sparse_macs"] == rows[-1]["dense_macs"]


def test_counts_each_kind_of_layer():
    image = keras.Input((8, 6, 4))
    x = layers.Conv2D(5, 3, strides=2, padding="same", name="conv")(image)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2DTranspose(
        2, 3, strides=2, padding="same", name="transposed"
    )(x)
    x = layers.Reshape((48, 2))(x)
    x = layers.Dense(3, name="dense")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    rows, _ = _summary(keras.Model(image, x))
    macs = {row["name"]: row["dense_macs"] for row in rows}
    assert macs == {
        "conv/kernel": 4 * 3 * 9 * 4 * 5,
        "depthwise/kernel": 4 * 3 * 9 * 5,
        "transposed/kernel": 4 * 3 * 9 * 5 * 2,
        "dense/kernel": 48 * 2 * 3,
        "attention/query/kernel": 48 * 3 * 8,
        "attention/key/kernel": 48 * 3 * 8,
        "attention/value/kernel": 48 * 3 * 8,
        "attention/attention_output/kernel": 48 * 8 * 3,
        "total": rows[-1]["dense_macs"],
    }
    assert rows[-1]["dense_macs"] == sum(r["dense_macs"] for r in rows[:-1])


@pytest.mark.parametrize(
    ("equation", "output_shape", "macs"),
    [
        ("bti,io->bto", (6, 7), 6 * 5 * 7),
        ("...i,io->...o", 7, 6 * 5 * 7),
        # Each of 6 groups has its own weights.
        ("bgi,gio->bgo", (6, 7), 6 * 5 * 7),
        # A sum over 6 positions.
        ("bti,io->bo", (7,), 6 * 5 * 7),
        ("bti,tio->bo", (7,), 6 * 5 * 7),
    ],
)
def test_counts_the_multiply_adds_of_einsum(equation, output_shape, macs):
    x = keras.Input((6, 5))
    layer = layers.EinsumDense(equation, output_shape, name="einsum")
    rows, _ = _summary(keras.Model(x, layer(x)), (1, 6, 5))
    assert rows[-1]["dense_macs"] == macs


@pytest.mark.one_backend
def test_counts_every_step_of_a_recurrent_layer():
    def macs(layer, shape):
        model = keras.Sequential([keras.Input(shape), layer])
        rows, _ = _summary(model)
        assert "call" not in vars(layer)
        return [row["dense_macs"] for row in rows[:-1]]

    assert macs(layers.LSTM(8), (40, 8)) == [40 * 8 * 32] * 2
    assert macs(layers.GRU(4), (5, 3)) == [5 * 3 * 12, 5 * 4 * 12]
    assert macs(layers.SimpleRNN(4, unroll=True), (5, 3)) == [5 * 12, 5 * 16]
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True))
    assert macs(both, (7, 3)) == [7 * 3 * 8, 7 * 2 * 8] * 2
    cells = [layers.LSTMCell(2), layers.GRUCell(3)]
    assert sorted(macs(layers.RNN(cells), (6, 4))) == sorted(
        [6 * 4 * 8, 6 * 2 * 8, 6 * 2 * 9, 6 * 3 * 9]
    )
    each = layers.TimeDistributed(layers.Dense(4))
    assert macs(each, (9, 2)) == [9 * 2 * 4]
    images = layers.ConvLSTM2D(3, 3, padding="same")
    places = 5 * 6 * 8 * 9
    assert macs(images, (5, 6, 8, 2)) == [places * 2 * 12, places * 3 * 12]
    nested = layers.TimeDistributed(layers.LSTM(2))
    assert macs(nested, (3, 5, 4)) == [15 * 4 * 8, 15 * 2 * 8]


def test_counts_a_recurrent_layer_that_is_called_twice_twice():
    sequence = keras.Input((5, 3))
    recurrent = layers.GRU(3, return_sequences=True)
    model = keras.Model(sequence, recurrent(recurrent(sequence)))
    rows, _ = _summary(model)
    assert [row["dense_macs"] for row in rows[:-1]] == [2 * 5 * 3 * 9] * 2


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (None, "unstructured"),
        (NM(2, 4), "2:4"),
        (NM(4, 5), "4:5"),
        (Block(1, 4), "block 1x4"),
        (Block(4, 1), "block 4x1"),
    ],
)
def test_names_the_pattern_of_the_zeros(pattern, name):
    model = keras.Sequential([keras.Input((20,)), layers.Dense(16)])
    model.compile("sgd", "mse")
    callback = ISSPCallback(ISSPSchedule(0.8, end_step=2), pattern=pattern)
    x = np.random.default_rng(0).normal(size=(8, 20))
    model.fit(x, x[:, :16], batch_size=4, verbose=0, callbacks=[callback])
    rows, text = _summary(model)
    assert rows[0]["pattern"] == name
    assert name in text
    share = 1 - rows[0]["zeros"] / rows[0]["weights"]
    assert rows[0]["sparse_macs"] == round(320 * share)


def test_a_model_of_any_size_has_no_multiply_adds_without_one():
    rows, text = _summary(models.edsr(2, features=4, blocks=1))
    assert rows[-1]["dense_macs"] is None
    assert rows[-1]["weights"] == 1224
    assert "0 (0.00%)" in text


def test_refuses_a_shape_the_model_cannot_take():
    model = models.edsr(2, features=4, blocks=1)
    with pytest.raises(ValueError, match=r"'edsr' cannot take.*\(1, 8, 8, 4\)"):
        issp_keras.summary(model, (1, 8, 8, 4))
    assert model(np.zeros((1, 8, 8, 3))).shape == (1, 16, 16, 3)


@pytest.mark.parametrize("thing", [3, None, "model.keras"])
def test_refuses_what_is_no_model(thing):
    with pytest.raises(ArgumentError, match=r"`model`: is .*keras\.Model"):
        issp_keras.summary(thing)


def test_a_summary_prints_only_where_it_is_told_to(capsys):
    found = issp_keras.summary(models.edsr(2, features=4, blocks=1))
    assert capsys.readouterr().out == ""
    header, first, *_, total = str(found).splitlines()
    assert header.split()[:2] == ["kernel", "shape"]
    assert "3x3x3x4" in first
    assert total.startswith("total")
    assert "1,224" in found._repr_html_()
