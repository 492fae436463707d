"""What the methods with a growing L2 penalty share."""

from keras import ops

from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.whole_numbers import whole_number


class GrowingL2(Method):
    """Adds `coefficient * weight` to the gradient, and lets it grow.

    The coefficient grows in equal steps, one every `interval` optimizer
    steps from the first on, and reaches `limit` after the share `growth` of
    the pruning stage; then it is held. In the released code it grows by 1e-4
    every 20 steps to 0.5, which takes 100,020 steps.

    Args:
        limit: Float, the largest coefficient. Defaults to `0.5`.
        interval: Integer, optimizer steps between two steps of growth.
            Defaults to `20`.
        growth: Float in (0, 1], see above.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, limit: float, interval: int, growth: float):
        interval = whole_number("interval", interval)
        if not limit > 0 or interval < 1 or not 0 < growth <= 1:
            raise ValueError(
                "A growing penalty needs limit > 0, interval >= 1 and growth "
                f"in (0, 1]. Received: limit={limit!r}, interval={interval!r}, "
                f"growth={growth!r}"
            )
        self.limit = limit
        self.interval = interval
        self.growth = growth

    def coefficient(self, increments, clock):
        """Returns the penalty's coefficient after so many increments."""
        most = max(1.0, self.growth * clock.length / self.interval)
        share = ops.cast(increments, "float32") / most
        return self.limit * ops.minimum(share, 1.0)

    def penalised(self, gradient, values, coefficient):
        """Returns the gradient with the penalty's own."""
        return gradient + ops.cast(coefficient, values.dtype) * values
