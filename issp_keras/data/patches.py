"""Random training patches, by the number of the step."""

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

    The photographs are shuffled anew for each pass through them, and give
    one patch a pass, from a place drawn uniformly, in one of the 8 flips and
    rotations. What step n yields depends on `seed` and n alone, so a training
    that resumes at step n sees what it would have seen, on every backend.

    Only the pixels of the patches are read: LR and HR may be in files, as
    those of `open_prepared` are.

    Where the pairs have the outputs of a teacher, HR patches have 6 channels:
    those of HR, and those of the teacher at the same place, turned alike.

    Args:
        pairs: List of `Pair` of one scale, of at least `patch_size` LR pixels
            in height and width, all with a teacher or all without.
        patch_size: Integer, height and width of an LR patch in pixels.
        batch_size: Integer, patches in a batch.
        seed: Integer of 32 bits.
        shard: Pair `(i, n)`: yield the i-th of n equal parts of each batch
            only, for process i of n. Defaults to the whole.

    Attributes:
        scale: Integer, the magnification from LR to HR.
        patch_size: Integer, as given.
        lr: List of RGB images, one a photograph.
        hr: List of RGB images, `scale` times as large, or of images of 6
            channels.

    Raises:
        ValueError: If there is no photograph, one is smaller than a patch,
            some have a teacher and others none, or n does not divide the
            batch size.
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
                "There must be photographs, and as many patches for each "
                f"shard. Received: {len(pairs)} photographs, "
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
        """The patches of one step.

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
        """Where the patches of one step lie.

        Returns:
            int32 array of shape (batch_size / n, 4): the photograph, top and
            left in LR pixels, and the flip or rotation, as `turn` counts.
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
        """Which photograph each patch of a batch is from."""
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
        # A generator that can begin anywhere.
        bits = np.random.Philox(
            key=np.array([self._seed, stream], np.uint64),
            counter=np.array([0, 0, number, 0], np.uint64),
        )
        return np.random.Generator(bits)


class _Stack:
    """Images of one size as one of all their channels, cut before stacked.

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
    """A part of an image as (height, width) values of as many bytes.

    NumPy turns those more than twice as fast as single bytes.
    """
    return pixels.view(f"V{pixels.shape[-1]}")[..., 0]


def tf_patches(patches: RandomPatches, first_step: int, steps: int) -> Any:
    """The batches of steps `first_step` to `steps - 1` through `tf.data`.

    Several threads make them ahead.

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
    """The same batches for `fit` where TensorFlow is not installed.

    Threads make them ahead. Use it as `fit(dataset, shuffle=False,
    steps_per_epoch=...)`. An epoch goes on where the last one ended.

    Args:
        patches: `RandomPatches`.
        first_step: Integer, the step of the first batch.
        steps: Integer, one past the step of the last batch.
        ahead: Integer, how many batches are made ahead. Defaults to `4`.
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
