"""Random training patches. The step number determines each batch."""

import concurrent.futures
from typing import Any

import keras
import numpy as np

from issp_keras.data.pairs import Pair
from issp_keras.data.photographs import to_rgb
from issp_keras.data.turns import TURNS
from issp_keras.data.turns import turn
from issp_keras.extras import needed_by


class RandomPatches:
    """Batches of random LR/HR patches, flipped and rotated.

    Each pass shuffles the photographs and takes one patch of each. The
    position of the patch is drawn uniformly, and so is one of the 8 flips and
    rotations. The batch of step n only depends on `seed` and n. So a training
    that resumes at step n gets the same batches, on every backend.

    Only the pixels of the patches are read. LR and HR may be in files, as with
    `open_prepared`.

    If the pairs have outputs of a teacher, HR patches have 6 channels: HR, and
    the teacher's output at the same position with the same rotation.

    Args:
        pairs: List of `Pair` with one scale. LR has at least `patch_size`
            pixels in height and width. Either all pairs have a teacher, or
            none has.
        patch_size: Integer, height and width of an LR patch in pixels.
        batch_size: Integer, patches in a batch.
        seed: Integer of 32 bits.
        shard: Pair `(i, n)`: yield only the i-th of n equal parts of each
            batch, for process i of n. Defaults to the whole batch.

    Attributes:
        scale: Integer, the magnification from LR to HR.
        patch_size: Integer, height and width of an LR patch in pixels.
        lr: List of RGB images, one for each photograph.
        hr: List of images, `scale` times as large, with 3 channels, or 6 with
            a teacher.

    Raises:
        ValueError: If there is no photograph, a photograph is smaller than a
            patch, only some have a teacher, or n does not divide the batch
            size.
    """

    def __init__(
        self,
        pairs: list[Pair],
        patch_size: int,
        batch_size: int,
        seed: int,
        shard: tuple[int, int] = (0, 1),
    ):
        part, parts = shard
        if not pairs or batch_size % parts:
            raise ValueError(
                "There must be photographs, and all shards must have the same "
                f"number of patches. Received: {len(pairs)} photographs, "
                f"batch_size={batch_size}, shard={shard}"
            )
        for pair in pairs:
            if min(pair.lr.shape[:2]) < patch_size:
                raise ValueError(
                    f"LR of {pair.name} must have at least {patch_size} "
                    f"pixels each way. Received: shape={pair.lr.shape}"
                )
        if len({pair.teacher is None for pair in pairs}) > 1:
            raise ValueError(
                "Either all pairs must have a `teacher` or none. Without one: "
                f"{', '.join(p.name for p in pairs if p.teacher is None)}"
            )
        self.scale = pairs[0].scale
        self.patch_size = patch_size
        self.lr = [to_rgb(pair.lr) for pair in pairs]
        self.hr = [
            to_rgb(pair.hr)
            if pair.teacher is None
            else _Stack(to_rgb(pair.hr), pair.teacher)
            for pair in pairs
        ]
        self._batch_size = batch_size
        self._seed = seed
        share = batch_size // parts
        self._part = slice(part * share, (part + 1) * share)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the patches of one step.

        Args:
            step: Integer, the optimizer step, from 0 on.

        Returns:
            Pair `(lr, hr)` of uint8 arrays of shape (batch_size / n,
            patch_size, patch_size, 3) and (batch_size / n,
            scale * patch_size, scale * patch_size, 3), or 6 with a teacher.
        """
        size, scale = self.patch_size, self.scale
        places = self.places(step)
        lr = np.empty((len(places), size, size, 3), np.uint8)
        channels = self.hr[0].shape[-1]
        hr = np.empty(
            (len(places), scale * size, scale * size, channels), np.uint8
        )
        for i, (photograph, y, x, which) in enumerate(places.tolist()):
            for images, patches, s in ((self.lr, lr, 1), (self.hr, hr, scale)):
                cut = images[photograph][
                    s * y : s * (y + size), s * x : s * (x + size)
                ]
                _whole_pixels(patches[i])[...] = turn(_whole_pixels(cut), which)
        return lr, hr

    def places(self, step: int) -> np.ndarray:
        """Returns the positions of the patches of one step.

        Args:
            step: Integer, the optimizer step, from 0 on.

        Returns:
            int32 array of shape (batch_size / n, 4): the photograph's index,
            top and left in LR pixels, and the flip or rotation, an argument of
            `turn`.
        """
        size = self.patch_size
        numbers = self._random(0, step).random((self._batch_size, 3))
        places = []
        for photograph, (down, right, which) in zip(
            self._photographs(step)[self._part],
            numbers[self._part],
            strict=True,
        ):
            height, width = self.lr[photograph].shape[:2]
            y = int(down * (height - size + 1))
            x = int(right * (width - size + 1))
            places.append((photograph, y, x, int(TURNS * which)))
        return np.array(places, np.int32)

    def _photographs(self, step):
        """Returns the index of the photograph of each patch in a batch."""
        count = len(self.lr)
        places = np.arange(
            step * self._batch_size, (step + 1) * self._batch_size
        )
        orders = {
            number: self._random(1, number).permutation(count)
            for number in set(places // count)
        }
        return [orders[place // count][place % count] for place in places]

    def _random(self, stream, number):
        # A counter-based generator, which can begin at any step.
        bits = np.random.Philox(
            key=np.array([self._seed, stream], np.uint64),
            counter=np.array([0, 0, number, 0], np.uint64),
        )
        return np.random.Generator(bits)


class _Stack:
    """Images of one size, stacked along their channels after a crop.

    Attributes:
        shape: Tuple (height, width, channels).
    """

    ndim = 3

    def __init__(self, *images):
        self._images = images
        height, width = images[0].shape[:2]
        self.shape = (height, width, sum(image.shape[-1] for image in images))

    def __getitem__(self, place):
        cuts = [image[place] for image in self._images]
        return np.concatenate(cuts, axis=-1)


def _whole_pixels(pixels):
    """Views each pixel of an image as one value of several bytes.

    NumPy flips and transposes those more than twice as fast as single bytes.
    """
    return pixels.view(f"V{pixels.shape[-1]}")[..., 0]


def tf_patches(patches: RandomPatches, first_step: int, steps: int) -> Any:
    """Returns the batches of steps `first_step` to `steps - 1` by `tf.data`.

    Several threads make the batches in advance.

    Args:
        patches: `RandomPatches`.
        first_step: Integer, the first optimizer step, from 0 on.
        steps: Integer, the step before which the batches end.

    Returns:
        A `tf.data.Dataset` of batches `(lr, hr)`, float32 in 0..1.
    """
    with needed_by("tf_patches"):
        import tensorflow as tf

    shapes = [(None, *array.shape[1:]) for array in patches.batch(first_step)]

    def batch(step):
        arrays = tf.numpy_function(
            patches.batch, [step], (tf.uint8, tf.uint8), stateful=False
        )
        for array, shape in zip(arrays, shapes, strict=True):
            array.set_shape(shape)
        return tuple(tf.cast(array, tf.float32) / 255 for array in arrays)

    return (
        tf.data.Dataset.range(first_step, steps)
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


class PatchDataset(keras.utils.PyDataset):
    """Yields the batches of `tf_patches` to `fit` without TensorFlow.

    Threads make the batches in advance. Use it as `fit(dataset, shuffle=False,
    steps_per_epoch=...)`. Each epoch continues where the last one ended.

    Args:
        patches: `RandomPatches`.
        first_step: Integer, the step of the first batch.
        steps: Integer, the step after the last batch.
        ahead: Integer, the number of batches to make in advance. Defaults to
            `4`.
    """

    def __init__(
        self,
        patches: RandomPatches,
        first_step: int,
        steps: int,
        ahead: int = 4,
    ) -> None:
        super().__init__()
        self._patches = patches
        self._first_step = first_step
        self._steps = steps
        self._ahead = ahead
        self._threads = concurrent.futures.ThreadPoolExecutor(max(1, ahead))
        self._made: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._steps - self._first_step

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Returns a batch `(lr, hr)`, float32 in 0..1."""
        last = min(index + self._ahead, len(self) - 1)
        self._made = {
            i: self._made.get(i) or self._threads.submit(self._make, i)
            for i in range(index, last + 1)
        }
        return self._made[index].result()

    def _make(self, index):
        arrays = self._patches.batch(self._first_step + index)
        return tuple(
            np.divide(array, 255, dtype=np.float32) for array in arrays
        )
