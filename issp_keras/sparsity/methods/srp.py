"""SRP: a growing penalty on weights chosen at the start."""

from typing import Any

from keras import ops

from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.growing_l2 import GrowingL2


class SRP(GrowingL2):
    """Penalises the weights that are unimportant when the stage begins.

    Their number is the final number of zeros, independent of the ramp of the
    sparsity. The method stores one byte for each weight: whether it is
    penalised.

    Args:
        limit: Float, the largest coefficient. Defaults to `0.5`.
        interval: Integer, optimizer steps between two increments of the
            coefficient. Defaults to `20`.
        growth: Float in (0, 1], the share of the pruning stage after which
            the coefficient reaches `limit`. Defaults to `0.7`: 100,020 of
            143,170 steps in the released code.

    Raises:
        ValueError: If an argument is out of range.

    Reference: `GReg-1` of the released code of ISS-P (arXiv 2303.09650),
    after Zhang et al., Learning Efficient Image Super-Resolution Networks
    via Structure-Regularized Pruning, ICLR 2022. This version is unstructured.
    """

    state_dtype = "bool"
    holds_final_mask = True

    def __init__(
        self, limit: float = 0.5, interval: int = 20, growth: float = 0.7
    ):
        super().__init__(limit, interval, growth)

    def refreshes(self, clock: Clock) -> Any:
        return ops.equal(clock.age, 0)

    def refresh(self, state: Any, unimportant: Any) -> Any:
        return unimportant

    def gradient(
        self,
        gradient: Any,
        values: Any,
        state: Any,
        kernel: Kernel,
        clock: Clock,
    ) -> Any:
        increments = 1 + clock.age // self.interval
        coefficient = self.coefficient(increments, clock)
        return self.penalised(
            gradient, values, ops.where(state, coefficient, 0.0)
        )

    def pruned(self, unimportant: Any, state: Any) -> Any:
        return state
