import numpy as np
import pytest

from issp_keras import data

RNG = np.random.default_rng(0)


def test_imresize_leaves_a_flat_image_flat():
    image = np.full((8, 12, 3), 77, np.uint8)
    for scale in (1 / 2, 1 / 3, 1 / 4, 2, 3, 4):
        assert (data.imresize(image, scale) == 77).all()


def test_imresize_weighs_with_the_stretched_cubic_kernel():
    """Halves an impulse, by hand: the kernel at +-0.25, +-0.75, ..."""
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


def test_imresize_repeats_the_border_as_older_matlab_did():
    image = RNG.random((6, 6))
    repeated = np.pad(image, 12, "edge")
    np.testing.assert_allclose(
        data.imresize(image, 0.5, border="repeat"),
        data.imresize(repeated, 0.5)[6:-6, 6:-6],
        atol=1e-12,
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9, 3), (40, 2), (33, 47, 4)])
@pytest.mark.parametrize("scale", [1 / 4, 0.37, 1, 2, 3.5])
def test_imresize_takes_any_size_and_scale(shape, scale):
    """Compares it with an explicit sum over all pixels."""
    image = RNG.random(shape)

    def weights(size):
        stretch = min(scale, 1)
        result = np.zeros((int(np.ceil(scale * size)), size))
        for out, row in enumerate(result):
            centre = (out + 0.5) / scale - 0.5
            for tap in range(-6 * size - 40, 7 * size + 40):
                x = abs(stretch * (centre - tap))
                if x <= 1:
                    weight = 1.5 * x**3 - 2.5 * x**2 + 1
                elif x <= 2:
                    weight = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
                else:
                    continue
                place = tap % (2 * size)
                row[min(place, 2 * size - 1 - place)] += weight
        return result / result.sum(axis=1, keepdims=True)

    tall = np.einsum("oi,iw...->ow...", weights(shape[0]), image)
    expected = np.einsum("oi,hi...->ho...", weights(shape[1]), tall)
    found = data.imresize(image, scale)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8, np.uint16])
def test_imresize_keeps_the_dtype_and_the_image(dtype):
    image = (100 * RNG.random((9, 7, 3))).astype(dtype)
    before = image.copy()
    found = data.imresize(image, 1 / 3)
    assert found.dtype == dtype
    np.testing.assert_array_equal(image, before)
    exact = data.imresize(image.astype(float), 1 / 3)
    atol = {np.float16: 0.1, np.float32: 1e-4, np.uint8: 1.5}.get(dtype, 1.5)
    np.testing.assert_allclose(found.astype(float), exact, atol=atol)


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 3])
def test_imresize_rounds_8_bits_after_each_pass(scale):
    """Height first, then width. Rounding only once gives other pixels."""
    image = RNG.integers(0, 256, (12, 12), np.uint8)
    # An image with one row of 1 among rows of 0 gives a column of weights.
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
    for photograph in data.find_pairs(shared_data / folder, scale):
        assert photograph.lr is not None
        pair = photograph.read(scale)
        found = data.imresize(pair.hr, 1 / scale)
        np.testing.assert_array_equal(found, pair.lr)


@pytest.mark.parametrize(
    ("image", "scale", "message"),
    [
        (np.zeros((4, 4)), 0, "scale=0"),
        (np.zeros(4), 2, "shape="),
        (np.zeros((4, 0)), 2, "shape="),
        (np.zeros((4, 4), int), 2, "dtype=int64"),
    ],
)
def test_imresize_refuses_what_is_no_image(image, scale, message):
    with pytest.raises(ValueError, match=message):
        data.imresize(image, scale)


def test_imresize_refuses_another_border():
    with pytest.raises(ValueError, match="border='wrap'"):
        data.imresize(np.zeros((4, 4)), 2, border="wrap")


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 0.7])
@pytest.mark.parametrize("border", ["mirror", "repeat"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tf_imresize_equals_imresize(scale, border, dtype):
    tf = pytest.importorskip("tensorflow")
    images = (255 * RNG.random((2, 12, 24, 3))).astype(dtype)
    expected = [data.imresize(image, scale, border) for image in images]
    found = data.tf_imresize(tf.constant(images), scale, border)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_tf_imresize_makes_lr_patches_in_a_pipeline():
    """The patches are float. The size of some is only known at run time."""
    tf = pytest.importorskip("tensorflow")
    patches = RNG.random((4, 16, 16, 3), np.float32)
    for shape in ((16, 16, 3), (None, None, 3)):
        batches = (
            tf.data.Dataset.from_tensor_slices(patches)
            .map(lambda hr, shape=shape: tf.ensure_shape(hr, shape))
            .map(lambda hr: (data.tf_imresize(hr, 1 / 4), hr))
            .batch(4)
        )
        ((lr, hr),) = batches
        np.testing.assert_array_equal(hr, patches)
        expected = [data.imresize(patch, 1 / 4) for patch in patches]
        np.testing.assert_allclose(lr, expected, atol=1e-5)


def test_tf_imresize_refuses_what_is_no_image():
    pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match=r"shape=\(4, 4\)"):
        data.tf_imresize(np.zeros((4, 4)), 2)
    with pytest.raises(ValueError, match=r"dtype=.*int64"):
        data.tf_imresize(np.zeros((4, 4, 3), int), 2)
