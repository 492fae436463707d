"""Checks of the arguments of networks."""

import math
import numbers
from collections.abc import Sequence

SCALES = (2, 3, 4, 8)


def check_scale(scale):
    """Raises a `ValueError` unless networks support this magnification."""
    if not _is_whole(scale) or scale not in SCALES:
        raise ValueError(
            f"`scale` must be one of {', '.join(map(str, SCALES))}. "
            f"Received: scale={scale!r}"
        )


def check_positive(**numbers):
    """Raises a `ValueError` unless all are whole numbers above 0."""
    for name, number in numbers.items():
        if not _is_whole(number) or number < 1:
            raise ValueError(
                f"`{name}` must be a positive whole number. "
                f"Received: {name}={number!r}"
            )


def _is_whole(number):
    # Keras cannot save NumPy integers.
    return isinstance(number, int) and not isinstance(number, bool)


def check_finite(**given):
    """Raises a `ValueError` unless all are finite numbers."""
    for name, number in given.items():
        if not isinstance(number, numbers.Real) or not math.isfinite(number):
            raise ValueError(
                f"`{name}` must be a finite number. Received: {name}={number!r}"
            )


def check_rate(**rates):
    """Raises a `ValueError` unless all are at least 0 and less than 1."""
    check_finite(**rates)
    for name, number in rates.items():
        if not 0 <= number < 1:
            raise ValueError(
                f"`{name}` must be at least 0 and less than 1. "
                f"Received: {name}={number!r}"
            )


def hidden_channels(embedding, mlp_ratio):
    """Returns the hidden channels of a block's MLP.

    They are rounded down as in the official networks.

    Raises:
        ValueError: If the ratio is not a finite number, or is too small.
    """
    check_finite(mlp_ratio=mlp_ratio)
    if embedding * mlp_ratio < 1:
        raise ValueError(
            "`embedding * mlp_ratio` must be at least 1. Received: "
            f"embedding={embedding}, mlp_ratio={mlp_ratio}"
        )
    return int(embedding * mlp_ratio)


def check_depths(depths):
    """Returns the numbers of blocks in groups as a tuple.

    Raises:
        ValueError: If there is no number, or one is not positive.
    """
    if not _is_sequence(depths) or not depths:
        raise ValueError(
            "`depths` must be a sequence of numbers, one for each group of "
            f"blocks. Received: depths={depths!r}"
        )
    return per_group("depths", depths, len(depths))


def per_group(name, given, groups):
    """Returns one number for each group of blocks.

    Args:
        name: String, the name of the argument.
        given: Whole number for all groups, or a sequence with one number for
            each group.
        groups: Integer, the number of groups.

    Returns:
        Tuple of `groups` integers.

    Raises:
        ValueError: If the sequence has another length, or a number is not
            positive.
    """
    each = tuple(given) if _is_sequence(given) else (given,) * groups
    if len(each) != groups:
        raise ValueError(
            f"`{name}` must be one number, or one for each of {groups} groups "
            f"of blocks. Received: {name}={given}"
        )
    for number in each:
        check_positive(**{name: number})
    return each


def _is_sequence(value):
    return isinstance(value, Sequence) and not isinstance(value, str)


def check_heads(embedding, heads):
    """Raises a `ValueError` unless the heads divide the embedding."""
    for number in heads:
        if embedding % number:
            raise ValueError(
                "`heads` must divide `embedding`. Received: "
                f"embedding={embedding}, heads={number}"
            )
