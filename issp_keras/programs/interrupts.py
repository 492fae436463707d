"""Handles Ctrl-C, and pipes that are closed."""

import contextlib
import os
import pathlib
import signal
import sys

# The exit status of shells for a signal: 128 plus its number.
INTERRUPTED = 128 + signal.SIGINT
# The exit status for a write to a closed pipe: 128 plus SIGPIPE.
_BROKEN_PIPE = 128 + 13
# Longer than the clean-up at the end takes.
AGAIN_SECONDS = 2.0


def name() -> str:
    """Returns the name of this program from the command line."""
    return pathlib.PurePath(sys.argv[0]).name


def tell():
    """Prints that the program was interrupted."""
    print(f"{name()}: interrupted.", file=sys.stderr)


def end_at_once():
    """Makes Ctrl-C end the process from now on, without a traceback.

    Use it for imports and for the end of the process. Imports need no
    clean-up, and may turn a `KeyboardInterrupt` into another error.
    """
    _handle(_end)


@contextlib.contextmanager
def ending_at_once():
    """Does the same as `end_at_once` while the block runs."""
    before = _handle(_end)
    try:
        yield
    finally:
        _handle(before)


@contextlib.contextmanager
def raising():
    """Makes Ctrl-C raise a `KeyboardInterrupt` while the block runs.

    The error may get lost if C++ calls Python. So it is raised again until the
    block ends.
    """
    before = _handle(_raise)
    again = signal.signal(signal.SIGALRM, _raise)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, again)
        _handle(before)


@contextlib.contextmanager
def ending_with_the_reader():
    """Ends the program quietly where its output is read no further.

    That is so in `issp models | head`.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python does not try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)


def _handle(handler):
    before = signal.getsignal(signal.SIGINT)
    # A shell may have told a program in the background to ignore it.
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
    return before


def _raise(number, frame):
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _end(number, frame):
    tell()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
