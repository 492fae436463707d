"""Ramps: how a quantity moves from its first to its last value."""

# The remaining share of the change at a share of the time.
RAMPS = {
    "constant": lambda progress: 0.0,
    "linear": lambda progress: 1.0 - progress,
    "cubic": lambda progress: (1.0 - progress) ** 3,
}


def ramp_to(ramp, first, last, progress):
    """Returns the value of a ramp from `first` to `last`.

    Args:
        ramp: `"constant"` (always `last`), `"linear"`, or `"cubic"` (fast at
            first; Zhu and Gupta, arXiv 1710.01878, eq. 1).
        first: Float.
        last: Float.
        progress: Float or scalar tensor in [0, 1].
    """
    return last + (first - last) * RAMPS[ramp](progress)
