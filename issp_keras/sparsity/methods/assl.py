"""ASSL: a phase that aligns the weights, then a growing penalty."""

import re
from collections.abc import Sequence
from typing import Any

from keras import ops

from issp_keras.sparsity.arguments import check_expression
from issp_keras.sparsity.arguments import number
from issp_keras.sparsity.arguments import share
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.srp import SRP
from issp_keras.sparsity.selection import Exact


class ASSL(SRP):
    """SRP after a phase that aligns the weights of constrained layers.

    The alignment phase is the first share `alignment` of the stage. In it,
    each constrained kernel with weights w adds the term
    `-ratio * sum(sigmoid(w - t)**2) / number of constrained kernels` to the
    loss. Here q is the number of weights that the kernel is to lose, and t is
    the q-th smallest weight (with its sign). The gradient treats t as a
    constant. The other kernels have SRP's penalty from the start.

    After the alignment phase, all kernels choose their unimportant weights
    again. The penalty of the constrained kernels then grows as in SRP. The
    method stores one byte for each weight.

    Args:
        constrained: Regular expression that is searched in the paths of
            kernels. The matching kernels must have equal sizes. Defaults to
            `"mlp"`, the linear layers of SwinIR and CAT.
        alignment: Float in [0, 1), the share of the stage that the alignment
            phase takes. Defaults to `0.108`: 17,260 of 160,430 steps in the
            released code.
        ratio: Float, the weight of the alignment term. Defaults to `1e-8`.
        limit: Float, the largest coefficient of the penalty. Defaults to
            `0.5`.
        interval: Integer, optimizer steps between two increments of the
            coefficient. Defaults to `20`.
        growth: Float in (0, 1], the share of the stage in which the
            coefficient grows. Defaults to `0.623`: 100,020 of 160,430 steps.

    Raises:
        ValueError: If an argument is out of range. When training begins: if
            `constrained` matches no kernel, or kernels of different sizes.

    Reference: `ASSL` of the released code of ISS-P (arXiv 2303.09650), after
    Zhang et al., Aligned Structured Sparsity Learning for Efficient Image
    Super-Resolution, NeurIPS 2021. This version is unstructured.
    """

    def __init__(
        self,
        constrained: str = "mlp",
        alignment: float = 0.108,
        ratio: float = 1e-8,
        limit: float = 0.5,
        interval: int = 20,
        growth: float = 0.623,
    ):
        super().__init__(limit, interval, growth)
        check_expression(constrained)
        self.constrained = constrained
        self.alignment = share("alignment", alignment)
        self.ratio = number("ratio", ratio, lambda x: x >= 0, "at least 0")

    def check(self, kernels: Sequence[Kernel]) -> None:
        sizes = {k.path: k.size for k in kernels if self._constrains(k)}
        if len(set(sizes.values())) != 1:
            found = ", ".join(f"{p} ({n})" for p, n in sizes.items())
            raise ValueError(
                "ASSL needs constrained kernels of equal size. Received: "
                f"constrained={self.constrained!r}, which matches "
                f"{found or 'no kernel'}"
            )
        self._number = len(sizes)

    def refreshes(self, clock: Clock) -> Any:
        return ops.logical_or(
            ops.equal(clock.age, 0), ops.equal(clock.age, self._steps(clock))
        )

    def gradient(
        self,
        gradient: Any,
        values: Any,
        state: Any,
        kernel: Kernel,
        clock: Clock,
    ) -> Any:
        if not self._constrains(kernel):
            return super().gradient(gradient, values, state, kernel, clock)
        later = clock._replace(age=clock.age - self._steps(clock))
        return ops.cond(
            later.age < 0,
            lambda: gradient + self._alignment(values, state),
            lambda: SRP.gradient(self, gradient, values, state, kernel, later),
        )

    def _constrains(self, kernel):
        return re.search(self.constrained, kernel.path) is not None

    def _steps(self, clock):
        return round(self.alignment * clock.length)

    def _alignment(self, values, state):
        pruned = ops.sum(ops.cast(state, "int32"))
        # The selection needs non-negative values; this keeps their order.
        (below,) = Exact().smallest([values - ops.min(values)], [pruned])
        threshold = ops.max(ops.where(below, values, ops.min(values)))
        share = ops.sigmoid(values - threshold)
        factor = 2 * self.ratio / self._number
        return -factor * share**2 * (1 - share)
