"""ISS-P as one callback."""

from collections.abc import Callable
from typing import Any

from issp_keras.callbacks.sparse_training import SparseTraining
from issp_keras.sparsity import ISSP
from issp_keras.sparsity.distributions import Distribution
from issp_keras.sparsity.patterns import Pattern


class ISSPCallback(SparseTraining):
    """Trains a model sparse from scratch with ISS-P.

    After each optimizer update of the pruning stage, the
    `min(ceil(sparsity * n), int(0.995 * n))` smallest weights of every kernel
    are multiplied by `shrink_ratio`. After the last update they become exact
    zeros. Fine-tuning keeps these zeros. `SparseTraining` describes which
    layers are pruned, and when.

    Example:

    >>> schedule = ISSPSchedule(target_sparsity=0.9, end_step=0.8)
    >>> model.fit(x, y, epochs=20, callbacks=[ISSPCallback(schedule)])
    >>> model.save("sparse.keras")

    Args:
        schedule: A `tfmot.sparsity.keras.PruningSchedule` with an end, such
            as `ISSPSchedule`.
        shrink_ratio: Float in [0, 1). Defaults to `0.95`, the paper's alpha.
        distribution: `Distribution`, the sparsity of each kernel. Defaults
            to `Uniform()`.
        pattern: `Pattern`, which weights of a kernel are pruned together.
            Defaults to `Unstructured()`.
        shrink_ramp: How the factor falls from 1 to `shrink_ratio` during the
            pruning stage: `"constant"` (at once, as in the paper), `"linear"`
            or `"cubic"`. Defaults to `"constant"`.
        **arguments: `include`, `exclude`, `optimizer_slots`, `verbose` and
            `record_gradients` of `SparseTraining`.

    Raises:
        TypeError: If `schedule` is not a `PruningSchedule`.
        ValueError: If `shrink_ratio` is outside [0, 1), or for a reason that
            `SparseTraining` lists.

    Reference: Iterative Soft Shrinkage Learning for Efficient Image
    Super-Resolution (ICCV 2023, arXiv 2303.09650).
    """

    def __init__(
        self,
        schedule: Callable[..., Any],
        shrink_ratio: float = 0.95,
        distribution: Distribution | None = None,
        pattern: Pattern | None = None,
        *,
        shrink_ramp: str = "constant",
        **arguments: Any,
    ) -> None:
        method = ISSP(shrink_ratio, shrink_ramp)
        super().__init__(schedule, method, distribution, pattern, **arguments)
