"""Errors that the user can fix."""

import contextlib
from collections.abc import Iterator
from collections.abc import Sequence


class InputError(ValueError):
    """The error of bad input.

    Its message is one sentence. It names the bad input and the expected input.
    The console commands print it without a traceback.
    """


class ArgumentError(InputError):
    """The error of a bad argument.

    The message names the argument. The console commands name their flag
    instead.

    Args:
        argument: String, the name of the argument.
        problem: String, the received and the expected value.
    """

    def __init__(self, argument: str, problem: str):
        super().__init__(f"`{argument}`: {problem}")
        self.argument = argument
        self.problem = problem


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Puts a name before the message of an `InputError` from the block.

    Args:
        where: String, the flag or the training that led to the bad input.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Lists names for a message, such as "a, b and 3 more".

    Args:
        names: List of strings.
        most: Integer, how many names are listed. Defaults to `5`.
    """
    more = len(names) - most
    listed = ", ".join(names[:most])
    return f"{listed} and {more} more" if more > 0 else listed


@contextlib.contextmanager
def blame(
    what: str, *causes: type[Exception], argument: str | None = None
) -> Iterator[None]:
    """Turns `causes` raised in the block into an `InputError` about `what`.

    Args:
        what: String that names the file or flag at fault.
        *causes: Exception types that only bad input can raise here.
        argument: String, the argument at fault, or None. With it, the error is
            an `ArgumentError`.
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
