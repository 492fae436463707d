"""Handles Ctrl-C, SIGTERM, and pipes that are closed."""

import contextlib
import os
import pathlib
import signal
import sys

from issp_keras import files

# The words for the signals that end a program. Clusters send SIGTERM some
# seconds before they kill a process.
_WORDS: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
}
# The exit status of shells for a write to a closed pipe: 128 plus SIGPIPE.
_BROKEN_PIPE = 128 + 13
# Longer than the clean-up at the end takes.
AGAIN_SECONDS = 2.0

# The error of the signal that came, while `raising` runs a block.
_raised: type[KeyboardInterrupt] | None = None


def name() -> str:
    """Returns the name of this program from the command line."""
    return pathlib.PurePath(sys.argv[0]).name


class Terminated(KeyboardInterrupt):
    """The error that SIGTERM raises."""


def tell(number: int) -> int:
    """Prints that a signal ended the program.

    Args:
        number: Integer, the signal.

    Returns:
        The exit status of shells for a signal: 128 plus its number.
    """
    print(f"{name()}: {_WORDS[number]}.", file=sys.stderr)
    return 128 + number


def status_of(error: KeyboardInterrupt) -> int:
    """Prints that a signal ended the program, and returns its exit status.

    Args:
        error: The error that the signal raised.
    """
    is_terminated = isinstance(error, Terminated)
    return tell(signal.SIGTERM if is_terminated else signal.SIGINT)


def end_at_once():
    """Makes Ctrl-C and SIGTERM end the process, without a traceback.

    Use it for imports and for the end of the process. Imports need no
    clean-up, and may turn a `KeyboardInterrupt` into another error.
    """
    _handle(_end)


@contextlib.contextmanager
def ending_at_once():
    """Does what `end_at_once` does, only while the block runs."""
    before = _handle(_end)
    try:
        yield
    finally:
        _restore(before)


@contextlib.contextmanager
def raising():
    """Makes Ctrl-C and SIGTERM raise an error while the block runs.

    It is `KeyboardInterrupt` for Ctrl-C, and `Terminated` for SIGTERM. The
    error may get lost if C++ calls Python, if Python deletes an object, or if
    a library catches every error. So it is raised again until the block ends.
    No file gets its name after it, since the file may hold what a broken
    computation made.
    """
    before = _handle(_raise)
    again = signal.signal(signal.SIGALRM, _raise)
    tell_lost, sys.unraisablehook = sys.unraisablehook, _tell_lost
    files.before_renaming.append(check)
    try:
        yield
    finally:
        files.before_renaming.remove(check)
        sys.unraisablehook = tell_lost
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, again)
        _restore(before)
        _forget()


def check():
    """Raises the error of `raising` again if its signal has come.

    Call it in each turn of a loop in which a library catches every error.
    """
    if _raised is not None:
        raise _raised


@contextlib.contextmanager
def ending_with_the_reader():
    """Ends the program quietly if the reader of its output has ended.

    Example: `issp models | head`.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise Python tries to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)


def _tell_lost(lost):
    """Prints an error that Python cannot raise, unless it is raised again."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


def _handle(handler):
    """Sets a handler for both signals, and returns the previous handlers."""
    before = {number: signal.getsignal(number) for number in _WORDS}
    _restore(dict.fromkeys(before, handler))
    return before


def _restore(handlers):
    for number, handler in handlers.items():
        # A shell may make a background program ignore the signal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _raise(number, frame):
    global _raised
    if number == signal.SIGTERM:
        _raised = Terminated
    elif _raised is None:
        _raised = KeyboardInterrupt
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise _raised


def _forget():
    global _raised
    _raised = None


def _end(number, frame):
    status = tell(number)
    sys.stderr.flush()
    os._exit(status)
