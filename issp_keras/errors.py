"""Errors that are the user's to mend."""

import contextlib


class InputError(ValueError):
    """Bad input: one sentence names the file or flag and what was expected.

    The console commands print it without a traceback.
    """


@contextlib.contextmanager
def blame(what: str, *causes: type[Exception]):
    """Turns `causes` raised in the block into an `InputError` about `what`.

    Args:
        what: String that names the file or flag at fault.
        *causes: Exception types that only bad input can raise here.
    """
    try:
        yield
    except InputError:
        raise
    except causes as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{what}: {lines[0]}") from error
