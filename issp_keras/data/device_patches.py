"""Random training patches, cut on the device with JAX."""

from typing import Any

import keras
import numpy as np

from issp_keras.data.patches import RandomPatches
from issp_keras.extras import needed_by

# The float value of each of the 256 levels, computed as in `PatchDataset`.
_LEVELS = np.divide(np.arange(256, dtype=np.uint8), 255, dtype=np.float32)


class DevicePatches:
    """Holds all photographs in the memory of the device, and cuts patches.

    The host only sends the positions of the patches, 16 bytes for each patch.
    The patches equal those of `RandomPatches.batch` bit for bit.

    Args:
        patches: `RandomPatches`. All its photographs are copied.

    Attributes:
        pixels: Dict with the keys `"lr"` and `"hr"` of dicts of JAX arrays in
            the memory of the device. `"pixels"` holds the pixels of all
            photographs, uint8 of shape (pixels, 3), or (pixels, 6) for HR with
            a teacher. `"begin"` holds where each photograph begins, and
            `"width"` its width, int32 of shape (photographs,). Pass this dict
            to the compiled step as an argument, so that it does not become a
            constant of the program.

    Raises:
        ValueError: If the photographs have more pixels than an int32 counts.
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
        """Returns the positions of the patches of several steps.

        Args:
            first_step: Integer, the first optimizer step, from 0 on.
            steps: Integer, the number of steps.

        Returns:
            int32 array of shape (steps, batch, 4), see `RandomPatches.places`.
        """
        return np.stack(
            [self._patches.places(first_step + i) for i in range(steps)]
        )

    def cut(self, pixels: Any, places: Any) -> tuple[Any, Any]:
        """Cuts the patches of one step, inside the compiled step.

        Args:
            pixels: Dict, `self.pixels`.
            places: int32 array of shape (batch, 4).

        Returns:
            Pair `(lr, hr)` of float32 arrays in 0..1, of the shapes of
            `RandomPatches.batch`.
        """
        lr = _cut(pixels["lr"], places, self._size, 1)
        hr = _cut(pixels["hr"], places, self._scale * self._size, self._scale)
        return lr, hr


class PlacesDataset(keras.utils.PyDataset):
    """Yields the positions of the patches of several steps, for `fit`.

    Args:
        patches: `DevicePatches`.
        first_step: Integer, the step of the first patches.
        steps: Integer, the step after the last patches.
        at_once: Integer, the number of steps in an item.
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
    """Concatenates the pixels of images, with the start of each image."""
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
    # In the order of `turn`: the axes are swapped last.
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
    # XLA would multiply by the reciprocal, which gives other bits.
    return jnp.asarray(_LEVELS)[cut]
