"""How much to prune in each kernel."""

import math

from keras import ops

# The cap of the reference implementation: whatever the ratio, a kernel keeps
# about 0.5 % of its weights, and a tiny kernel at least one.
_MAX_SPARSITY = 0.995


class Uniform:
    """The same sparsity in every kernel, as in the ISS-P paper.

    A kernel of n weights loses `min(ceil(sparsity * n), int(0.995 * n))`.

    Example:

    >>> Uniform().pruned_counts([1000, 10], 0.95)
    [950, 9]
    """

    def pruned_counts(self, sizes, sparsity):
        """Returns how many weights each kernel loses.

        Args:
            sizes: List of integers, the number of weights of each kernel.
            sparsity: Float in [0, 1), or a scalar tensor where the schedule
                computes it inside the compiled step.

        Returns:
            List of integers, or of scalar int32 tensors.
        """
        return [_pruned_count(size, sparsity) for size in sizes]


def _pruned_count(size, sparsity):
    most = int(_MAX_SPARSITY * size)
    if isinstance(sparsity, float):
        return min(math.ceil(sparsity * size), most)
    return ops.minimum(ops.cast(ops.ceil(sparsity * size), "int32"), most)
