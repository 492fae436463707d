"""Files for accelerators that refuse DEPTH_TO_SPACE."""

import graphs
import keras
import numpy as np
import pytest
from networks import small_pairs

from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.tflite import Reference
from issp_keras.tflite import export
from issp_keras.tflite import export_all
from issp_keras.tflite import flatbuffer
from issp_keras.tflite.choices import PRECISIONS
from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.upsampling import replace_depth_to_space

UPSAMPLINGS = ("transposed_conv", "zero_stuffed_conv")
RNG = np.random.default_rng(0)
# Height and width in LR pixels.
SIZE = (10, 7)


@pytest.fixture(scope="module", params=[3, 4])
def network(request):
    """A network, and options of its exports. EDSR x4 shuffles twice."""
    keras.utils.set_random_seed(1)
    scale = request.param
    if scale == 4:
        model = models.edsr(4, features=16, blocks=1)
    else:
        model = models.plain(scale, features=16, blocks=1)
    pairs = small_pairs(scale)
    return model, {
        "reference": Reference(model, pairs),
        "calibration": [pair.lr for pair in pairs],
        "ranges": "min_max",
        "height": SIZE[0],
        "width": SIZE[1],
    }


def _kinds(path):
    graph = Graph(flatbuffer.read(path))
    return [graph.kind(operator) for operator in graph.operators]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_value_differs_from_depth_to_space(network, precision, tmp_path):
    model, options = network
    image = RNG.random((1, *SIZE, 3), np.float32)
    outputs = {}
    for upsampling in ("depth_to_space", *UPSAMPLINGS):
        path = tmp_path / f"{upsampling}.tflite"
        export(model, path, precision, False, upsampling=upsampling, **options)
        has_old = "DEPTH_TO_SPACE" in _kinds(path)
        assert has_old == (upsampling == "depth_to_space")
        outputs[upsampling] = TFLiteInterpreter(path)(image)
    for upsampling in UPSAMPLINGS:
        np.testing.assert_array_equal(
            outputs[upsampling], outputs["depth_to_space"]
        )


def _shuffle(height, width, channels, scale):
    """A graph that only contains DEPTH_TO_SPACE."""
    graph = graphs.Graph((1, height, width, channels))
    output = graph.image(
        (1, scale * height, scale * width, channels // scale**2)
    )
    graph.operator("DEPTH_TO_SPACE", graph.inputs, output, blockSize=scale)
    return flatbuffer.parse(graph.write(output), "the graph")


def _run(model, image):
    interpreter = graphs.interpreter(flatbuffer.write(model))
    (output,) = graphs.run(interpreter, image)
    return output


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_channels_become_pixels_of_blocks(upsampling, scale):
    channels = 2 * scale**2
    model = _shuffle(2, 3, channels, scale)
    macs = replace_depth_to_space(model, upsampling)
    # The kernel has scale * scale * 2 weights for each input channel.
    uses = 2 * 3 if upsampling == "transposed_conv" else 2 * 3 * scale**2
    assert macs == scale**2 * 2 * channels * uses
    image = RNG.random((1, 2, 3, channels), np.float32)
    expected = image.reshape(2, 3, scale, scale, 2).transpose(0, 2, 1, 3, 4)
    np.testing.assert_array_equal(
        _run(model, image),
        expected.reshape(1, 2 * scale, 3 * scale, 2),
    )


def test_the_operators_are_those_that_were_promised():
    kinds = {}
    for upsampling in UPSAMPLINGS:
        model = _shuffle(2, 2, 12, 2)
        replace_depth_to_space(model, upsampling)
        graph = Graph(model)
        kinds[upsampling] = [graph.kind(each) for each in graph.operators]
    assert kinds == {
        "transposed_conv": ["TRANSPOSE_CONV"],
        "zero_stuffed_conv": ["RESIZE_NEAREST_NEIGHBOR", "MUL", "CONV_2D"],
    }


def test_float16_stores_the_new_constants_in_float16():
    model = _shuffle(2, 2, 12, 2)
    replace_depth_to_space(model, "zero_stuffed_conv", halves=True)
    graph = Graph(model)
    kinds = [graph.kind(each) for each in graph.operators]
    assert kinds == [
        "RESIZE_NEAREST_NEIGHBOR",
        "DEQUANTIZE",
        "MUL",
        "DEQUANTIZE",
        "CONV_2D",
    ]
    stored = [graph.stored(number) for number in range(len(graph.tensors))]
    halves = [
        each.size
        for each in stored
        if each is not None and each.dtype == np.float16
    ]
    assert halves == [4 * 4, 3 * 2 * 2 * 12]


def test_a_file_counts_what_the_replacement_costs(network, tmp_path):
    model, options = network
    path = tmp_path / "model.tflite"
    exported = export(
        model, path, sparse=False, upsampling="transposed_conv", **options
    )
    plain = export(model, tmp_path / "plain.tflite", sparse=False, **options)
    assert plain.upsampling_macs == 0
    assert "only turn channels" not in str(plain)
    assert exported.upsampling_macs > 0
    assert (
        exported.inspection.macs
        == plain.inspection.macs + exported.upsampling_macs
    )
    assert (
        f"{exported.upsampling_macs / 1e6:,.1f} M of its "
        f"{exported.inspection.macs / 1e6:,.1f} M multiply-adds only turn "
        "channels into pixels."
    ) in str(exported)
    # The new kernel of zeros and ones does not count as pruned.
    assert (
        exported.inspection.metadata["sparsity"]
        == plain.inspection.metadata["sparsity"]
    )


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_a_fixed_size_is_needed(upsampling, tmp_path):
    model = models.plain(2, features=4, blocks=1)
    reference = Reference(model, small_pairs(2))
    message = "upsampling.*needs a file of a fixed size"
    path = tmp_path / "model.tflite"
    with pytest.raises(InputError, match=message):
        export(model, path, upsampling=upsampling, reference=reference)
    with pytest.raises(InputError, match=message):
        export_all(model, tmp_path / "m", upsampling=upsampling)
    assert not list(tmp_path.iterdir())


def test_an_unknown_upsampling_is_named(tmp_path):
    model = models.plain(2, features=4, blocks=1)
    with pytest.raises(InputError, match="'shuffle', expected one of"):
        export(model, tmp_path / "model.tflite", upsampling="shuffle")
