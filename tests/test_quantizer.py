"""The ranges of activations for int8, and the choice between them."""

import keras
import numpy as np
import pytest
from networks import small_pairs

from issp_keras import models
from issp_keras.activation_ranges import ActivationRanges
from issp_keras.activation_ranges import attach
from issp_keras.callbacks import SimulatedInt8
from issp_keras.callbacks import prunable_kernels
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.sparsity import Block
from issp_keras.sparsity import Kernel
from issp_keras.tflite import Reference
from issp_keras.tflite import export
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import ranges

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _options(model, **more):
    return {
        "reference": Reference(model, small_pairs()),
        "calibration": [pair.lr for pair in small_pairs()],
        **more,
    }


def _scale(path, name):
    """The scale of a layer's output, the last tensor with its name."""
    (graph,) = flatbuffer.read(path).subgraphs
    return [
        tensor.quantization.scale[0]
        for tensor in graph.tensors
        if flatbuffer.name(tensor) == name and tensor.type == 9
    ][-1]


def test_the_range_of_extremes_holds_zero_and_all_values():
    assert ranges.min_max(np.array([0.5, 2.0])) == (0, 2)
    assert ranges.min_max(np.array([-3.0, -1.0])) == (-3, 0)


def test_a_percentile_leaves_out_a_rare_value():
    values = np.append(np.linspace(-1, 1, 100_000), 50)
    low, high = ranges.percentile(values)
    assert -1 < low < -0.99
    assert 0.99 < high < 1


def test_least_squares_clips_a_rare_value_where_that_pays():
    values = np.append(RNG.normal(size=100_000), 8.0)
    low, high = ranges.least_squares(values)
    assert high < 7
    assert low == pytest.approx(values.min(), rel=0.35)


def test_least_squares_keeps_a_range_whose_ends_are_common():
    assert ranges.least_squares(RNG.random(10_000))[1] > 0.99
    assert ranges.least_squares(np.zeros(4)) == (0, 0)


def test_every_way_gives_a_file_and_the_best_is_none_of_the_worse(tmp_path):
    model = models.plain(2, features=4, blocks=1)
    # The last channel has a large bias.
    first = model.get_layer("conv_first")
    first.bias.assign([0, 0, 0, 3.0])
    errors = {}
    for way in ("best", "min_max", "percentile", "mse"):
        path = tmp_path / f"{way}.tflite"
        export(model, path, "int8", **_options(model, ranges=way))
        run = TFLiteInterpreter(path)
        errors[way] = sum(
            np.square(
                run(image[None])
                - np.clip(model.predict(image[None], verbose=0), 0, 1)
            ).mean()
            for image in (
                pair.lr.astype(np.float32) / 255 for pair in small_pairs()
            )
        )
    assert errors["best"] <= 1.001 * min(errors.values())


def test_ranges_of_a_training_are_taken_where_they_lose_least(
    tmp_path, monkeypatch
):
    model = models.plain(2, features=4, blocks=1)
    attached = ActivationRanges(["conv_first"])
    attached.numbers["conv_first"].assign([0, 40.0, 1])
    attach(model, attached)
    path = tmp_path / "sr.tflite"
    export(model, path, "int8", **_options(model))
    # The range of the training is far too wide, so calibration's is better.
    assert _scale(path, "conv_first") < 0.1
    monkeypatch.setattr(
        "issp_keras.tflite.quantizer._loss",
        lambda *_: (
            lambda model: (
                -max(
                    tensor.quantization.scale.max()
                    for tensor in model.subgraphs[0].tensors
                    if tensor.type == 9
                )
            )
        ),
    )
    export(model, path, "int8", tolerance=99, **_options(model))
    assert _scale(path, "conv_first") == pytest.approx(40 / 255)


def test_refuses_a_way_that_is_none(tmp_path):
    model = models.plain(2, features=4, blocks=1)
    with pytest.raises(InputError, match="`ranges`: is 'all', expected one of"):
        export(model, tmp_path / "x.tflite", "int8", ranges="all")


def test_blocks_of_input_channels_are_stored_as_blocks_in_int8(tmp_path):
    model = models.plain(2, features=16, blocks=1)
    for variable in prunable_kernels(model):
        facts = Kernel(0, "", tuple(variable.shape), (2,), (3,))
        scores = keras.ops.convert_to_tensor(RNG.random(variable.shape))
        (mask,) = Block(inputs=4).unimportant(
            [facts], [scores], [int(0.9 * facts.size)]
        )
        variable.assign(keras.ops.where(mask, 0.0, variable))
    dense, sparse = (
        tmp_path / f"{name}.tflite" for name in ("dense", "sparse")
    )
    export(model, dense, "int8", sparse=False, **_options(model))
    export(model, sparse, "int8", **_options(model))
    stored = [
        tensor.sparsity
        for tensor in flatbuffer.read(sparse).subgraphs[0].tensors
        if tensor.sparsity is not None
    ]
    # The first layer has 3 input channels, so it has no blocks.
    blocked = [of for of in stored if of.blockMap is not None]
    assert len(blocked) == 3
    for of in blocked:
        assert of.blockMap.tolist() == [3]
        assert of.dimMetadata[-1].denseSize == 4
    image = small_pairs()[0].lr[None].astype(np.float32) / 255
    np.testing.assert_array_equal(
        TFLiteInterpreter(dense)(image), TFLiteInterpreter(sparse)(image)
    )


class _Outputs(keras.callbacks.Callback):
    """Keeps the network's output for an image while int8 is simulated."""

    def __init__(self, image):
        super().__init__()
        self.image = image

    def on_epoch_end(self, epoch, logs=None):
        self.output = keras.ops.convert_to_numpy(self.model(self.image))


def test_training_sees_errors_as_large_as_those_of_the_file(tmp_path):
    model = models.plain(2, features=8, blocks=2)
    model.get_layer("head").kernel.assign(
        RNG.normal(0, 0.05, model.get_layer("head").kernel.shape)
    )
    model.compile(keras.optimizers.SGD(0.0), "mae")
    images = np.stack([pair.lr for pair in small_pairs()]) / np.float32(255)
    outputs = _Outputs(images[:1])
    model.fit(
        images,
        images.repeat(2, 1).repeat(2, 2),
        epochs=3,
        verbose=0,
        callbacks=[SimulatedInt8(momentum=0.0), outputs],
    )
    path = tmp_path / "sr.tflite"
    export(model, path, "int8", **_options(model, ranges="min_max"))
    made = TFLiteInterpreter(path)(images[:1])
    simulated = np.clip(outputs.output, 0, 1)
    in_float = np.clip(model.predict(images[:1], verbose=0), 0, 1)
    # Values between two levels may be rounded either way, so the errors are
    # similar but not equal. The file also rounds to 8 bits.
    simulated_error = np.square(simulated - in_float).mean()
    error = np.square(made - in_float).mean() - 1 / 255**2 / 12
    assert simulated_error == pytest.approx(error, rel=0.3)
