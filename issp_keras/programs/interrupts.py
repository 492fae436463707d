"""What Ctrl-C does."""

import contextlib
import os
import pathlib
import signal
import sys

# What shells say of a program that a signal ends: 128 and its number.
INTERRUPTED = 128 + signal.SIGINT


def name() -> str:
    """The name of this program, as it was called."""
    return pathlib.PurePath(sys.argv[0]).name


def tell():
    """Says that the program was interrupted."""
    print(f"{name()}: interrupted.", file=sys.stderr)


@contextlib.contextmanager
def end_at_once():
    """Lets Ctrl-C end the process without a traceback while the block runs.

    It is for imports, which leave nothing behind, and may turn a
    `KeyboardInterrupt` into another error.
    """
    before = signal.getsignal(signal.SIGINT)
    # A shell may have told a program in the background to ignore it.
    if before in (signal.default_int_handler, _end):
        signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number, frame):
    tell()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
