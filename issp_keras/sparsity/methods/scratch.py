"""Scratch: a mask by magnitude, then training from new random weights."""

from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Method


class Scratch(Method):
    """Chooses the mask once, then trains new random weights with this mask.

    The initialisers of the pruned layers draw all their weights and biases
    with new seeds.

    Args:
        seed: Integer, the seed of the new weights. Defaults to `0`.

    Raises:
        ValueError: If `seed` is not a whole number of at least 0.

    Reference: `L1` with `--reinit pth_reset` of the released code of ISS-P
    (arXiv 2303.09650), as its documentation describes it. The released code
    itself does not draw new weights.
    """

    one_shot = True

    def __init__(self, seed: int = 0):
        self.redraw_seed = whole_number("seed", seed, least=0)
