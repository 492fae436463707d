"""Checks of arguments. Each raises a one-sentence error for a bad value."""

import numbers
import operator
import re

from issp_keras.sparsity.ramps import RAMPS


def whole_number(name, value, least=None) -> int:
    """Returns `value` as an integer.

    Args:
        name: String, the argument's name.
        value: What the user passed.
        least: Integer, the smallest allowed value. Defaults to none.

    Raises:
        ValueError: If `value` is not a whole number, or is below `least`.
    """
    try:
        integer = operator.index(value)
    except TypeError:
        raise ValueError(
            f"`{name}` must be a whole number. Received: {name}={value!r}"
        ) from None
    if least is not None and integer < least:
        raise ValueError(
            f"`{name}` must be at least {least}. Received: {name}={value!r}"
        )
    return integer


def step_or_share(name, value) -> int | float:
    """Returns a step as an integer, or a share of the training as a float.

    Args:
        name: String, the argument's name.
        value: What the user passed.

    Raises:
        ValueError: If `value` is neither a whole number nor a float from 0 to
            1.
    """
    if isinstance(value, numbers.Real) and not _is_whole(value):
        if 0.0 <= float(value) <= 1.0:
            return float(value)
        raise ValueError(
            f"`{name}` must be a whole number, or a share of the training "
            f"from 0.0 to 1.0. Received: {name}={value!r}"
        )
    return whole_number(name, value)


def _is_whole(value):
    return hasattr(value, "__index__")


def share(name, value, received=None) -> float:
    """Returns `value` as a float.

    Args:
        name: String, the argument's name.
        value: What the user passed.
        received: String, the received value in the error message. Defaults to
            `name=value`.

    Raises:
        ValueError: If `value` is not a number that is at least 0 and below 1.
    """
    if not isinstance(value, numbers.Real) or not 0.0 <= float(value) < 1.0:
        raise ValueError(
            f"`{name}` must be at least 0 and below 1. "
            f"Received: {received or f'{name}={value!r}'}"
        )
    return float(value)


def number(name, value, is_allowed, expected) -> float:
    """Returns `value` as a float.

    Args:
        name: String, the argument's name.
        value: What the user passed.
        is_allowed: Callable that takes a number and returns whether it is in
            the range.
        expected: String, the range, such as `"above 0"`.

    Raises:
        ValueError: If `value` is not a number in the range.
    """
    if not isinstance(value, numbers.Real) or not is_allowed(value):
        raise ValueError(
            f"`{name}` must be {expected}. Received: {name}={value!r}"
        )
    return float(value)


def check_expression(expression):
    """Raises a ValueError unless `expression` is a regular expression."""
    try:
        re.compile(expression)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"Not a regular expression: {expression!r} ({error})"
        ) from None


def check_ramp(ramp):
    """Raises a ValueError unless `ramp` names a ramp."""
    if ramp not in RAMPS:
        raise ValueError(
            f"`ramp` must be one of {', '.join(map(repr, RAMPS))}. "
            f"Received: ramp={ramp!r}"
        )
