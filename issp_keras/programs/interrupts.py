"""What ends a program before its time: Ctrl-C, or a pipe that is closed."""

import contextlib
import os
import pathlib
import signal
import sys

# What shells say of a program that a signal ends: 128 and its number.
INTERRUPTED = 128 + signal.SIGINT
# And of a program that writes to a pipe which nobody reads any more.
_BROKEN_PIPE = 128 + 13
# Longer than what is to be removed at the end takes.
AGAIN_SECONDS = 2.0


def name() -> str:
    """The name of this program, as it was called."""
    return pathlib.PurePath(sys.argv[0]).name


def tell():
    """Says that the program was interrupted."""
    print(f"{name()}: interrupted.", file=sys.stderr)


def end_at_once():
    """Lets Ctrl-C end the process from now on, without a traceback.

    It is for imports, which leave nothing behind and may turn a
    `KeyboardInterrupt` into another error, and for the end of the process.
    """
    _handle(_end)


@contextlib.contextmanager
def ending_at_once():
    """The same while the block runs."""
    before = _handle(_end)
    try:
        yield
    finally:
        _handle(before)


@contextlib.contextmanager
def raising():
    """Lets Ctrl-C raise a `KeyboardInterrupt` while the block runs.

    It may get lost where C++ calls Python. It is raised again, until the block
    ends.
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
