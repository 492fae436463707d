"""ISS-P: iterative soft shrinkage by a percentage."""

from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import check_ramp
from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.arguments import share
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.ramps import ramp_to


class ISSP(Method):
    """Multiplies the unimportant weights by `shrink_ratio` at every step.

    Args:
        shrink_ratio: Float in [0, 1). Defaults to `0.95`; 0 is iterative
            hard thresholding.
        ramp: How the ratio falls from 1 to `shrink_ratio` during the pruning
            stage: `"constant"` (at once), `"linear"` or `"cubic"`. Defaults
            to `"constant"`.
        full_rate: Float, the learning rate at which the ratio is
            `shrink_ratio`. At other rates, `1 - ratio` is proportional to the
            rate. So the magnitude that an unimportant weight can reach stays
            the same. Defaults to None, the same ratio at all rates.

    Raises:
        ValueError: If `shrink_ratio` is outside [0, 1), `ramp` is not one of
            these names, or `full_rate` is not positive.

    Reference: ISS-P (arXiv 2303.09650), the operator S of its method figure:
    it multiplies a weight below the layer's threshold by alpha and keeps the
    others. Chen et al. (LATS), ICLR 2023, arXiv 2302.13019, for thresholds
    that grow with the learning rate.
    """

    def __init__(
        self,
        shrink_ratio: float = 0.95,
        ramp: str = "constant",
        full_rate: float | None = None,
    ):
        self.shrink_ratio = share("shrink_ratio", shrink_ratio)
        check_ramp(ramp)
        if full_rate is not None:
            full_rate = number(
                "full_rate", full_rate, lambda x: x > 0, "above 0"
            )
        self.full_rate = full_rate
        self.ramp = ramp

    def update(self, values: Any, unimportant: Any, clock: Clock) -> Any:
        ratio = ramp_to(self.ramp, 1.0, self.shrink_ratio, clock.progress)
        if self.full_rate is not None:
            ratio = 1.0 - (1.0 - ratio) * clock.rate / self.full_rate
            ratio = ops.maximum(ratio, 0.0)
        ratio = ops.cast(ratio, values.dtype)
        return ops.where(unimportant, ratio * values, values)
