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
# Longer than a step of a training takes, and much shorter than the time that
# clusters give.
POSTPONED_SECONDS = 8.0

# The error of the signal that came, while `raising` runs a block.
_coming: type[KeyboardInterrupt] | None = None
# Whether this error has been raised, so that a computation may be broken.
_was_raised = False
_is_postponed = False


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
    A library may turn it into another error, such as the `ImportError` of a
    broken import. If the block ends with such an error, it ends with the
    signal's error instead.
    No file gets its name after it, since the file may hold what a broken
    computation made.
    """
    before = _handle(_come)
    again = signal.signal(signal.SIGALRM, _come)
    tell_lost, sys.unraisablehook = sys.unraisablehook, _tell_lost
    files.before_renaming.append(_check_raised)
    try:
        yield
    except Exception as error:
        if _was_raised:
            raise _coming from error
        raise
    finally:
        files.before_renaming.remove(_check_raised)
        sys.unraisablehook = tell_lost
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, again)
        _restore(before)
        _forget()


@contextlib.contextmanager
def postponing():
    """Lets the block work on after a signal, until it calls `check`.

    The block can then save its work. The error of `raising` comes anyway after
    `POSTPONED_SECONDS`, after a second signal, and when the block ends.
    """
    global _is_postponed
    _is_postponed = True
    try:
        yield
        check()
    finally:
        _is_postponed = False


def is_waiting() -> bool:
    """Returns whether a signal has come whose error is postponed."""
    return _coming is not None and not _was_raised


def check():
    """Raises the error of `raising` if its signal has come.

    Call it in each turn of a loop in which a library catches every error.
    """
    if _coming is not None:
        _raise()


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


def _come(number, frame):
    """Handles a signal that is to end the program, or the timer after it."""
    global _coming
    is_first = _coming is None
    if number == signal.SIGTERM:
        _coming = Terminated
    elif is_first:
        _coming = KeyboardInterrupt
    if is_first and _is_postponed:
        signal.setitimer(signal.ITIMER_REAL, POSTPONED_SECONDS)
    else:
        _raise()


def _raise():
    global _was_raised
    _was_raised = True
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise _coming


def _check_raised():
    if _was_raised:
        raise _coming


def _forget():
    global _coming, _was_raised
    _coming, _was_raised = None, False


def _end(number, frame):
    status = tell(number)
    sys.stderr.flush()
    os._exit(status)
