import ctypes
import tracemalloc

import keras
import numpy as np
import pytest
from graphs import Graph
from networks import TINY

from issp_keras import data
from issp_keras import models
from issp_keras.data import imresize
from issp_keras.errors import InputError
from issp_keras.inference import DEFAULT
from issp_keras.inference import Network
from issp_keras.inference import load_network
from issp_keras.inference import tiles
from issp_keras.models import load_model
from issp_keras.tflite import encode_sparse
from issp_keras.tflite import export
from issp_keras.tflite import flatbuffer

RNG = np.random.default_rng(0)


def _nearest(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def _blur(images):
    """A network whose output depends on pixels up to two pixels away."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "edge")
    height, width = images.shape[1:3]
    return _nearest(
        sum(
            padded[:, y : y + height, x : x + width]
            for y in range(5)
            for x in range(5)
        )
        / 25
    )


@pytest.mark.versions
@pytest.mark.parametrize("shape", [(1, 1), (7, 12), (33, 50), (40, 9)])
def test_tiles_leave_no_seam(shape):
    pixels = RNG.integers(0, 256, (*shape, 3), np.uint8)
    whole = Network(_blur).upscale(pixels)
    tiled = Network(_blur, tile=12, overlap=2).upscale(pixels)
    assert whole.shape == (2 * shape[0], 2 * shape[1], 3)
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("shape", [(5, 9), (8, 8), (21, 30)])
def test_a_network_of_one_size_upscales_photographs_of_any(shape):
    def strict(images):
        assert images.shape == (1, 8, 10, 3)
        return _blur(images)

    pixels = RNG.integers(0, 256, (*shape, 3), np.uint8)
    result = Network(strict, size=(8, 10), overlap=2).upscale(pixels)
    assert result.shape == (2 * shape[0], 2 * shape[1], 3)
    expected = Network(_blur).upscale(pixels)
    if shape[0] >= 8 and shape[1] >= 10:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("model", "margin"),
    [
        # 2 blocks have 9 convolutions, which see 9 pixels far. 48 is the most.
        (models.edsr(2, features=4, blocks=2), 16),
        (models.edge_sr(2, width=8, blocks=3), 32),
        (TINY["swinir"](), 48),
    ],
)
def test_tiles_equal_the_whole_photograph(model, margin):
    """Tiles have 192 pixels, and overlap by the measured margin."""
    pixels = RNG.random((200, 260, 3), np.float32)
    calls = []

    def apply(images):
        calls.append(images.shape[1:3])
        return keras.ops.convert_to_numpy(model(images, training=False))

    whole = Network(apply, tile=0).upscale(pixels)
    del calls[:]
    network = Network(apply, tile=192)
    tiled = network.upscale(pixels)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)
    assert network._overlap <= margin
    assert max(height * width for height, width in calls) <= 192**2


def test_how_far_a_network_sees_is_measured():
    def shifted(far):
        """A network that sees `far` pixels to only one side."""

        def apply(images):
            padded = np.pad(
                images, ((0, 0), (0, 0), (max(0, far), max(0, -far)), (0, 0))
            )
            return _nearest(
                images + padded[:, :, max(0, -far) :][:, :, : images.shape[2]]
            )

        return apply

    assert tiles.reach(_nearest, 4, 64) == 0
    assert tiles.reach(_blur, 4, 65) == 2
    assert tiles.reach(shifted(-7), 4, 64) == 7
    assert tiles.reach(shifted(9), 4, 64) == 9
    assert tiles.reach(shifted(40), 4, 64) is None
    assert tiles.reach(lambda x: _nearest(x + x.mean()), 4, 64) is None


@pytest.mark.parametrize(
    "apply", [lambda x: _nearest(x * x.mean()), lambda x: _nearest(_far(x))]
)
def test_a_network_that_sees_too_far_is_told_of(apply, caplog):
    pixels = RNG.integers(0, 256, (80, 65, 3), np.uint8)
    Network(apply, tile=80).upscale(pixels)
    assert not caplog.records
    Network(apply, tile=64).upscale(pixels)
    assert "is larger than the 16 pixels" in caplog.text


def _far(images):
    return images + np.roll(images, -20, axis=2) / 8


def test_windows_lie_in_tiles_as_in_the_whole():
    """The network takes the mean over windows of 16 pixels."""

    def apply(images):
        _, height, width, _ = images.shape
        padding = [(0, 0), (0, -height % 16), (0, -width % 16), (0, 0)]
        padded = np.pad(images, padding, "reflect")
        rows, columns = (size // 16 for size in padded.shape[1:3])
        windows = padded.reshape(rows, 16, columns, 16, 3)
        means = np.broadcast_to(
            windows.mean(axis=(1, 3), keepdims=True), windows.shape
        ).reshape(padded.shape)
        return _nearest(means[:, :height, :width])

    pixels = RNG.random((100, 250, 3), np.float32)
    whole = Network(apply, tile=0).upscale(pixels)
    for tile in (64, 112):
        tiled = Network(apply, tile=tile).upscale(pixels)
        np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_tiles_may_be_larger_than_what_is_measured_else():
    """The network sees 200 pixels far, and tiles have 1024 pixels."""

    def apply(images):
        padded = np.pad(images, ((0, 0), (0, 0), (0, 200), (0, 0)))
        return _nearest(images + padded[:, :, 200:])

    pixels = RNG.random((8, 1300, 3), np.float32)
    whole = Network(apply, tile=0).upscale(pixels)
    tiled = Network(apply, tile=1024).upscale(pixels)
    np.testing.assert_array_equal(tiled, whole)


def test_memory_is_that_of_the_result_and_a_tile():
    pixels = np.zeros((600, 900, 3), np.uint8)
    network = Network(_nearest, tile=64, overlap=8)
    tracemalloc.start()
    result = network.upscale(pixels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Besides the result, a few float32 copies of one tile's output.
    assert most < result.nbytes + 10 * 4 * 3 * (2 * 64) ** 2


def test_real_photographs_in_tiles_equal_the_whole():
    """Uses the network of the package, and a photograph of scikit-image."""
    (photograph, *_) = data.find_source(data.EMBEDDED, "held_out", 1)
    pixels = photograph.read(1).hr.astype(np.float32) / 255
    whole = load_network(DEFAULT, tile=0).upscale(pixels)
    tiled = load_network(DEFAULT, tile=128).upscale(pixels)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="dtype=float64"):
        Network(_nearest).upscale(np.zeros((4, 4, 3)))


@pytest.mark.parametrize("shape", [(9, 12, 3), (50, 33)])
def test_a_self_ensemble_is_the_mean_of_8_turns(shape):
    def apply(images):
        # The result depends on the orientation of the image.
        return _nearest(images + np.roll(images, (1, 2), (1, 2)))

    pixels = RNG.random(shape, np.float32)
    found = Network(apply, overlap=4, self_ensemble=True).upscale(pixels)
    turned = [
        np.rot90(
            Network(apply).upscale(np.rot90(image, k)),
            -k,
        )
        for image in (pixels, pixels[:, ::-1])
        for k in range(4)
    ]
    turned[4:] = [image[:, ::-1] for image in turned[4:]]
    np.testing.assert_allclose(found, np.mean(turned, axis=0), atol=1e-6)


def test_a_self_ensemble_needs_tiles_that_can_be_turned():
    # The library names the argument, and programs the flag.
    message = "^`self_ensemble`: the network only takes 10x8 pixels"
    with pytest.raises(ValueError, match=message):
        Network(_nearest, size=(8, 10), self_ensemble=True)


@pytest.mark.versions
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_16_bits_and_floats_stay_what_they_are(shape):
    deep = RNG.integers(0, 65536, shape, np.uint16)
    found = Network(_nearest).upscale(deep)
    assert found.dtype == np.uint16
    np.testing.assert_allclose(
        found.astype(int), deep.repeat(2, 0).repeat(2, 1), atol=1
    )
    floats = RNG.random(shape, np.float32) * 3 - 1
    found = Network(_nearest).upscale(floats)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, floats.repeat(2, 0).repeat(2, 1), 1e-5)


def test_progress_is_told_tile_by_tile():
    told = []
    network = Network(_nearest, tile=8, overlap=1)
    network.upscale(
        np.zeros((20, 8, 3), np.uint8), lambda *done: told.append(done)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.versions
def test_a_delegate_that_cannot_be_loaded_is_refused(
    sparse_model_path, tmp_path
):
    path = tmp_path / "model.tflite"
    export(load_model(sparse_model_path), path)
    for delegate, problem in (
        (
            tmp_path / "no.so",
            "no such file, expected 'sparse', 'none' or",
        ),
        (path, "cannot be loaded"),
    ):
        with pytest.raises(InputError, match=f"`delegate`: .*: {problem}"):
            load_network(path, delegate=str(delegate))
    with pytest.raises(InputError, match=r"is for \.tflite files"):
        load_network(sparse_model_path, delegate="no.so")


@pytest.mark.versions
def test_a_delegate_is_given_to_the_interpreter(
    sparse_model_path, tmp_path, monkeypatch
):
    from ai_edge_litert import interpreter as litert

    path = tmp_path / "model.tflite"
    export(load_model(sparse_model_path), path)
    given = []
    make = litert.Interpreter

    def interpreter(experimental_delegates, **arguments):
        given.extend(experimental_delegates)
        return make(**arguments)

    monkeypatch.chdir(tmp_path)
    library = tmp_path / "sparse.so"
    library.touch()
    monkeypatch.setattr(ctypes, "CDLL", str)
    monkeypatch.setattr(litert, "load_delegate", lambda path: f"from {path}")
    monkeypatch.setattr(litert, "Interpreter", interpreter)
    assert load_network(path, delegate="sparse.so").scale == 2
    assert given == [f"from {library}"]


def test_a_grey_photograph_stays_grey():
    pixels = RNG.integers(0, 256, (6, 5), np.uint8)
    result = Network(_nearest).upscale(pixels)
    np.testing.assert_array_equal(result, pixels.repeat(2, 0).repeat(2, 1))


def test_outputs_are_rounded_and_clipped_to_8_bits():
    def apply(images):
        return _nearest(images) + np.float32([-1, 0.4 / 255, 1])

    pixels = np.full((4, 4, 3), 100, np.uint8)
    assert (Network(apply).upscale(pixels) == [0, 100, 255]).all()


@pytest.mark.versions
def test_keras_and_tflite_files_give_the_same_photograph(
    sparse_model_path, tmp_path
):
    path = tmp_path / "model.tflite"
    export(load_model(sparse_model_path), path)
    pixels = imresize(RNG.integers(0, 256, (9, 11, 3), np.uint8), 3)
    networks = [load_network(path), load_network(sparse_model_path)]
    assert [network.scale for network in networks] == [2, 2]
    first, second = (n.upscale(pixels).astype(int) for n in networks)
    assert np.abs(first - second).max() <= 1


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
@pytest.mark.parametrize("content", [b"", b"none at all", b"PK\x03\x04" * 9])
def test_a_file_that_is_no_model_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"model\{suffix}: is not a"):
        load_network(path)


@pytest.mark.versions
@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
def test_half_a_model_is_refused(sparse_model_path, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    if suffix == ".tflite":
        export(load_model(sparse_model_path), path)
    else:
        path.write_bytes(sparse_model_path.read_bytes())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=rf"model\{suffix}: is not a"):
        load_network(path)


@pytest.mark.versions
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(tiny_edsr, tmp_path, number):
    model = keras.models.clone_model(tiny_edsr)
    kernel = model.get_layer("body.0.conv1").kernel
    kernel.assign(np.where(np.indices(kernel.shape)[0] == 1, number, 0))
    model.save(tmp_path / "model.keras")
    with pytest.raises(
        InputError, match=r"model\.keras: .*'body\.0\.conv1/kernel' are NaN"
    ):
        load_network(tmp_path / "model.keras")
    with pytest.raises(InputError, match="conv1/kernel' are NaN or infinite"):
        export(model, tmp_path / "model.tflite")
    assert not (tmp_path / "model.tflite").exists()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_tflite_file_with_weights_that_are_no_numbers_is_refused(
    sparse_model_path, tmp_path, number, precision, sparse
):
    path = tmp_path / "model.tflite"
    model = load_model(sparse_model_path)
    export(model, path, precision, sparse, tolerance=99)
    broken = flatbuffer.read(path)
    (graph,) = broken.subgraphs
    dtype = {"float32": np.float32, "float16": np.float16}[precision]
    tensor = next(
        of
        for of in graph.tensors
        if (stored := flatbuffer.values(broken, of)) is not None
        and stored.dtype == dtype
        and stored.size > 64
    )
    stored = flatbuffer.values(broken, tensor).copy()
    stored[5] = number
    broken.buffers[tensor.buffer].data = stored.view(np.uint8)
    path.write_bytes(flatbuffer.write(broken))
    what = "NaN" if np.isnan(number) else "infinite weights"
    sentence = rf"model\.tflite: tensor '[a-z].*' holds {what}, expected "
    with pytest.raises(InputError, match=sentence):
        load_network(path)
    with pytest.raises(InputError, match=sentence):
        encode_sparse(path, tmp_path / "sparse.tflite")
    assert not (tmp_path / "sparse.tflite").exists()


def test_a_scale_that_is_no_number_is_refused(tmp_path):
    graph = Graph((1, 4, 4, 3))
    kernel = graph.constant(np.ones((3, 1, 1, 3), np.int8), [1, np.nan, 1])
    path = tmp_path / "model.tflite"
    path.write_bytes(graph.write(graph.convolution(kernel, (1, 4, 4, 3))))
    with pytest.raises(InputError, match="holds a scale that is NaN"):
        flatbuffer.check_constants(path)


def test_an_infinite_bound_is_no_weight(tmp_path):
    graph = Graph((1, 4, 4, 3))
    bound = graph.constant(np.array([np.inf], np.float32))
    output = graph.operator(
        "MINIMUM", [graph.inputs[0], bound], graph.image((1, 4, 4, 3))
    )
    path = tmp_path / "model.tflite"
    path.write_bytes(graph.write(output))
    flatbuffer.check_constants(path)


@pytest.mark.parametrize("suffix", [".keras", ".tflite"])
def test_a_missing_model_is_refused(tmp_path, suffix):
    with pytest.raises(InputError, match="no such file"):
        load_network(tmp_path / f"model{suffix}")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not")
@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        keras.Sequential(
            [keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3)]
        ),
        keras.Sequential([keras.Input((8, 8, 4)), keras.layers.Conv2D(3, 3)]),
        keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()]),
        keras.Sequential([keras.layers.Conv2D(3, 3)]),
    ],
)
def test_a_model_of_something_else_is_refused(model, tmp_path):
    path = tmp_path / "other.keras"
    model.save(path)
    with pytest.raises(
        InputError, match=r"other\.keras: is not a super-resolution network: \w"
    ):
        load_network(path)


def test_a_tflite_file_of_something_else_is_refused(tmp_path):
    import tensorflow as tf

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path = tmp_path / "other.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    with pytest.raises(InputError, match=r"other\.tflite: expected one input"):
        load_network(path)
