"""Hides log messages of other libraries from the terminal."""

import contextlib
import faulthandler
import io
import logging
import os
import pathlib
import sys
import warnings

from absl import logging as absl_logging


@contextlib.contextmanager
def only_ours(name: str, verbosity: int | None):
    """Shows only the messages of this package inside the block.

    TensorFlow, XLA, CUDA, XNNPACK and others write to stderr, log or warn.
    Enter the block before TensorFlow is imported.

    Args:
        name: String, the prefix of the messages of this package.
        verbosity: Integer, the value of absl's flag `--verbosity`. All
            messages up to this level are shown, also those of other
            libraries. None if the flag is not given.
    """
    level = 3 if verbosity is None else min(3, max(0, -verbosity))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", str(level))
    if verbosity is not None:
        yield
        return
    with _python_stderr_alone(), _lines_of_ours(name), _warnings_of_ours(name):
        yield


@contextlib.contextmanager
def _python_stderr_alone():
    """Lets only Python write to stderr, not libraries in C or C++."""
    stderr = sys.stderr
    try:
        is_native = stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        is_native = False
    if not is_native:
        yield
        return
    stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    alone = io.TextIOWrapper(
        io.FileIO(kept, "w"),
        encoding=stderr.encoding,
        errors=stderr.errors,
        line_buffering=True,
        write_through=True,
    )
    sys.stderr = alone
    # It prints the Python traceback if C++ code crashes.
    faulthandler.enable(sys.stderr)
    try:
        yield
    finally:
        alone.flush()
        os.dup2(kept, 2)
        sys.stderr = stderr
        faulthandler.enable(sys.stderr)


@contextlib.contextmanager
def _lines_of_ours(name):
    handler = absl_logging.get_absl_handler().python_handler
    before = handler.stream, handler.formatter
    handler.stream = sys.stderr
    handler.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    handler.addFilter(_is_record_of_ours)
    try:
        yield
    finally:
        handler.stream, formatter = before
        handler.setFormatter(formatter)
        handler.removeFilter(_is_record_of_ours)


@contextlib.contextmanager
def _warnings_of_ours(name):
    def show(message, category, filename, lineno, file=None, line=None):
        if _is_ours(_source_of_warning()):
            print(f"{name}: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _is_record_of_ours(record):
    return _is_ours(record.pathname)


def _source_of_warning():
    """Returns the file that called `warnings.warn`, for any stack level."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__") == "warnings":
        frame = frame.f_back
    return frame.f_code.co_filename


def _is_ours(path):
    return any(root in pathlib.Path(path).parents for root in _roots())


def _roots():
    """Yields the folders of this package, including linked ones in a clone."""
    for name in ("", ".configs", ".tflite", ".web"):
        package = sys.modules.get(f"issp_keras{name}")
        if package:
            yield from map(pathlib.Path, package.__path__)
