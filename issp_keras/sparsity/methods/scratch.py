"""Scratch: a mask found by magnitude, and new random weights in it."""

from issp_keras.sparsity.arguments import whole_number
from issp_keras.sparsity.methods.base import Method


class Scratch(Method):
    """Chooses the mask once, then trains newly initialised weights in it.

    All weights of the pruned layers, biases too, are drawn by the layers'
    own initialisers with new seeds.

    Args:
        seed: Integer for the new weights. Defaults to `0`.

    Raises:
        ValueError: If `seed` is no whole number of at least 0.

    Reference: `L1` with `--reinit pth_reset` of the released code of ISS-P
    (arXiv 2303.09650), as described; the release itself does not draw anew.
    """

    one_shot = True

    def __init__(self, seed: int = 0):
        self.redraw_seed = whole_number("seed", seed, least=0)
