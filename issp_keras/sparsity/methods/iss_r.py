"""ISS-R: iterative soft shrinkage by a growing penalty."""

from typing import Any

from keras import ops

from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.growing_l2 import GrowingL2

_MOST = 65_535


class ISSR(GrowingL2):
    """Penalises a weight more strongly the more often it is unimportant.

    Every `interval` steps, beginning with the first step, the unimportant
    weights are chosen, and their coefficients grow. A coefficient never falls.
    The method stores two bytes for each weight: how often it was chosen (at
    most 65,535 times).

    Args:
        limit: Float, the largest coefficient. Defaults to `0.5`.
        interval: Integer, optimizer steps between two choices. Defaults to
            `20`.
        growth: Float in (0, 1], the share of the pruning stage after which a
            weight that is chosen every time reaches `limit`. Defaults to
            `1.0`.

    Raises:
        ValueError: If an argument is out of range.

    Reference: `IST-GReg` of the released code of ISS-P (arXiv 2303.09650).
    """

    state_dtype = "uint16"

    def __init__(
        self, limit: float = 0.5, interval: int = 20, growth: float = 1.0
    ):
        super().__init__(limit, interval, growth)

    def refreshes(self, clock: Clock) -> Any:
        return ops.equal(clock.age % self.interval, 0)

    def refresh(self, state: Any, unimportant: Any) -> Any:
        times = ops.cast(state, "int32") + ops.cast(unimportant, "int32")
        return ops.minimum(times, _MOST)

    def gradient(
        self,
        gradient: Any,
        values: Any,
        state: Any,
        kernel: Kernel,
        clock: Clock,
    ) -> Any:
        times = ops.cast(state, "int32")
        return self.penalised(gradient, values, self.coefficient(times, clock))
