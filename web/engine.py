"""Compiles the engine to two WebAssembly files."""

import pathlib
import re

from issp_keras.files import StrPath
from issp_keras.web import compiler

# Compiler flags by the name of a build. Relaxed SIMD computes a product and a
# sum in one step. This is faster, but results may differ between CPUs.
KINDS = {
    "simd": ["-msimd128"],
    "relaxed": ["-msimd128", "-mrelaxed-simd"],
}
_FUNCTIONS = (
    "version",
    "open",
    "close",
    "input",
    "output",
    "resize",
    "run",
    "start",
    "scale",
    "tile",
    "upscale",
    "upscale_tile",
    "error",
    "describe",
)
_OTHER_CPUS = re.compile(r"avx|neon|sse4")


def sources() -> list[pathlib.Path]:
    """The C++ files of the engine that WebAssembly can run."""
    found = [
        path
        for folder in ("src", "engine")
        for path in (compiler.DELEGATE / folder).glob("*.cc")
        if not _OTHER_CPUS.search(path.stem)
    ]
    return sorted([*found, compiler.WEB / "abort.cc"])


def version() -> str:
    """A hash of the sources of the engine."""
    headers = sorted(compiler.DELEGATE.glob("*/*.h"))
    return compiler.hash_of([*sources(), *headers])


def build_wasm(output: StrPath) -> dict[str, pathlib.Path]:
    """Compiles the engine.

    Args:
        output: Path of a folder.

    Returns:
        The paths of `issp_simd.wasm` and `issp_relaxed.wasm`, by kind.

    Raises:
        InputError: If there is no `ziglang`, or it fails.
    """
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    exports = [f"-Wl,--export=issp_{name}" for name in _FUNCTIONS]
    exports += ["-Wl,--export=malloc", "-Wl,--export=free"]
    made = {}
    for kind, flags in KINDS.items():
        # The linker gets no flags of a kind, so that both kinds share the
        # standard library, which the first link compiles.
        objects = compile_kind(sources(), kind)
        made[kind] = output / f"issp_{kind}.wasm"
        compiler.link(
            objects, ["-mexec-model=reactor", "-s", *exports], made[kind]
        )
        relaxed = "-mrelaxed-simd" in flags
        compiler.optimize(made[kind], *["relaxed-simd"] * relaxed)
    return made


def compile_kind(paths, kind: str) -> list[pathlib.Path]:
    """Compiles C++ files for one kind of WebAssembly.

    Args:
        paths: List of paths.
        kind: String, a key of `KINDS`.

    Returns:
        The paths of the objects.

    Raises:
        InputError: If there is no `ziglang`, or it fails.
    """
    hidden = "-fvisibility=hidden"
    common = [*KINDS["simd"], hidden]
    # If only the version changes, only one file is compiled again.
    versioned = [*common, f'-DISSP_VERSION="{version()}"']
    # Only kernels are faster with the instructions of a kind. All kinds share
    # the other objects.
    kernels = [of for of in paths if compiler.is_kernel(of)]
    named = [of for of in paths if of.stem == "engine"]
    others = [of for of in paths if of not in [*kernels, *named]]
    return [
        *compiler.compile_objects(kernels, [*KINDS[kind], hidden]),
        *compiler.compile_objects(named, versioned),
        *compiler.compile_objects(others, common),
    ]
