"""Runs the C++ tests as WebAssembly programs in Node."""

import os
import pathlib
import shutil
import subprocess

from issp_keras.errors import InputError
from issp_keras.web import compiler
from issp_keras.web import engine

_TESTS = compiler.DELEGATE / "tests"
_HERE = compiler.WEB / "tests"
# The tests' runtime calls the delegate through functions that may throw.
# Nothing throws: there is no `throw`, and `new` ends the program.
_DELEGATE_FLAGS = ["-fexceptions", "-include", str(_HERE / "one_thread.h")]
_DELEGATE = ("choice", "delegate", "node", "report", "shapes")
# The first words of the names of programs that are no tests.
_OTHER_PROGRAMS = ("fuzz_", "soak")
# Programs, and words that select their tests. Without words, all tests run.
# The other tests need more memory than 32 bits can address.
TESTS = {
    "attention": (),
    "attention_fuzz": (),
    "choice": (),
    "constant": (),
    "engine": (),
    "float16": (),
    "graph": (),
    "int8": (),
    "int8_graph": (),
    "kernels": (),
    "moves": (),
    "plan": ("tiles", "filters", "images_that", "bands", "planning"),
    "resolve": (),
    "shapes": (),
    "tiling": (),
    "views": (),
}


def build_tests(output) -> dict[str, pathlib.Path]:
    """Compiles tests of the delegate and the engine, as programs for WASI.

    Args:
        output: Path of a folder.

    Returns:
        Their paths, by name.

    Raises:
        InputError: If there is no `ziglang`, or it fails.
    """
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    shared = [
        path
        for path in sorted(_TESTS.glob("*.cc"))
        if not path.stem.endswith("_test")
        and not path.stem.startswith(_OTHER_PROGRAMS)
    ]
    flags = engine.KINDS["simd"]
    door = [compiler.DELEGATE / "plugin" / f"{name}.cc" for name in _DELEGATE]
    objects = [
        *engine.compile_kind(engine.sources(), "simd"),
        *compiler.compile_objects(shared, flags),
        *compiler.compile_objects(
            [*door, _HERE / "delegate.cc"],
            [*flags, *_DELEGATE_FLAGS, '-DISSP_VERSION="test"'],
        ),
    ]
    made = {}
    for name in TESTS:
        test = compiler.compile_objects([_TESTS / f"{name}_test.cc"], flags)
        made[name] = output / f"{name}_test.wasm"
        compiler.link([*objects, *test], [], made[name])
    return made


def run_test(path, scale: float = 0.1) -> str:
    """Runs a program of `build_tests` in Node.

    Args:
        path: Path of a program.
        scale: Float, the share of the usual number of random cases to run.

    Returns:
        What it prints.

    Raises:
        InputError: If it fails.
    """
    name = pathlib.Path(path).stem.removesuffix("_test")
    done = subprocess.run(
        [node(), "--no-warnings", _HERE / "run.mjs", path, *TESTS[name]],
        capture_output=True,
        text=True,
        env={**os.environ, "ISSP_TEST_SCALE": str(scale)},
    )
    if done.returncode:
        raise InputError(f"{path} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def node() -> str:
    """The command of Node.

    Raises:
        InputError: If there is none.
    """
    path = shutil.which("node")
    if not path:
        raise InputError("Node is not installed: install `node` 18 or newer")
    return path
