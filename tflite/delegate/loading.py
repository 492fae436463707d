"""Finds or compiles the delegate, and loads it into TFLite."""

import ctypes
import functools
import pathlib
import re
import sys
from typing import Any

from issp_keras import files
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.extras import needed_by
from issp_keras.tflite.delegate import build

# How the delegate begins a sentence about an option.
_OPTION = re.compile(r"option (\w+) (is .*)")
_PACKAGED = pathlib.Path(__file__).with_name(build.NAME)


@functools.cache
def library() -> pathlib.Path:
    """The path of the delegate, for programs that load TFLite delegates.

    It is compiled when the package is installed. If there was no compiler
    then, the first call compiles it. It is saved in the folder that the
    environment variable `XDG_CACHE_HOME` names, or in `~/.cache`.

    Raises:
        InputError: If it cannot be compiled.
    """
    version = build.version()
    try:
        if found := _find(version):
            return found
        cached = _cached(version)
        print(
            "Compiling the sparse delegate; this takes about two minutes.",
            file=sys.stderr,
            flush=True,
        )
        build.build(cached)
    except build.BuildError as error:
        raise InputError(
            f"the sparse delegate is not built, since {error}; install a C++ "
            "compiler, or one with pip install 'issp-keras[delegate]'."
        ) from error
    # There may be no home folder, as in a container, or it is read-only.
    except (OSError, RuntimeError) as error:
        raise InputError(
            "the sparse delegate is not built, since there is no folder to "
            f"keep it in ({error}); name one with the environment variable "
            "XDG_CACHE_HOME."
        ) from error
    return cached


def is_compiled() -> bool:
    """Returns whether the delegate can be loaded without compiling it."""
    try:
        return _find(build.version()) is not None
    # There may be no home folder.
    except (OSError, RuntimeError):
        return False


def load(**options: Any) -> Any:
    """Loads the delegate for `ai_edge_litert.interpreter.Interpreter`.

    For `tf.lite.Interpreter`, load `library()` with
    `tf.lite.experimental.load_delegate`.

    Example:

    ```python
    interpreter = Interpreter(
        "model.tflite", experimental_delegates=[delegate.load()]
    )
    ```

    Args:
        **options: Integers or floats:
            `num_threads`: the number of threads, at most the number of cores.
            0, the default, uses as many threads as the interpreter.
            `min_sparsity`: a share of zeros. A part of a network with fewer
            zeros is left to TFLite. Defaults to 0.3, but to 0 in int8 on
            CPUs with AVX-512 VNNI, where narrow dense layers become faster.
            `always`: 1 or True to also take parts that are not expected to
            become faster, and to use all threads for them.
            `tuning_seconds`: the time that the choice of tiles may take each
            time that the size of images changes. Defaults to 0.1.
            `cache_bytes`: the bytes of cache for the rows in work. 0, the
            default, chooses them for the CPU.
            `profile`: 1 to time layers, for `report`.
            `kernels`: string, `"avx512_vnni"`, `"avx512"`, `"avx_vnni"`,
            `"avx2"`, `"sse4"`, `"neon_i8mm"`, `"neon_dotprod"`, `"neon"`,
            `"neon_float16"` or `"portable"`. Defaults to the fastest that the
            CPU can run in float32 and int8. Some differ only in int8.
            `float16`: 1 to compute in float16 if the CPU can, with a
            precision of about three digits.

    Returns:
        A delegate. Interpreters may share one, but then they wait for each
        other. Interpreters that run at the same time need one each.

    Raises:
        InputError: If the delegate cannot be compiled. It is an
            `ArgumentError` if an option is unknown or out of its range.
    """
    with needed_by("The sparse delegate"):
        from ai_edge_litert import interpreter as litert

    texts = {
        name: str(int(value) if isinstance(value, bool) else value)
        for name, value in options.items()
    }
    try:
        return litert.load_delegate(str(library()), texts)
    except ValueError as error:
        reason = str(error).splitlines()[-1] or "an option is wrong"
        if found := _OPTION.search(reason):
            name, problem = found.groups()
            # The delegate's message for an unknown option.
            _, _, known = problem.partition("expected another name: ")
            if known:
                problem = (
                    f"is no option of the sparse delegate, expected {known}"
                )
            raise ArgumentError(name, problem) from error
        raise InputError(f"the sparse delegate: {reason}") from error


def _find(version):
    """The compiled delegate, or None."""
    if _version_of(_PACKAGED) == version:
        return _PACKAGED
    cached = _cached(version)
    return cached if _version_of(cached) == version else None


def _cached(version):
    return files.cache_folder() / version / build.NAME


def _version_of(path):
    """The hash of the sources that a library was compiled from, or None."""
    if not path.is_file():
        return None
    try:
        version = ctypes.CDLL(str(path)).issp_delegate_version
    except (OSError, AttributeError):
        return None
    version.restype = ctypes.c_char_p
    return version().decode()
