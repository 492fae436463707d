import keras
import numpy as np
import pytest

from issp_keras import models
from issp_keras.data import imresize
from issp_keras.errors import InputError
from issp_keras.inference import Network
from issp_keras.inference import load_network
from issp_keras.models import load_model
from issp_keras.tflite import export

RNG = np.random.default_rng(0)


def _nearest(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def _blur(images):
    """A network that looks two pixels far."""
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


def test_tiles_of_a_real_network_leave_no_seam():
    model = models.edsr(2, features=4, blocks=1)
    pixels = RNG.integers(0, 256, (50, 70, 3), np.uint8)

    def apply(images):
        return model(images, training=False).numpy()

    whole = Network(apply).upscale(pixels).astype(int)
    tiled = Network(apply, tile=32, overlap=8).upscale(pixels)
    assert np.abs(whole - tiled).max() <= 1


def test_a_grey_photograph_stays_grey():
    pixels = RNG.integers(0, 256, (6, 5), np.uint8)
    result = Network(_nearest).upscale(pixels)
    np.testing.assert_array_equal(
        result, _nearest(pixels[None, ..., None])[0, ..., 0]
    )


def test_outputs_are_rounded_and_clipped_to_8_bits():
    def apply(images):
        return _nearest(images) + np.float32([-1, 0.4 / 255, 1])

    pixels = np.full((4, 4, 3), 100, np.uint8)
    assert (Network(apply).upscale(pixels) == [0, 100, 255]).all()


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
    with pytest.raises(
        InputError, match=r"other\.tflite: expected one float32"
    ):
        load_network(path)
