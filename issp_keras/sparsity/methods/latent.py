"""A dense latent copy of the weights, thresholded to sparse weights."""

import math
from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method


class Latent(Method):
    """Trains a dense latent copy of the weights with a sparse forward pass.

    Let v be the latent copy. The network computes with the sparse weights
    `w = T(v)`. The optimizer's update of w is added to v (a straight-through
    estimator). So the latent copy of a pruned weight keeps changing, and the
    weight returns when its latent copy is large enough. The threshold t of a
    layer is the largest |v| that is pruned. The operator is

        T(v) = sign(v) * (|v|**power - t**power) ** (1 / power)   for |v| > t

    and 0 otherwise. With the pattern `Block`, |v| and t are the values of the
    blocks. Use this method with a cubic ramp of the sparsity.

    Special cases:

    - `power=3` has Feather's operator. Feather itself ranks all layers
      together (`Global()`), and halves the updates of pruned weights only
      above 95 % zeros.
    - `power=1` is soft thresholding, and `power=inf` is hard thresholding.
    - `Latent(math.inf, 1.0, shrink_ratio=0.9998)` is like SR-STE. Its pruned
      weights decay. Here the decay is constant. In the paper, it is
      proportional to the learning rate.
    - `Latent(math.inf, 1.0, reach=1.5)` is like Top-KAST. It updates all kept
      weights and half that number of pruned weights. It lacks the penalty of
      the paper.
    - `shrink_ratio=0.95` applies the shrinkage of ISS-P to the latent copy.

    The method stores four bytes for each weight.

    Args:
        power: Float of at least 1, the exponent of T; `math.inf` for hard
            thresholding. Defaults to `3.0`.
        pruned_rate: Float in [0, 1], the factor on the updates of pruned
            weights. Defaults to `0.5`.
        shrink_ratio: Float in (0, 1], the factor on the latent copies of
            pruned weights after each step. Defaults to `1.0`.
        reach: Float of at least 1. Only the latent copies of largest magnitude
            are updated. Their number is `reach` times the number of kept
            weights. Defaults to None, all are updated.

    Raises:
        ValueError: If an argument is out of range.

    References: Glentis Georgoulakis et al., Feather: An Elegant Solution to
    Effective DNN Sparsification, BMVC 2023 (arXiv 2310.02448), for the
    operator; Zhou et al., Learning N:M Fine-grained Structured Sparse Neural
    Networks From Scratch (SR-STE), ICLR 2021 (arXiv 2102.04010), eq. 9;
    Jayakumar et al., Top-KAST, NeurIPS 2020 (arXiv 2106.03517), Sec. 2.
    """

    state_dtype = "float32"

    def __init__(
        self,
        power: float = 3.0,
        pruned_rate: float = 0.5,
        shrink_ratio: float = 1.0,
        reach: float | None = None,
    ):
        self.power = number("power", power, lambda x: x >= 1, "at least 1")
        self.pruned_rate = number(
            "pruned_rate",
            pruned_rate,
            lambda x: 0 <= x <= 1,
            "at least 0 and at most 1",
        )
        self.shrink_ratio = number(
            "shrink_ratio",
            shrink_ratio,
            lambda x: 0 < x <= 1,
            "above 0 and at most 1",
        )
        if reach is not None:
            reach = number("reach", reach, lambda x: x >= 1, "at least 1")
        self.reach = reach

    def advance(self, choice: Any, changes: Any, clock: Clock) -> Any:
        latents = self._moved(choice, changes, clock)
        scores = [
            self.importance(v, c.kernel) for v, c in zip(latents, changes)
        ]
        masks = choice(scores)
        if math.isinf(self.power):
            values = [ops.where(m, 0.0, v) for v, m in zip(latents, masks)]
        else:
            values = [
                v * (1.0 - share**self.power) ** (1.0 / self.power)
                for v, share in zip(latents, choice.nearness(scores, masks))
            ]
        if self.shrink_ratio < 1:
            latents = [
                ops.where(m, self.shrink_ratio * v, v)
                for v, m in zip(latents, masks)
            ]
        dtypes = [c.values.dtype for c in changes]
        return list(map(ops.cast, values, dtypes)), latents

    def ranked(self, values: Any, state: Any) -> Any:
        return values if state is None else state

    def _moved(self, choice, changes, clock):
        """The latent copies after the optimizer's update."""
        latents = [
            ops.where(
                ops.equal(clock.age, 0), ops.cast(c.before, "float32"), c.state
            )
            for c in changes
        ]
        updates = [
            ops.cast(c.values, "float32") - ops.cast(c.before, "float32")
            for c in changes
        ]
        updates = [
            ops.where(ops.equal(c.before, 0.0), self.pruned_rate * d, d)
            for c, d in zip(changes, updates)
        ]
        if self.reach is not None:
            far = choice(list(map(ops.abs, latents)), kept=self.reach)
            updates = [ops.where(f, 0.0, d) for f, d in zip(far, updates)]
        return [v + d for v, d in zip(latents, updates)]
