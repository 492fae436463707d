"""Arguments that are whole numbers."""

import operator


def whole_number(name, value) -> int:
    """Returns `value` as an integer.

    Raises:
        ValueError: If it is none, such as 1.5.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(
            f"`{name}` must be a whole number. Received: {name}={value!r}"
        ) from None
