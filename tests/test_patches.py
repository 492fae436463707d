import numpy as np

from issp_keras import data

RNG = np.random.default_rng(0)


def _photographs():
    """Every pixel tells its place: red is the row, green the column."""
    result = []
    for blue, (height, width) in enumerate([(20, 30), (26, 18)]):
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([y, x, np.full_like(y, blue)], axis=-1)
        result.append(data.Photograph(str(blue), pixels.astype(np.uint8)))
    return result


def _batches(photographs, steps, seed=0, first_step=0):
    return [
        tuple(array.numpy() for array in batch)
        for batch in data.random_patches(
            photographs, 2, 4, 3, steps, seed, first_step
        )
    ]


def test_patches_have_the_promised_shape_and_range():
    batches = _batches(_photographs(), 5)
    assert len(batches) == 5
    for lr, hr in batches:
        assert (lr.shape, hr.shape) == ((3, 4, 4, 3), (3, 8, 8, 3))
        assert (lr.dtype, hr.dtype) == (np.float32, np.float32)
        assert min(lr.min(), hr.min()) >= 0
        assert max(lr.max(), hr.max()) <= 1


def test_patches_of_lr_and_hr_show_the_same_place_and_turn():
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    for lr, hr in _batches([data.Photograph("noise", noise)], 8):
        for small, large in zip(lr, hr, strict=True):
            pixels = np.rint(large * 255).astype(np.uint8)
            again = data.imresize(pixels, 0.5)[1:-1, 1:-1] / 255
            # Away from the border, where the patch lacks its surroundings.
            error = np.abs(again - small[1:-1, 1:-1]).mean()
            assert error < 0.05


def test_patches_come_from_every_photograph_place_and_turn():
    hr = np.concatenate([hr for _, hr in _batches(_photographs(), 80)])
    hr = np.rint(hr * 255).astype(int)
    assert set(hr[:, 0, 0, 2]) == {0, 1}
    turns = {
        tuple(np.sign(patch[1, 0, :2] - patch[0, 0, :2]))
        + tuple(np.sign(patch[0, 1, :2] - patch[0, 0, :2]))
        for patch in hr
    }
    assert len(turns) == 8
    for blue, (height, width) in enumerate([(20, 30), (26, 18)]):
        corners = hr[hr[:, 0, 0, 2] == blue][..., :2].min(axis=(1, 2))
        assert set(corners[:, 0]) == set(range(0, height - 7, 2))
        assert set(corners[:, 1]) == set(range(0, width - 7, 2))


def test_patches_of_a_step_depend_on_the_seed_and_the_step_alone():
    whole = _batches(_photographs(), 6)
    rest = _batches(_photographs(), 6, first_step=4)
    other = _batches(_photographs(), 6, seed=1)
    assert len(rest) == 2
    for found, expected in zip(rest, whole[4:], strict=True):
        np.testing.assert_array_equal(found[1], expected[1])
    assert not np.array_equal(whole[0][1], other[0][1])


def test_grey_photographs_train_as_rgb():
    grey = data.Photograph("grey", np.full((16, 16), 51, np.uint8))
    ((lr, hr),) = _batches([grey], 1)
    np.testing.assert_allclose(lr, 0.2, rtol=1e-6)
    np.testing.assert_allclose(hr, 0.2, rtol=1e-6)
