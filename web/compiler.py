"""Compiles C++ to WebAssembly, with the clang of ziglang."""

import concurrent.futures
import functools
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from issp_keras import files
from issp_keras.errors import InputError

WEB = pathlib.Path(__file__).resolve().parent
# Its place is the same in a checkout and in an installed package.
DELEGATE = WEB.parent / "tflite" / "delegate"

_ZIG = "ziglang"
_TARGET = ("c++", "-target", "wasm32-wasi")
_FLAGS = (
    "-std=c++17",
    "-ffp-contract=fast",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
)
_FOLDERS = ("src", "engine", "plugin", "tests")
# The loops that need unrolling have a pragma.
_FAST = ("-O3", "-fno-unroll-loops")
# zig takes -Oz as -Os.
_SMALL = ("-Oz", "-Xclang", "-Oz")
# These passes make the smallest gzip file. Moving a large function into its
# only caller makes a larger one. --ignore-implicit-traps is not used: it made
# the engine read outside of its memory.
_SMALLER = (
    "--one-caller-inline-max-function-size=22",
    "--skip-pass=local-cse",
    *("--flatten", "--rereloop"),
    *(("-Oz", "--converge") * 2),
)
_JOBS = min(2, os.cpu_count() or 1)
# All browsers with SIMD have these features too.
_FEATURES = (
    "simd",
    "bulk-memory",
    "nontrapping-float-to-int",
    "sign-ext",
    "mutable-globals",
    "multivalue",
    "reference-types",
)


def hash_of(paths) -> str:
    """A hash of the names and contents of files.

    Args:
        paths: List of paths.

    Returns:
        String of 16 characters.
    """
    digest = hashlib.sha256()
    for path in map(pathlib.Path, paths):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_kernel(path: pathlib.Path) -> bool:
    """Whether a C++ file computes pixels. All others are compiled small."""
    return path.stem.endswith("_portable")


def compile_objects(sources, flags) -> list[pathlib.Path]:
    """Compiles the files that have changed since the last time.

    Args:
        sources: List of paths of C++ files.
        flags: List of strings, further flags of the compiler.

    Returns:
        The paths of the objects, in the user's cache.

    Raises:
        InputError: If there is no `ziglang`, or it fails.
    """
    folder = files.cache_folder() / "web"
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(_JOBS) as pool:
        return list(pool.map(lambda of: _object(of, folder, flags), sources))


def link(objects, flags, output):
    """Links objects to a program or a library.

    Args:
        objects: List of paths.
        flags: List of strings, further flags of the linker.
        output: Path of the `.wasm` file, replaced if it exists.

    Raises:
        InputError: If the linker fails.
    """
    command = [*_compiler(), *_TARGET, *flags]
    command += ["-O3", "-fno-exceptions", "-Wl,--gc-sections"]
    with files.replacing(output) as partial:
        run([*command, *objects, "-o", partial], output)


def optimize(path, *features):
    """Makes a program smaller with Binaryen's `wasm-opt`, if it is installed.

    Args:
        path: Path of the `.wasm` file, which is replaced.
        *features: Strings, the features that it uses besides SIMD.
    """
    program = optimizer()
    if program is None:
        return
    enabled = [f"--enable-{of}" for of in (*_FEATURES, *features)]
    with files.replacing(path) as partial:
        run([program, *_SMALLER, *enabled, path, "-o", partial], path)


def optimizer() -> str | None:
    """The path of `wasm-opt`, or None if there is none."""
    # `make web` installs Binaryen in this folder with npm.
    beside = WEB / "node_modules" / ".bin"
    return shutil.which("wasm-opt", path=beside) or shutil.which("wasm-opt")


def run(command, output):
    """Runs a command.

    Args:
        command: List of strings and paths.
        output: Path of the file that it writes.

    Raises:
        InputError: If it fails. The message has its first error.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        reason = next((of for of in lines if "error:" in of), lines[0])
        program = pathlib.Path(command[0]).name
        raise InputError(f"{program} cannot make {output}: {reason}")


@functools.cache
def _compiler():
    if importlib.util.find_spec(_ZIG) is None:
        raise InputError(
            "WebAssembly is compiled with ziglang, which is not installed: "
            f"{sys.executable} -m pip install ziglang"
        )
    return [sys.executable, "-m", _ZIG]


def _object(path, folder, flags):
    command = [
        *_compiler(),
        *_TARGET,
        *_FLAGS,
        *flags,
        *(_FAST if is_kernel(path) else _SMALL),
        *(f"-I{DELEGATE / name}" for name in _FOLDERS),
        "-c",
        str(path),
    ]
    name = hashlib.sha256(" ".join(command).encode()).hexdigest()[:16]
    made = folder / f"{path.stem}-{name}.o"
    used, stamp = made.with_suffix(".d"), made.with_suffix(".stamp")
    if stamp.exists() and stamp.read_text() == _state(used):
        return made
    stamp.unlink(missing_ok=True)
    run([*command, "-MD", "-MF", used, "-o", made], made)
    stamp.write_text(_state(used))
    return made


def _state(used):
    """A hash of the project's files that the compiler has read."""
    digest = hashlib.sha256()
    for name in used.read_text().replace("\\\n", " ").split()[1:]:
        path = pathlib.Path(name)
        if WEB.parent in path.parents:
            digest.update(path.read_bytes() if path.exists() else b"gone")
    return digest.hexdigest()
