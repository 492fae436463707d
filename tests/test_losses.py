import keras
import numpy as np
import pytest
from keras import ops

from issp_keras import models
from issp_keras.losses import L1FFT
from issp_keras.losses import Distillation

RNG = np.random.default_rng(0)
HR, SR = RNG.random((2, 2, 6, 5, 3)).astype("float32")


def _reference(hr, sr, weight):
    """The loss of SAFMN in float64: channels first, real beside imaginary."""
    hr, sr = (
        array.astype("float64").transpose(0, 3, 1, 2) for array in (hr, sr)
    )
    pixels = np.abs(sr - hr).mean()
    frequencies = np.fft.rfft2(sr) - np.fft.rfft2(hr)
    parts = np.stack([frequencies.real, frequencies.imag], axis=-1)
    return pixels + weight * np.abs(parts).mean()


@pytest.mark.parametrize("weight", [0, 0.05, 2.0])
@pytest.mark.parametrize("shape", [(6, 5), (5, 6), (1, 1), (4, 4)])
def test_l1_fft_is_the_error_of_pixels_and_of_frequencies(weight, shape):
    hr, sr = RNG.random((2, 2, *shape, 3)).astype("float32")
    found = float(L1FFT(weight)(hr, sr))
    assert found == pytest.approx(_reference(hr, sr, weight), rel=1e-5)


def test_l1_fft_of_a_constant_error_is_that_of_the_zero_frequency():
    """One of 4 * 2 frequencies, that is 16 numbers, is 12 * 0.5 and real."""
    hr = np.zeros((1, 4, 3, 1), "float32")
    assert float(L1FFT(1.0)(hr, hr + 0.5)) == pytest.approx(0.5 + 6 / 16)


def test_l1_fft_is_float32_whatever_the_model_computes_in():
    half = ops.cast(ops.convert_to_tensor(SR), "bfloat16")
    loss = L1FFT()(HR, half)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    rounded = ops.convert_to_numpy(ops.cast(half, "float32"))
    expected = _reference(HR, rounded, 0.05)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_l1_fft_is_saved_and_loaded():
    loss = keras.losses.deserialize(keras.losses.serialize(L1FFT(0.1)))
    assert isinstance(loss, L1FFT)
    assert loss.weight == 0.1
    assert float(loss(HR, SR)) == float(L1FFT(0.1)(HR, SR))


def test_l1_fft_refuses_a_negative_weight():
    with pytest.raises(ValueError, match=r"at least 0\. Received: weight=-1"):
        L1FFT(-1)


@pytest.mark.versions
@pytest.mark.parametrize(
    ("policy", "jit_compile"),
    [
        ("float32", False),
        ("mixed_bfloat16", True),
        pytest.param("float32", True, marks=pytest.mark.long),
        pytest.param("mixed_bfloat16", False, marks=pytest.mark.long),
    ],
)
def test_fit_minimises_l1_fft(policy, jit_compile, tmp_path):
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        model = models.edsr(2, features=4, blocks=1)
    finally:
        keras.config.set_dtype_policy("float32")
    x = np.random.default_rng(0).random((4, 6, 6, 3)).astype("float32")
    y = np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)
    model.compile(keras.optimizers.Adam(0.01), L1FFT(), jit_compile=jit_compile)
    before = _reference(y, model.predict(x, verbose=0), 0.05)
    history = model.fit(x, y, epochs=20, batch_size=4, verbose=0).history
    assert history["loss"][0] == pytest.approx(before, rel=1e-2)
    assert history["loss"][-1] < 0.8 * before
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, L1FFT)


@pytest.mark.parametrize("loss", [keras.losses.MeanAbsoluteError(), L1FFT()])
@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_distillation_mixes_the_losses_against_hr_and_teacher(loss, weight):
    teacher = RNG.random(HR.shape).astype("float32")
    target = np.concatenate([HR, teacher], axis=-1)
    found = float(Distillation(loss, weight)(target, SR))
    fft = getattr(loss, "weight", 0)
    expected = (1 - weight) * _reference(HR, SR, fft)
    expected += weight * _reference(teacher, SR, fft)
    assert found == pytest.approx(expected, rel=1e-5)


def test_distillation_is_saved_and_loaded():
    loss = keras.losses.deserialize(
        keras.losses.serialize(Distillation(L1FFT(0.1), 0.3))
    )
    assert isinstance(loss, Distillation)
    assert (loss.weight, loss.loss.weight) == (0.3, 0.1)


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_distillation_refuses_a_weight_that_is_no_share(weight):
    with pytest.raises(ValueError, match=f"Received: weight={weight}"):
        Distillation(L1FFT(), weight)
