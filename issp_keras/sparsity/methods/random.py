"""Random pruning, the baseline of comparisons."""

from typing import Any

import keras

from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.seeds import derived_seed


class Random(Method):
    """Prunes randomly chosen weights once, then trains the others.

    Args:
        seed: Integer. The seed and the kernel's index determine the choice.
            Defaults to `0`.

    Raises:
        ValueError: If `seed` is not a whole number of at least 0.
    """

    one_shot = True

    def __init__(self, seed: int = 0):
        self.seed = whole_number("seed", seed, least=0)

    def importance(self, values: Any, kernel: Kernel) -> Any:
        return keras.random.uniform(
            kernel.shape, seed=derived_seed(self.seed, kernel.index)
        )
