"""Random training patches through `tf.data`."""

import numpy as np

from issp_keras.data.imresize import imresize
from issp_keras.data.photographs import Photograph
from issp_keras.data.photographs import crop_to_multiple
from issp_keras.data.photographs import to_rgb


def random_patches(
    photographs: list[Photograph],
    scale: int,
    patch_size: int,
    batch_size: int,
    steps: int,
    seed: int,
    first_step: int = 0,
    shard: tuple[int, int] = (0, 1),
):
    """Makes batches of random LR/HR patches, flipped and rotated.

    The LR photographs come from the HR ones by MATLAB's bicubic `imresize`.
    Each patch is drawn uniformly: the photograph, the place, and one of the
    8 flips and rotations. What step n yields depends on `seed` and n alone,
    so a training that resumes at step n sees what it would have seen.

    Args:
        photographs: List of `Photograph`, of at least
            `scale * patch_size` pixels in height and width.
        scale: Integer, the magnification.
        patch_size: Integer, height and width of an LR patch in pixels.
        batch_size: Integer, patches in a batch.
        steps: Integer, one past the last step.
        seed: Integer.
        first_step: Integer, the first step. Defaults to `0`.
        shard: Pair `(i, n)`: yield the i-th of n equal parts of each batch
            only, for process i of n. Defaults to the whole.

    Returns:
        A `tf.data.Dataset` of `steps - first_step` batches `(lr, hr)`:
        float32 in 0..1, of shape (batch_size / n, patch_size, patch_size, 3)
        and (batch_size / n, scale * patch_size, scale * patch_size, 3).
    """
    import tensorflow as tf

    hr = [crop_to_multiple(to_rgb(p.pixels), scale) for p in photographs]
    lr = [imresize(pixels, 1 / scale) for pixels in hr]
    sizes = tf.constant([pixels.shape[:2] for pixels in lr])
    cut_lr = _patch_cutter(lr, patch_size)
    cut_hr = _patch_cutter(hr, patch_size * scale)

    part, parts = shard
    share = batch_size // parts

    def draw(place):
        # From the place in this part of the batches to that in the whole.
        index = place // share * batch_size + part * share + place % share
        corner_seed, turn_seed = tf.unstack(
            tf.random.split([seed, index], 2), axis=0
        )
        unit = tf.random.stateless_uniform((3,), corner_seed)
        which = tf.cast(unit[0] * len(lr), tf.int32)
        room = tf.cast(sizes[which] - patch_size + 1, tf.float32)
        y, x = tf.unstack(tf.cast(unit[1:] * room, tf.int32))
        turn = tf.random.stateless_uniform((3,), turn_seed) < 0.5
        return (
            _flip_and_rotate(cut_lr(which, y, x), turn),
            _flip_and_rotate(cut_hr(which, scale * y, scale * x), turn),
        )

    indices = tf.data.Dataset.range(first_step * share, steps * share)
    return (
        indices.map(draw, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(share, drop_remainder=True)
        .map(_to_float, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def _patch_cutter(images, size):
    """Returns a function that cuts a square patch out of one of `images`."""
    import tensorflow as tf

    # One flat buffer, since images of different sizes make no tensor.
    pixels = tf.constant(np.concatenate([image.ravel() for image in images]))
    starts = np.cumsum([0] + [image.size for image in images[:-1]])
    starts = tf.constant(starts, tf.int64)
    row_lengths = tf.constant([3 * im.shape[1] for im in images], tf.int64)

    def cut(which, y, x):
        rows = tf.range(size, dtype=tf.int64) + tf.cast(y, tf.int64)
        columns = tf.range(3 * size, dtype=tf.int64) + 3 * tf.cast(x, tf.int64)
        places = starts[which] + rows[:, None] * row_lengths[which] + columns
        return tf.reshape(tf.gather(pixels, places), (size, size, 3))

    return cut


def _flip_and_rotate(patch, turn):
    """One of the 8 symmetries of a square, by three booleans."""
    import tensorflow as tf

    patch = tf.cond(turn[0], lambda: tf.reverse(patch, [0]), lambda: patch)
    patch = tf.cond(turn[1], lambda: tf.reverse(patch, [1]), lambda: patch)
    return tf.cond(
        turn[2], lambda: tf.transpose(patch, (1, 0, 2)), lambda: patch
    )


def _to_float(lr, hr):
    import tensorflow as tf

    return tf.cast(lr, tf.float32) / 255, tf.cast(hr, tf.float32) / 255
