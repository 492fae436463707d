"""Compiles the delegate, or the engine, with the machine's C++ compiler.

    python -m issp_keras.tflite.delegate.build
    python -m issp_keras.tflite.delegate.build --engine

`setup.py` also runs this file, so it imports only the standard library.
"""

import hashlib
import importlib.util
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile

_FOLDER = pathlib.Path(__file__).parent
_HOUSE = _FOLDER / "src"
# The code that computes networks, and its interface as a TFLite delegate.
FOLDERS = (_HOUSE, _FOLDER / "plugin")
SOURCES = sorted(path for of in FOLDERS for path in of.glob("*.cc"))
_ENGINE = (_HOUSE, _FOLDER / "engine")
NAME = "libissp_sparse_delegate.so"
ENGINE = "libissp_engine.so"
# The same as in CMakeLists.txt.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-ffp-contract=fast",
    "-fPIC",
    "-fvisibility=hidden",
    "-pthread",
)
_COMPILERS = ("c++", "g++", "clang++")


class BuildError(RuntimeError):
    """The delegate could not be compiled."""


def version(folders=FOLDERS) -> str:
    """A hash of the sources and the compiler flags."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(
        path
        for of in folders
        for kind in ("*.cc", "*.h")
        for path in of.glob(kind)
    ):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def is_current(library) -> bool:
    """Whether a delegate was compiled from the current sources.

    Args:
        library: Path of a file, which need not exist.
    """
    library = pathlib.Path(library)
    return library.is_file() and version().encode() in library.read_bytes()


def compiler() -> list[str] | None:
    """The command of a C++ compiler, or None if there is none.

    It comes from the environment variable `CXX`, from the machine, or from the
    package `ziglang`, in this order.

    Raises:
        BuildError: If `CXX` is not a command.
    """
    named = os.environ.get("CXX")
    if named:
        try:
            return shlex.split(named)
        except ValueError as error:
            raise BuildError(
                f"the environment variable CXX is {named!r}, expected a "
                f"command ({error})"
            ) from error
    for name in _COMPILERS:
        path = shutil.which(name)
        if path:
            return [path]
    if importlib.util.find_spec("ziglang"):
        # Without a target, it would compile for this CPU model only.
        target = f"{platform.machine()}-{sys.platform}"
        if sys.platform == "linux":
            target += "-gnu.2.27"
        return [sys.executable, "-m", "ziglang", "c++", "-target", target]
    return None


def _exports(door):
    """Linker flags that hide the symbols of the C++ standard library."""
    if sys.platform != "linux":
        return []
    return [f"-Wl,--version-script={door / 'exports.map'}"]


def build(output, folders=FOLDERS):
    """Compiles the delegate.

    Args:
        output: Path of the library, replaced if it exists.
        folders: Paths of the folders with sources. The last one contains the
            list of exported names. Defaults to the folders of the delegate.

    Raises:
        BuildError: If there is no compiler, or it fails.
    """
    command = compiler()
    if command is None:
        raise BuildError("there is no C++ compiler")
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        library = pathlib.Path(folder) / output.name
        arguments = [
            *command,
            *FLAGS,
            f'-DISSP_VERSION="{version(folders)}"',
            "-shared",
            "-s",
            *_exports(folders[-1]),
            *(f"-I{of}" for of in folders),
            *(str(path) for of in folders for path in sorted(of.glob("*.cc"))),
            "-o",
            str(library),
            "-ldl",
        ]
        try:
            done = subprocess.run(
                arguments, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise BuildError(f"{command[0]} cannot be run: {error}") from error
        if done.returncode or not library.is_file():
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise BuildError(f"{' '.join(command)} failed: {lines[0]}")
        library.replace(output)


def build_engine(output):
    """Compiles the engine, like `build` for the delegate."""
    build(output, _ENGINE)


if __name__ == "__main__":
    _of_engine = sys.argv[1:] == ["--engine"]
    if sys.argv[1:] and not _of_engine:
        sys.exit(__doc__)
    _output = _FOLDER / (ENGINE if _of_engine else NAME)
    try:
        (build_engine if _of_engine else build)(_output)
    except BuildError as error:
        sys.exit(f"{_output.name} is not built: {error}.")
    print(f"Wrote {_output}.")
