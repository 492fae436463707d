"""Seeds that are derived from another seed."""

import numpy as np


def derived_seed(seed: int, *places: int) -> int:
    """Returns a seed of 31 bits that depends on `seed` and `places`."""
    state = np.random.SeedSequence([seed, *places]).generate_state(1)
    return int(state[0] >> 1)
