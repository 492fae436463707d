"""The base class of methods with a growing L2 penalty."""

from keras import ops

from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Method


class GrowingL2(Method):
    """Adds `coefficient * weight` to the gradient, with a growing coefficient.

    The coefficient grows by equal increments. The first increment is at the
    first step, and the next ones follow every `interval` optimizer steps. The
    coefficient reaches `limit` after the share `growth` of the pruning stage,
    and then stays constant. In the released code it grows by 1e-4 every 20
    steps until 0.5, which takes 100,020 steps.

    Args:
        limit: Float, the largest coefficient.
        interval: Integer, optimizer steps between two increments.
        growth: Float in (0, 1], the share of the pruning stage after which the
            coefficient reaches `limit`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, limit: float, interval: int, growth: float):
        self.limit = number("limit", limit, lambda x: x > 0, "above 0")
        self.interval = whole_number("interval", interval, least=1)
        self.growth = number(
            "growth", growth, lambda x: 0 < x <= 1, "above 0 and at most 1"
        )

    def coefficient(self, increments, clock):
        """Returns the penalty's coefficient after a number of increments."""
        most = max(1.0, self.growth * clock.length / self.interval)
        share = ops.cast(increments, "float32") / most
        return self.limit * ops.minimum(share, 1.0)

    def penalised(self, gradient, values, coefficient):
        """Returns the gradient plus the gradient of the penalty."""
        return gradient + ops.cast(coefficient, values.dtype) * values
