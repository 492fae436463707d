"""Gradual pruning that regrows pruned weights with large gradients."""

from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.methods.base import masks_with_held
from issp_keras.sparsity.methods.base import scores_with_held


class Regrowth(Method):
    """Regularly prunes small weights and regrows zeros with large gradients.

    After each step, the smallest weights become zero, and zeros stay zero.
    Every `interval` steps, a share of the kept weights may be replaced. The
    smallest kept weights then compete with all zeros. Those whose average
    gradient (the optimizer's momentum) has the largest magnitude are trained,
    and the others are zero. The share falls from `fraction` to 0 as a cosine
    over the pruning stage.

    With a cubic ramp of the sparsity this is GraNet. At constant sparsity it
    is RigL with momentum instead of the gradient of one batch. With the
    pattern `NM`, a group that has the largest number of zeros does not change.

    The method needs an optimizer with momentum, such as Adam.

    Args:
        interval: Integer, optimizer steps between two replacements. Defaults
            to `100`.
        fraction: Float in (0, 1), the share that is replaced at the start.
            Defaults to `0.3`.

    Raises:
        ValueError: If an argument is out of range.

    References: Liu et al., Sparse Training via Boosting Pruning Plasticity
    with Neuroregeneration (GraNet), NeurIPS 2021 (arXiv 2106.10404), Sec. 4;
    Evci et al., Rigging the Lottery (RigL), ICML 2020 (arXiv 1911.11134),
    Sec. 3; Dettmers and Zettlemoyer (arXiv 1907.04840) for the momentum.
    """

    needs_momentum = True

    def __init__(self, interval: int = 100, fraction: float = 0.3):
        self.interval = whole_number("interval", interval, least=1)
        self.fraction = number(
            "fraction", fraction, lambda x: 0 < x < 1, "above 0 and below 1"
        )

    def advance(self, choice: Any, changes: Any, clock: Clock) -> Any:
        held = [ops.equal(c.before, 0.0) for c in changes]
        scores = scores_with_held(self, changes, held)

        def pruned():
            return masks_with_held(choice, scores, held)

        def replaced():
            share = self.fraction * _cosine(clock.progress)
            weak = choice(scores, kept=1.0 - share)
            # Strong weights stay. Their momentum ranks the others.
            return choice(
                [
                    ops.where(w, ops.abs(c.momentum), float("inf"))
                    for w, c in zip(weak, changes)
                ]
            )

        is_due = ops.logical_and(
            ops.equal(clock.age % self.interval, 0), clock.age > 0
        )
        masks = ops.cond(is_due, replaced, pruned)
        values = [ops.where(m, 0.0, c.values) for m, c in zip(masks, changes)]
        return values, [c.state for c in changes]


def _cosine(progress):
    return 0.5 * (1.0 + ops.cos(3.141592653589793 * progress))
