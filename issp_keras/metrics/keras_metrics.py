"""PSNR and SSIM for `compile(metrics=[...])`."""

from typing import Any

import keras
from keras import ops

from issp_keras.metrics import formulas


class _Fidelity(keras.metrics.Metric):
    """The mean of a fidelity measure over images."""

    _smallest = 1

    def __init__(
        self,
        border=0,
        channels="y",
        max_value=1.0,
        name=None,
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        formulas.check_channels(channels)
        if border < 0 or max_value <= 0:
            raise ValueError(
                "`border` must be at least 0 and `max_value` positive. "
                f"Received: border={border}, max_value={max_value}"
            )
        self.border = border
        self.channels = channels
        self.max_value = max_value
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch of images of shape (batch, height, width, channels)."""
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        if len(y_true.shape) != 4 or len(y_pred.shape) != 4:
            raise ValueError(
                "Images must be (batch, height, width, channels). "
                f"Received: {y_true.shape} and {y_pred.shape}"
            )
        shapes = zip(y_true.shape, y_pred.shape, strict=True)
        if any(None not in sizes and len(set(sizes)) > 1 for sizes in shapes):
            raise ValueError(
                "Images of different shapes cannot be compared. "
                f"Received: {y_true.shape} and {y_pred.shape}"
            )
        values = self._measure(self._levels(y_true), self._levels(y_pred))
        weights = ops.ones_like(values)
        if sample_weight is not None:
            weights = ops.reshape(
                ops.cast(sample_weight, values.dtype), ops.shape(values)
            )
        # A value with the weight 0 may be infinite.
        values = ops.where(weights > 0, weights * values, 0)
        self.total.assign_add(ops.cast(ops.sum(values), self.total.dtype))
        self.count.assign_add(ops.cast(ops.sum(weights), self.count.dtype))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {
            **super().get_config(),
            "border": self.border,
            "channels": self.channels,
            "max_value": self.max_value,
        }

    def _levels(self, images):
        """Returns the compared channels, in 0..255 and rounded to 8 bits."""
        _, height, width, channels = images.shape
        if channels not in (1, 3):
            raise ValueError(
                "Images must have 1 or 3 channels. "
                f"Received: shape={images.shape}"
            )
        least = 2 * self.border + self._smallest
        if any(size is not None and size < least for size in (height, width)):
            raise ValueError(
                f"`{self.name}` with border={self.border} needs images of at "
                f"least {least}x{least} pixels. Received: "
                f"shape={images.shape}"
            )
        inside = slice(self.border, -self.border or None)
        images = ops.cast(images[:, inside, inside], "float32")
        images = ops.clip(images / self.max_value, 0, 1)
        images = ops.floor(255 * images + 0.5)
        is_y = self.channels == "y" and channels == 3
        return formulas.to_y(images) if is_y else images


@keras.saving.register_keras_serializable("issp_keras")
class PSNR(_Fidelity):
    """Peak signal-to-noise ratio in dB, the mean over images.

    It is infinite if any two images are equal. Images have the shape (batch,
    height, width, 3) or (batch, height, width, 1).

    Example:

    ```python
    model.compile("adam", "mae", metrics=[PSNR(border=4), SSIM(border=4)])
    ```

    Args:
        border: Integer, pixels to leave out on each side. Papers leave out as
            many pixels as the magnification. Defaults to `0`.
        channels: "y" (BT.601, 16..235) or "rgb". Images with one channel are
            compared directly. Defaults to `"y"`.
        max_value: Float, the value of white in the images. Values are clipped
            to 0..max_value and rounded to 8 bits. Defaults to `1.0`.
        name: String. Defaults to `"psnr"`.
        dtype: The dtype of the sums. Defaults to Keras' default.

    Raises:
        ValueError: If an argument is out of range. At the first batch: if the
            images are not RGB or grey, are too small, or differ in shape.
    """

    def __init__(
        self,
        border: int = 0,
        channels: str = "y",
        max_value: float = 1.0,
        name: str = "psnr",
        dtype: Any = None,
    ) -> None:
        super().__init__(border, channels, max_value, name, dtype)

    def _measure(self, images, references):
        error = ops.mean(ops.square(images - references), axis=(1, 2, 3))
        return 10 / ops.log(10.0) * ops.log(255**2 / error)


@keras.saving.register_keras_serializable("issp_keras")
class SSIM(_Fidelity):
    """Structural similarity, at most 1, the mean over images.

    It uses a Gaussian window of 11x11 pixels, as `issp_keras.metrics.ssim`
    does. Images must have at least 11x11 pixels inside the border. The
    arguments are those of `PSNR`.
    """

    _smallest = formulas.WINDOW

    def __init__(
        self,
        border: int = 0,
        channels: str = "y",
        max_value: float = 1.0,
        name: str = "ssim",
        dtype: Any = None,
    ) -> None:
        super().__init__(border, channels, max_value, name, dtype)

    def _measure(self, images, references):
        return ops.mean(formulas.ssim_map(images, references), axis=(1, 2, 3))
