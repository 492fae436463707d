"""AC/DC: alternating compressed and decompressed phases."""

from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.methods.base import masks_with_held
from issp_keras.sparsity.methods.base import scores_with_held


class ACDC(Method):
    """Alternates dense and sparse training, and ends sparse.

    The pruning stage has `phases` pairs of a dense and a sparse phase, all of
    equal length. A sparse phase begins with hard thresholding, and its mask
    holds until its end. In a dense phase all weights are trained. The pruned
    weights start from zero. A dense phase that follows a sparse one begins
    without momentum: the optimizer's averages of the gradients are set to
    zero, for all weights of the model. Adam keeps its second moments.

    Args:
        phases: Integer, the number of pairs of phases. Defaults to `4`.

    Raises:
        ValueError: If `phases` is not a positive whole number.

    Reference: Peste et al., AC/DC: Alternating Compressed/DeCompressed
    Training of Deep Neural Networks, NeurIPS 2021 (arXiv 2106.12379), Alg. 1.
    The authors' training program resets the momentum of SGD.
    """

    def __init__(self, phases: int = 4):
        self.phases = whole_number("phases", phases, least=1)

    def advance(self, choice: Any, changes: Any, clock: Clock) -> Any:
        is_sparse = self._is_sparse(clock.age, clock.length)
        goes_on = ops.logical_and(
            is_sparse, self._is_sparse(clock.age - 1, clock.length)
        )
        # Within a sparse phase, zeros stay the least important weights.
        held = [
            ops.logical_and(goes_on, ops.equal(c.before, 0.0)) for c in changes
        ]
        scores = scores_with_held(self, changes, held)

        def pruned():
            masks = masks_with_held(choice, scores, held)
            return [ops.where(m, 0.0, c.values) for m, c in zip(masks, changes)]

        values = ops.cond(
            is_sparse, pruned, lambda: [ops.copy(c.values) for c in changes]
        )
        return values, [c.state for c in changes]

    def resets_momentum(self, clock: Clock) -> Any:
        return ops.logical_and(
            self._is_sparse(clock.age - 1, clock.length),
            ops.logical_not(self._is_sparse(clock.age, clock.length)),
        )

    def _is_sparse(self, age, length):
        """Whether a step of the stage lies in a sparse phase."""
        # Integer arithmetic, so that no rounding moves the border.
        number = age * 2 * self.phases // length
        return ops.logical_and(age >= 0, ops.equal(number % 2, 1))
