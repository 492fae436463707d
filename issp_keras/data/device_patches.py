"""Random training patches that are cut on the device, under JAX."""

from typing import Any

import keras
import numpy as np

from issp_keras.data.patches import RandomPatches
from issp_keras.extras import needed_by

# The value of each of the 256 levels, as `PatchDataset` computes it.
_LEVELS = np.divide(np.arange(256, dtype=np.uint8), 255, dtype=np.float32)


class DevicePatches:
    """Holds all photographs in the memory of the device, and cuts there.

    The host says only where the patches lie, 16 bytes for each. The patches
    are those of `RandomPatches.batch`, bit for bit.

    Args:
        patches: `RandomPatches`, whose photographs are copied as a whole.

    Attributes:
        pixels: Dict of JAX arrays in the memory of the device: for `"lr"` and
            `"hr"` the pixels of all photographs, uint8 of shape (pixels, 3),
            or 6 for HR with a teacher, and where each photograph begins and
            how wide it is, int32 of shape (photographs,). Pass it to the
            compiled step as an argument, so that it is no constant of the
            program.

    Raises:
        ValueError: If the photographs have more pixels than 32 bits count.
    """

    def __init__(self, patches: RandomPatches):
        with needed_by("DevicePatches"):
            import jax

        self._patches = patches
        self._scale = patches.scale
        self._size = patches.patch_size
        images = {"lr": patches.lr, "hr": patches.hr}
        self.pixels = jax.device_put(
            {name: _joined(each) for name, each in images.items()}
        )

    def places(self, first_step: int, steps: int) -> np.ndarray:
        """Where the patches of some steps lie.

        Returns:
            int32 array of shape (steps, batch, 4), as
            `RandomPatches.places` has them.
        """
        return np.stack(
            [self._patches.places(first_step + i) for i in range(steps)]
        )

    def cut(self, pixels: Any, places: Any) -> tuple[Any, Any]:
        """Cuts the patches of one step, inside the compiled step.

        Args:
            pixels: What `self.pixels` is.
            places: int32 array of shape (batch, 4).

        Returns:
            Pair `(lr, hr)` of float32 arrays in 0..1, of the shapes of
            `RandomPatches.batch`.
        """
        lr = _cut(pixels["lr"], places, self._size, 1)
        hr = _cut(pixels["hr"], places, self._scale * self._size, self._scale)
        return lr, hr


class PlacesDataset(keras.utils.PyDataset):
    """Yields the places of the patches of several steps at once, for `fit`.

    Args:
        patches: `DevicePatches`.
        first_step: Integer, the step of the first patches.
        steps: Integer, one past the step of the last.
        at_once: Integer, how many steps an item has.
    """

    def __init__(
        self, patches: DevicePatches, first_step: int, steps: int, at_once: int
    ) -> None:
        super().__init__()
        self._patches = patches
        self._first_step = first_step
        self._steps = steps
        self._at_once = at_once

    def __len__(self) -> int:
        return (self._steps - self._first_step) // self._at_once

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        first = self._first_step + index * self._at_once
        return (self._patches.places(first, self._at_once),)


def _joined(images):
    """All pixels of images one after the other, and where each begins."""
    channels = images[0].shape[-1]
    arrays = [np.asarray(image[:, :]).reshape(-1, channels) for image in images]
    ends = np.cumsum([len(array) for array in arrays])
    if ends[-1] > np.iinfo(np.int32).max:
        raise ValueError(
            "Patches can be cut on the device from up to 2**31 pixels. "
            f"Received: {ends[-1]} pixels"
        )
    return {
        "pixels": np.concatenate(arrays),
        "begin": np.concatenate([[0], ends[:-1]]).astype(np.int32),
        "width": np.array([image.shape[1] for image in images], np.int32),
    }


def _cut(images, places, size, scale):
    import jax.numpy as jnp

    photograph, top, left, which = jnp.moveaxis(places, -1, 0)
    # As `turn` does it: the sides are exchanged last.
    row, column = jnp.mgrid[:size, :size]
    which = which[:, None, None]
    row, column = (
        jnp.where(which & 4, column, row),
        jnp.where(which & 4, row, column),
    )
    row = jnp.where(which & 1, size - 1 - row, row)
    column = jnp.where(which & 2, size - 1 - column, column)
    row = row + scale * top[:, None, None]
    column = column + scale * left[:, None, None]
    begin = images["begin"][photograph][:, None, None]
    width = images["width"][photograph][:, None, None]
    cut = images["pixels"][begin + row * width + column]
    # XLA would multiply by the reciprocal, which has other bits.
    return jnp.asarray(_LEVELS)[cut]
