"""Checks what networks are asked for."""

SCALES = (2, 3, 4, 8)


def check_scale(scale):
    """Raises a `ValueError` unless networks magnify `scale` times."""
    if scale not in SCALES:
        raise ValueError(
            f"`scale` must be one of {', '.join(map(str, SCALES))}. "
            f"Received: scale={scale}"
        )


def check_positive(**numbers):
    """Raises a `ValueError` unless all are whole numbers above 0."""
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise ValueError(
                f"`{name}` must be a positive whole number. "
                f"Received: {name}={number!r}"
            )


def check_rate(**numbers):
    """Raises a `ValueError` unless all are at least 0 and less than 1."""
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise ValueError(
                f"`{name}` must be at least 0 and less than 1. "
                f"Received: {name}={number!r}"
            )


def check_depths(depths):
    """Returns the numbers of blocks in groups as a tuple.

    Raises:
        ValueError: If there is none, or one is not positive.
    """
    if isinstance(depths, int) or not depths:
        raise ValueError(
            "`depths` must be a sequence of numbers, one for each group of "
            f"blocks. Received: depths={depths!r}"
        )
    return per_group("depths", depths, len(depths))


def per_group(name, given, groups):
    """Gives each group of blocks its own, from one for all or one for each.

    Args:
        name: String, what is given.
        given: Whole number, or a sequence of one for each group.
        groups: Integer, the number of groups.

    Returns:
        Tuple of `groups` integers.

    Raises:
        ValueError: If there is not one for each, or one is not positive.
    """
    each = (given,) * groups if isinstance(given, int) else tuple(given)
    if len(each) != groups:
        raise ValueError(
            f"`{name}` must be one number, or one for each of {groups} groups "
            f"of blocks. Received: {name}={given}"
        )
    for number in each:
        check_positive(**{name: number})
    return each


def check_heads(embedding, heads):
    """Raises a `ValueError` unless the embedding can be cut into heads."""
    for number in heads:
        if embedding % number:
            raise ValueError(
                "`heads` must divide `embedding`. Received: "
                f"embedding={embedding}, heads={number}"
            )
