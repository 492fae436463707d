import dataclasses
import re

import keras
import numpy as np
import pytest

from issp_keras import data

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _pairs():
    """Pairs whose colours are positions: red is the row, green the column."""
    result = []
    for blue, (height, width) in enumerate([(20, 30), (26, 18)]):
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([y, x, np.full_like(y, blue)], axis=-1)
        photograph = data.Photograph(str(blue), pixels.astype(np.uint8))
        result.append(data.make_pair(photograph, 2))
    return result


def _patches(pairs=None, batch_size=3, seed=0, shard=(0, 1)):
    return data.RandomPatches(pairs or _pairs(), 4, batch_size, seed, shard)


def test_patches_have_the_promised_shape():
    lr, hr = _patches().batch(7)
    assert (lr.shape, hr.shape) == ((3, 4, 4, 3), (3, 8, 8, 3))
    assert (lr.dtype, hr.dtype) == (np.uint8, np.uint8)


def test_patches_of_lr_and_hr_show_the_same_place_and_turn():
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    patches = _patches([data.make_pair(data.Photograph("noise", noise), 2)])
    for step in range(8):
        for small, large in zip(*patches.batch(step), strict=True):
            # Only inside: at the border, the patch lacks its surroundings.
            again = data.imresize(large, 0.5)[1:-1, 1:-1].astype(int)
            assert np.abs(again - small[1:-1, 1:-1]).mean() < 0.05 * 255


def test_patches_come_from_every_place_and_turn():
    patches = _patches()
    hr = np.concatenate([patches.batch(step)[1] for step in range(80)])
    hr = hr.astype(int)
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


def test_photographs_are_shuffled_anew_for_each_pass():
    flat = [np.full((8, 8, 3), i, np.uint8) for i in range(5)]
    pairs = [
        data.make_pair(data.Photograph(str(i), pixels), 2)
        for i, pixels in enumerate(flat)
    ]
    patches = _patches(pairs)
    order = np.concatenate(
        [patches.batch(step)[1][:, 0, 0, 0] for step in range(20)]
    )
    passes = {tuple(order[i : i + 5]) for i in range(0, 60, 5)}
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len(passes) > 6


def test_patches_of_a_step_depend_on_the_seed_and_the_step_alone():
    first, other = _patches(), _patches(seed=1)
    for step in (5, 2, 10**6):
        np.testing.assert_array_equal(
            first.batch(step)[1], _patches().batch(step)[1]
        )
    assert not np.array_equal(first.batch(5)[1], first.batch(6)[1])
    assert not np.array_equal(first.batch(5)[1], other.batch(5)[1])


def test_shards_are_the_parts_of_a_batch():
    whole = _patches(batch_size=4).batch(3)
    parts = [_patches(batch_size=4, shard=(i, 2)).batch(3) for i in (0, 1)]
    for i, array in enumerate(whole):
        np.testing.assert_array_equal(
            array, np.concatenate([part[i] for part in parts])
        )


@pytest.mark.parametrize(
    ("pairs", "patch_size", "batch_size", "message"),
    [
        ([], 4, 4, "Received: 0 photographs"),
        (_pairs(), 4, 3, "batch_size=3, shard=(0, 2)"),
        (_pairs(), 11, 4, "LR of 0 must have at least 11 pixels"),
    ],
)
def test_what_makes_no_patches_is_refused(
    pairs, patch_size, batch_size, message
):
    with pytest.raises(ValueError, match=re.escape(message)):
        data.RandomPatches(pairs, patch_size, batch_size, 0, shard=(0, 2))


def test_grey_photographs_train_as_rgb():
    grey = data.Photograph("grey", np.full((16, 16), 51, np.uint8))
    lr, hr = _patches([data.make_pair(grey, 2)]).batch(0)
    assert (lr == 51).all()
    assert (hr == 51).all()


def _taught(pairs):
    """Pairs whose teacher image is the negative of HR."""
    return [
        dataclasses.replace(pair, teacher=255 - data.to_rgb(pair.hr))
        for pair in pairs
    ]


def test_a_teacher_shows_the_same_place_and_turn_in_three_more_channels():
    plain, taught = _patches(), _patches(_taught(_pairs()))
    for step in range(8):
        (lr, hr), (same, both) = plain.batch(step), taught.batch(step)
        np.testing.assert_array_equal(same, lr)
        np.testing.assert_array_equal(both[..., :3], hr)
        np.testing.assert_array_equal(both[..., 3:], 255 - hr)


def test_a_teacher_of_some_photographs_only_is_refused():
    first, second = _pairs()
    with pytest.raises(ValueError, match=r"or none\. Without one: 1"):
        _patches([*_taught([first]), second])


@pytest.mark.parametrize("has_teacher", [False, True])
def test_tf_data_and_keras_data_sets_give_the_same_batches(has_teacher):
    pytest.importorskip("tensorflow")
    patches = _patches(_taught(_pairs()) if has_teacher else None)
    found = list(data.tf_patches(patches, 4, 10).as_numpy_iterator())
    assert len(found) == 6
    sequence = data.PatchDataset(patches, 4, 10)
    assert len(sequence) == 6
    batches = [sequence[i] for i in range(6)]
    for step, (one, other) in enumerate(zip(found, batches, strict=True), 4):
        expected = patches.batch(step)
        for a, b, exact in zip(one, other, expected, strict=True):
            assert a.dtype == b.dtype == np.float32
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(np.rint(a * 255), exact)


@pytest.mark.parametrize("ahead", [0, 3, 20])
def test_fit_gets_the_steps_in_order_from_a_keras_data_set(ahead):
    """The loss of each step shows which patches it used."""
    patches = _patches()
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    losses = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(float(logs["loss"]))

    class MeanOfHR(data.PatchDataset):
        def __getitem__(self, index):
            lr, hr = super().__getitem__(index)
            return lr, hr.mean(axis=(1, 2, 3))[:, None]

    model.compile(keras.optimizers.SGD(0.0), "mae")
    model.fit(
        MeanOfHR(patches, 2, 11, ahead),
        epochs=4,
        initial_epoch=1,
        steps_per_epoch=3,
        shuffle=False,
        verbose=0,
        callbacks=[Losses()],
    )
    kernel = keras.ops.convert_to_numpy(model.weights[0])
    expected = []
    for step in range(2, 11):
        lr, hr = (array / 255 for array in patches.batch(step))
        error = np.abs(
            lr.mean(axis=(1, 2)) @ kernel - hr.mean((1, 2, 3))[:, None]
        )
        expected.append(error.mean())
    # Keras reports the mean over the batches of the epoch so far.
    means = np.cumsum(np.reshape(expected, (3, 3)), axis=1) / [1, 2, 3]
    np.testing.assert_allclose(losses, means.ravel(), rtol=1e-4)
