"""The C++ tests of the delegate, under sanitizers and under valgrind."""

import os
import platform
import re
import subprocess

import pytest
from native import DELEGATE
from native import build
from native import need
from native import run

_TESTS = sorted(path.stem for path in DELEGATE.glob("tests/*_test.cc"))
# This share of the random cases takes about a minute. CI may run more.
_SCALE = os.environ.get("ISSP_TEST_SCALE", "0.05")
_VALGRIND_SCALE = "0.01"
_FUZZERS = ["fuzz_constant", "fuzz_delegate", "fuzz_engine"]


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    return build(
        tmp_path_factory.mktemp("sanitized"),
        ISSP_TESTS="ON",
        ISSP_SANITIZE="address,undefined",
        CMAKE_BUILD_TYPE="None",
    )


@pytest.mark.parametrize("name", _TESTS + _FUZZERS)
def test_address_and_undefined_behaviour_sanitizers_find_nothing(
    sanitized, name
):
    run(sanitized / name, ISSP_TEST_SCALE=_SCALE)


def test_thread_sanitizer_finds_nothing(tmp_path):
    names = ["thread_pool_test", "delegate_test", "attention_test"]
    names += ["int8_test", "engine_test"]
    build(
        tmp_path,
        *names,
        ISSP_TESTS="ON",
        ISSP_SANITIZE="thread",
        CMAKE_BUILD_TYPE="None",
    )
    for name in names:
        run(tmp_path / name, ISSP_TEST_SCALE=_SCALE)


def test_valgrind_finds_nothing(optimized):
    need("valgrind")
    for name, *only in (
        ("kernels_test", "convolutions", "means"),
        ("delegate_test", "delegate", "resized", "report"),
    ):
        run(
            "valgrind",
            "--quiet",
            "--error-exitcode=1",
            "--leak-check=full",
            optimized / name,
            *only,
            ISSP_TEST_SCALE=_VALGRIND_SCALE,
        )


def test_memory_does_not_grow(optimized):
    text = run(optimized / "soak", "3000")
    assert text.count(" inferences ") == 10


def test_it_does_not_compile_for_32_bits():
    need("g++")
    if platform.machine() != "x86_64":
        pytest.skip("the compiler has no option for 32 bits")
    done = subprocess.run(
        ["g++", "-m32", "-std=c++17", "-I../src", "-fsyntax-only", "plugin.cc"],
        cwd=DELEGATE / "plugin",
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "The delegate is for 64-bit ABIs alone." in done.stderr


def _included(name):
    """All headers of the project that a file includes, at any depth."""
    text = (DELEGATE / "src" / name).read_text()
    found = set(re.findall(r'#include "(.+)"', text))
    return found.union(*map(_included, found))


def test_what_a_network_is_depends_on_no_kernels():
    assert _included("network.h") == {"across.h", "post.h"}


def test_library_exports_only_what_it_promises(optimized):
    need("nm")
    library = optimized / "libissp_sparse_delegate.so"
    lines = run("nm", "--dynamic", "--defined-only", library).splitlines()
    assert sorted(line.split()[-1] for line in lines) == [
        "LiteRtAcceleratorImpl",
        "issp_delegate_offer",
        "issp_delegate_report",
        "issp_delegate_version",
        "tflite_plugin_create_delegate",
        "tflite_plugin_destroy_delegate",
    ]


def test_engine_exports_only_its_interface(optimized):
    need("nm")
    library = optimized / "libissp_engine.so"
    lines = run("nm", "--dynamic", "--defined-only", library).splitlines()
    header = (DELEGATE / "engine" / "issp_engine.h").read_text()
    declared = re.findall(r"ISSP_API [^;]*?(issp_\w+)\(", header)
    assert sorted(line.split()[-1] for line in lines) == sorted(declared)
