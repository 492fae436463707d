"""Losses for super-resolution, in addition to those of Keras."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="issp_keras")
class Distillation(keras.losses.Loss):
    """A weighted sum of a loss against HR and against a teacher's output.

    It is `(1 - weight) * loss(hr, sr) + weight * loss(teacher, sr)`.

    Args:
        loss: `keras.losses.Loss`, such as `keras.losses.MeanAbsoluteError()`.
        weight: Float in [0, 1], the weight of the loss against the teacher.
        **arguments: `reduction`, `name` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: Targets of shape (batch, height, width, 2 * channels). HR comes
            first, then the teacher's output.
        y_pred: SR patches of shape (batch, height, width, channels).

    Raises:
        ValueError: If `weight` is outside [0, 1].

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network
    (arXiv 1503.02531), Sec. 2, for the weighted sum of two losses.
    """

    def __init__(
        self,
        loss: keras.losses.Loss,
        weight: float,
        name: str = "distillation",
        **arguments: Any,
    ) -> None:
        super().__init__(name=name, **arguments)
        if not 0 <= weight <= 1:
            raise ValueError(
                f"`weight` must be in [0, 1]. Received: weight={weight}"
            )
        self.loss = loss
        self.weight = weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        hr, teacher = ops.split(y_true, 2, axis=-1)
        of_hr = self.loss.call(hr, y_pred)
        of_teacher = self.loss.call(teacher, y_pred)
        return (1 - self.weight) * of_hr + self.weight * of_teacher

    def get_config(self) -> dict[str, Any]:
        loss = keras.losses.serialize(self.loss)
        return {**super().get_config(), "loss": loss, "weight": self.weight}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Distillation":
        return cls(**{**config, "loss": keras.losses.get(config["loss"])})


@keras.saving.register_keras_serializable(package="issp_keras")
class L1FFT(keras.losses.Loss):
    """Mean absolute error of the pixels and of their Fourier transform.

    It is `mean |sr - hr| + weight * mean |F(sr) - F(hr)|`. Here F is the
    unnormalised two-dimensional Fourier transform of each channel of each
    patch. As for all real inputs, it has (height, width // 2 + 1) distinct
    frequencies. The second mean is over their real and imaginary parts. The
    loss is computed in float32 for every dtype of the model.

    Example: `model.compile("adam", loss=L1FFT(0.05))`. To load a model that
    was saved with this loss and its optimizer, first
    `import issp_keras.losses`.

    Args:
        weight: Float, at least 0, the weight of the Fourier term. Defaults to
            `0.05`.
        **arguments: `reduction`, `name` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: HR patches of shape (batch, height, width, channels).
        y_pred: SR patches of the same shape.

    Raises:
        ValueError: If `weight` is negative.

    Reference: Sun et al., Spatially-Adaptive Feature Modulation for Efficient
    Image Super-Resolution (SAFMN, arXiv 2302.13800). Its released settings for
    DF2K use `FFTLoss` on an unnormalised `rfft2` with the weight 0.05.
    """

    def __init__(
        self, weight: float = 0.05, name: str = "l1_fft", **arguments: Any
    ) -> None:
        super().__init__(name=name, **arguments)
        if not weight >= 0:
            raise ValueError(
                f"`weight` must be at least 0. Received: weight={weight}"
            )
        self.weight = weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        # The transform is linear, so transform the difference only once.
        difference = y_pred - y_true
        pixels = ops.mean(ops.abs(difference), axis=(1, 2, 3))
        rows = ops.rfft(ops.transpose(difference, (0, 3, 1, 2)))
        columns = ops.fft(tuple(ops.swapaxes(part, 2, 3) for part in rows))
        real, imaginary = (
            ops.mean(ops.abs(part), axis=(1, 2, 3)) for part in columns
        )
        return pixels + self.weight * (real + imaginary) / 2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}
