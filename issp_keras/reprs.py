"""Objects that print as the call that makes them."""

import functools
import inspect

_ARGUMENTS = "_arguments_given"


class Readable:
    """Prints as the call that makes it, with what differs from the defaults.

    A class that derives from it keeps the arguments of its constructor for
    this, whatever it makes of them.

    Example:

    >>> ISSPSchedule(0.95, end_step=1000, ramp="constant")
    ISSPSchedule(0.95, end_step=1000)
    """

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        if "__init__" in vars(cls):
            cls.__init__ = _remembering(cls.__init__)

    def __repr__(self):
        given = vars(self).get(_ARGUMENTS, [])
        return f"{type(self).__name__}({', '.join(given_as_text(given))})"


def _remembering(init):
    signature = inspect.signature(init)

    @functools.wraps(init)
    def remember(self, *positional, **named):
        # A class whose parent is one too calls both; the first one counts.
        if _ARGUMENTS not in vars(self):
            found = _arguments(signature, self, positional, named)
            vars(self)[_ARGUMENTS] = found
        init(self, *positional, **named)

    return remember


def _arguments(signature, self, positional, named):
    """Pairs of a name and a value; no name for what has no default."""
    try:
        bound = signature.bind(self, *positional, **named).arguments
    except TypeError:
        # The constructor itself says what is wrong.
        return []
    found = []
    # The first is the object itself.
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name not in bound:
            continue
        value = bound[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            found += value.items()
        elif parameter.kind is parameter.VAR_POSITIONAL:
            found += [("", each) for each in value]
        elif parameter.default is not parameter.empty:
            if not _is_same(value, parameter.default):
                found.append((parameter.name, value))
        elif parameter.kind is parameter.KEYWORD_ONLY:
            found.append((parameter.name, value))
        else:
            found.append(("", value))
    return found


def _is_same(value, default):
    return type(value) is type(default) and repr(value) == repr(default)


def given_as_text(given) -> list[str]:
    """Arguments as they stand in a call.

    Args:
        given: List of pairs: the name, empty for one by its place, and the
            value.
    """
    return [f"{name}={_text(of)}" if name else _text(of) for name, of in given]


def _text(value):
    # Functions have no better name than their own.
    if inspect.isroutine(value):
        return value.__name__
    return repr(value)
