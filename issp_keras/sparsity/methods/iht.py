"""IHT: iterative hard thresholding."""

from typing import Any

from keras import ops

from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method


class IHT(Method):
    """Sets the unimportant weights to zero after every step.

    Gradients stay dense. A pruned weight returns when one update makes it
    larger than a kept weight. With a ramp of the sparsity
    (`ISSPSchedule(..., ramp="cubic")`) this is gradual magnitude pruning.

    Reference: ISS-P (arXiv 2303.09650) with alpha = 0; Zhu and Gupta, arXiv
    1710.01878, eq. 1, for gradual magnitude pruning.
    """

    def update(self, values: Any, unimportant: Any, clock: Clock) -> Any:
        return ops.where(unimportant, 0.0, values)
