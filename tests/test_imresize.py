import numpy as np
import pytest

from issp_keras import data

RNG = np.random.default_rng(0)


def test_imresize_leaves_a_flat_image_flat():
    image = np.full((8, 12, 3), 77, np.uint8)
    for scale in (1 / 2, 1 / 3, 1 / 4, 2, 3, 4):
        assert (data.imresize(image, scale) == 77).all()


def test_imresize_weighs_with_the_stretched_cubic_kernel():
    """Half of an impulse, by hand: the kernel at +-0.25, +-0.75, ..."""
    row = np.zeros((1, 16))
    row[0, 8] = 1.0
    distances = np.abs(np.arange(8) * 2 + 0.5 - 8) / 2
    near = 1.5 * distances**3 - 2.5 * distances**2 + 1
    far = -0.5 * distances**3 + 2.5 * distances**2 - 4 * distances + 2
    expected = np.where(distances <= 1, near, np.where(distances <= 2, far, 0))
    found = data.imresize(np.repeat(row, 2, axis=0), 0.5)
    np.testing.assert_allclose(found, expected[None] / 2, atol=1e-12)


def test_imresize_mirrors_at_the_borders():
    image = RNG.random((6, 6))
    mirrored = np.pad(image, 12, "symmetric")
    np.testing.assert_allclose(
        data.imresize(image, 0.5),
        data.imresize(mirrored, 0.5)[6:-6, 6:-6],
        atol=1e-12,
    )


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 3])
def test_imresize_rounds_8_bits_after_each_pass(scale):
    """Height first, then width; rounding once gives other pixels."""
    image = RNG.integers(0, 256, (12, 12), np.uint8)
    # What becomes of a row that is 1 among rows of 0 is a column of weights.
    rows = np.eye(12)[:, :, None] * np.ones(12)
    weights = np.stack([data.imresize(row, scale)[:, 0] for row in rows], 1)
    tall = np.clip(np.floor(weights @ image + 0.5), 0, 255)
    expected = np.clip(np.floor(tall @ weights.T + 0.5), 0, 255)
    np.testing.assert_array_equal(data.imresize(image, scale), expected)
    once = np.clip(np.floor(weights @ image @ weights.T + 0.5), 0, 255)
    assert (once != expected).any()


@pytest.mark.parametrize("folder", ["Set5", "Set14"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_imresize_reproduces_the_published_lr_files(shared_data, folder, scale):
    paths = sorted((shared_data / folder / "HR").iterdir())
    for path in paths:
        hr = data.crop_to_multiple(data.read_photograph(path).pixels, scale)
        lr = shared_data / folder / "LR_bicubic" / f"X{scale}"
        expected = data.read_photograph(lr / f"{path.stem}x{scale}.png").pixels
        np.testing.assert_array_equal(data.imresize(hr, 1 / scale), expected)


@pytest.mark.parametrize(
    ("image", "scale", "message"),
    [
        (np.zeros((4, 4)), 0, "scale=0"),
        (np.zeros(4), 2, "shape="),
        (np.zeros((4, 4), int), 2, "dtype=int64"),
    ],
)
def test_imresize_refuses_what_is_no_image(image, scale, message):
    with pytest.raises(ValueError, match=message):
        data.imresize(image, scale)
