"""Random pruning, the control of every comparison."""

from typing import Any

import keras

from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.seeds import derived_seed


class Random(Method):
    """Prunes weights chosen by chance once, then trains the others.

    Args:
        seed: Integer that, with the place of a kernel, decides what is
            chosen in it. Defaults to `0`.

    Raises:
        ValueError: If `seed` is no whole number of at least 0.
    """

    one_shot = True

    def __init__(self, seed: int = 0):
        self.seed = whole_number("seed", seed, least=0)

    def importance(self, values: Any, kernel: Kernel) -> Any:
        return keras.random.uniform(
            kernel.shape, seed=derived_seed(self.seed, kernel.index)
        )
