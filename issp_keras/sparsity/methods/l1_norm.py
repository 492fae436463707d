"""L1-norm: one-shot magnitude pruning."""

from issp_keras.sparsity.methods.base import Method


class L1Norm(Method):
    """Prunes the smallest of the given weights once, then fine-tunes.

    The weights are those at the schedule's `begin_step`: given ones for 0,
    or trained dense for so many steps.

    Reference: `L1` of the released code of ISS-P (arXiv 2303.09650).
    """

    one_shot = True
