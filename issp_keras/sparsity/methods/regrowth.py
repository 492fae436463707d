"""Gradual pruning in which pruned weights grow again by their gradients."""

from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.methods.base import masks_with_held
from issp_keras.sparsity.methods.base import scores_with_held


class Regrowth(Method):
    """Replaces small weights by zeros with large gradients, from time to time.

    After each step, the smallest weights become zero, and zeros stay zero.
    Every `interval` steps, a share of the weights that are kept, the
    smallest, gives way to as many zeros whose average gradient is largest in
    magnitude (the optimizer's momentum). The share falls from `fraction` to 0
    as a cosine over the pruning stage. Under a cubic ramp of the sparsity
    this is GraNet; at constant sparsity it is RigL, with momentum instead of
    the gradient of one batch. Within the groups of `NM` at their most zeros,
    nothing is replaced.

    Needs an optimizer with momentum, such as Adam.

    Args:
        interval: Integer, optimizer steps between two replacements. Defaults
            to `100`.
        fraction: Float in (0, 1), the share at first. Defaults to `0.3`.

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
            # The strong ones stay; the others compete by their gradients.
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
