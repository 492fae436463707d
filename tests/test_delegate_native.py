"""The C++ tests of the delegate, under sanitizers and under valgrind."""

import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

_DELEGATE = pathlib.Path(__file__).parents[1] / "tflite" / "delegate"
_TESTS = sorted(path.stem for path in _DELEGATE.glob("tests/*_test.cc"))
# A share of the random cases, so that all take a minute; CI may take more.
_SCALE = os.environ.get("ISSP_TEST_SCALE", "0.05")
_VALGRIND_SCALE = "0.01"
_SECONDS = 900


def _run(*command, **environment):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    return done.stdout


def _need(*names):
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")


def _build(folder, *programs, **options):
    """Builds some programs, or all, and returns where they are."""
    _need("cmake", "c++")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    set_options = [f"-D{name}={value}" for name, value in options.items()]
    _run("cmake", "-S", _DELEGATE, "-B", folder, *generator, *set_options)
    targets = [part for name in programs for part in ("--target", name)]
    _run("cmake", "--build", folder, "--parallel", "2", *targets)
    return folder


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    return _build(
        tmp_path_factory.mktemp("sanitized"),
        ISSP_TESTS="ON",
        ISSP_SANITIZE="address,undefined",
        CMAKE_BUILD_TYPE="None",
    )


@pytest.mark.parametrize("name", _TESTS)
def test_address_and_undefined_behaviour_sanitizers_find_nothing(
    sanitized, name
):
    _run(sanitized / name, ISSP_TEST_SCALE=_SCALE)


def test_thread_sanitizer_finds_nothing(tmp_path):
    names = ["thread_pool_test", "delegate_test", "attention_test"]
    _build(
        tmp_path,
        *names,
        ISSP_TESTS="ON",
        ISSP_SANITIZE="thread",
        CMAKE_BUILD_TYPE="None",
    )
    for name in names:
        _run(tmp_path / name, ISSP_TEST_SCALE=_SCALE)


@pytest.fixture(scope="module")
def optimized(tmp_path_factory):
    """The library as it is shipped, and tests of it."""
    return _build(
        tmp_path_factory.mktemp("optimized"),
        "issp_sparse_delegate",
        "kernels_test",
        "delegate_test",
        ISSP_TESTS="ON",
    )


def test_valgrind_finds_nothing(optimized):
    _need("valgrind")
    for name, *only in (
        ("kernels_test", "convolutions", "means"),
        ("delegate_test", "delegate", "resized", "report"),
    ):
        _run(
            "valgrind",
            "--quiet",
            "--error-exitcode=1",
            "--leak-check=full",
            optimized / name,
            *only,
            ISSP_TEST_SCALE=_VALGRIND_SCALE,
        )


def test_it_does_not_compile_for_32_bits():
    _need("g++")
    if platform.machine() != "x86_64":
        pytest.skip("the compiler has no option for 32 bits")
    done = subprocess.run(
        ["g++", "-m32", "-std=c++17", "-I../src", "-fsyntax-only", "plugin.cc"],
        cwd=_DELEGATE / "plugin",
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "The delegate is for 64-bit ABIs alone." in done.stderr


def _included(name):
    """All headers of ours that a file includes, at any depth."""
    text = (_DELEGATE / "src" / name).read_text()
    found = set(re.findall(r'#include "(.+)"', text))
    return found.union(*map(_included, found))


def test_what_a_network_is_depends_on_no_kernels():
    assert _included("network.h") == {"across.h", "post.h"}


def test_library_exports_only_what_it_promises(optimized):
    _need("nm")
    library = optimized / "libissp_sparse_delegate.so"
    lines = _run("nm", "--dynamic", "--defined-only", library).splitlines()
    assert sorted(line.split()[-1] for line in lines) == [
        "issp_delegate_report",
        "issp_delegate_version",
        "tflite_plugin_create_delegate",
        "tflite_plugin_destroy_delegate",
    ]
