"""Errors that are the user's to mend."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """Bad input: one sentence names what is at fault and what was expected.

    The console commands print it without a traceback.
    """


class ArgumentError(InputError):
    """An argument that is not usable.

    The library names its argument. The console commands name their flag.

    Args:
        argument: String, the name of the argument.
        problem: String, what it is and what was expected.
    """

    def __init__(self, argument: str, problem: str):
        super().__init__(f"`{argument}`: {problem}")
        self.argument = argument
        self.problem = problem


@contextlib.contextmanager
def blame(
    what: str, *causes: type[Exception], argument: str | None = None
) -> Iterator[None]:
    """Turns `causes` raised in the block into an `InputError` about `what`.

    Args:
        what: String that names the file or flag at fault.
        *causes: Exception types that only bad input can raise here.
        argument: String, the argument at fault, if it is one. The error is
            an `ArgumentError` then.
    """
    try:
        yield
    except InputError:
        raise
    except causes as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        problem = f"{what}: {lines[0]}"
        if argument is not None:
            raise ArgumentError(argument, problem) from error
        raise InputError(problem) from error
