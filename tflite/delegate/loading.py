"""Where the delegate is, and how TFLite loads it."""

import ctypes
import functools
import pathlib
import re
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
    """The path of the delegate, for whatever loads TFLite delegates.

    It is compiled when the package is installed. Where there was no compiler
    then, it is compiled when it is first asked for, and kept in the folder
    that the environment variable `XDG_CACHE_HOME` names, or `~/.cache`.

    Raises:
        InputError: If it cannot be compiled.
    """
    version = build.version()
    if _version_of(_PACKAGED) == version:
        return _PACKAGED
    try:
        cached = files.cache_folder() / version / build.NAME
        if _version_of(cached) == version:
            return cached
        build.build(cached)
    except build.BuildError as error:
        raise InputError(
            f"the sparse delegate is not built, since {error}; install a C++ "
            "compiler, or one with pip install 'issp-keras[delegate]'."
        ) from error
    # There may be no home, as in a container, or it cannot be written to.
    except (OSError, RuntimeError) as error:
        raise InputError(
            "the sparse delegate is not built, since there is no folder to "
            f"keep it in ({error}); name one with the environment variable "
            "XDG_CACHE_HOME."
        ) from error
    return cached


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
            `num_threads`: those of the interpreter if it is 0, the default;
            never more than there are cores.
            `min_sparsity`: the share of zeros below which a part of a network
            is left to TFLite. Defaults to 0.3.
            `always`: 1 or True to take also what is not expected to become
            faster, and to use all threads for it.
            `tuning_seconds`: what the choice of tiles may take each time that
            the size of images changes. Defaults to 0.1.
            `cache_bytes`: what rows in work may take of the cache; if it is
            0, the default, as much as suits the CPU.
            `profile`: 1 to time layers, for `report`.
            `kernels`: string, `"avx512_vnni"`, `"avx512"`, `"avx_vnni"`,
            `"avx2"`, `"sse4"`, `"neon_i8mm"`, `"neon_dotprod"`, `"neon"`,
            `"neon_float16"` or `"portable"`; by default the fastest that the
            CPU runs in float32 and int8. Some differ in int8 alone.
            `float16`: 1 to compute in float16 where the CPU does, with about
            three digits.

    Returns:
        A delegate. Interpreters may share one, and wait for each other then;
        those that are to run at the same time need one each.

    Raises:
        InputError: If the delegate cannot be compiled. An `ArgumentError` if
            an option is none, or out of its range.
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
            # What the delegate says of a name that it does not know.
            _, _, known = problem.partition("expected another name: ")
            if known:
                problem = (
                    f"is no option of the sparse delegate, expected {known}"
                )
            raise ArgumentError(name, problem) from error
        raise InputError(f"the sparse delegate: {reason}") from error


def _version_of(path):
    """Which sources a library is made of, or None."""
    if not path.is_file():
        return None
    try:
        version = ctypes.CDLL(str(path)).issp_delegate_version
    except (OSError, AttributeError):
        return None
    version.restype = ctypes.c_char_p
    return version().decode()
