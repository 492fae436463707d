"""L1-norm: one-shot magnitude pruning."""

from issp_keras.sparsity.methods.base import Method


class L1Norm(Method):
    """Prunes the smallest weights once, then fine-tunes the others.

    The mask is chosen at the schedule's `begin_step`. If it is 0, the mask
    comes from the initial weights. Otherwise the weights are first trained
    dense for this number of steps.

    Reference: `L1` of the released code of ISS-P (arXiv 2303.09650).
    """

    one_shot = True
