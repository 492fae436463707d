"""Objects that print as their constructor call."""

import functools
import inspect

_ARGUMENTS = "_arguments_given"


class Readable:
    """Prints as the constructor call, without arguments at their defaults.

    A derived class stores the arguments of its constructor for this.

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
        # If the parent is `Readable` too, the outer constructor counts.
        if _ARGUMENTS not in vars(self):
            found = _arguments(signature, self, positional, named)
            vars(self)[_ARGUMENTS] = found
        init(self, *positional, **named)

    return remember


def _arguments(signature, self, positional, named):
    """Returns pairs of name and value; the name is empty without default."""
    try:
        bound = signature.bind(self, *positional, **named).arguments
    except TypeError:
        # The constructor itself raises a clear error.
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
    """Returns arguments as the text of a call.

    Args:
        given: List of pairs: the name, empty for a positional argument, and
            the value.
    """
    return [f"{name}={_text(of)}" if name else _text(of) for name, of in given]


def _text(value):
    # Functions print as their name.
    if inspect.isroutine(value):
        return value.__name__
    return repr(value)
