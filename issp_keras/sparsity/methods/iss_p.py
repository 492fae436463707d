"""ISS-P: iterative soft shrinkage by a percentage."""

import numbers

from keras import ops

from issp_keras.sparsity.methods import base


class ISSP(base.Method):
    """Multiplies the unimportant weights by `shrink_ratio` at every step.

    Args:
        shrink_ratio: Float in [0, 1). Defaults to `0.95`; 0 is iterative
            hard thresholding.

    Reference: ISS-P (arXiv 2303.09650), the operator S of its method figure:
    a weight below the layer's threshold is attenuated by alpha, others are
    kept.
    """

    def __init__(self, shrink_ratio: float = 0.95):
        if not (
            isinstance(shrink_ratio, numbers.Real) and 0.0 <= shrink_ratio < 1.0
        ):
            raise ValueError(
                "`shrink_ratio` must be at least 0 and below 1. "
                f"Received: shrink_ratio={shrink_ratio!r}"
            )
        self.shrink_ratio = shrink_ratio

    def update(self, kernel, unimportant):
        return ops.where(unimportant, self.shrink_ratio * kernel, kernel)
