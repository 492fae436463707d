"""The program that tries the versions of the runtimes."""

import pathlib
import warnings

import numpy as np
import pytest
import runtimes

_GOOD = {
    "float32": "taken, 1e-07",
    runtimes.NOT_SPARSE: "left alone",
    runtimes.COMPILED: "taken, 1e-07",
}


def test_the_least_a_middle_and_the_newest_version_are_chosen():
    versions = ["3.0.0", "2.5.0", "2.4.1", "2.4.0", "2.3.0", "2.2.0"]
    found = runtimes.chosen(versions, ">=2.3.0,<3")
    assert found == ["2.3.0", "2.4.1", "2.5.0"]
    assert runtimes.chosen(["2.1.0", "2.0.0"], ">=2.0.0") == ["2.0.0", "2.1.0"]
    assert runtimes.chosen(["2.1.0", "2.0.0"], ">=2.1.0") == ["2.1.0"]


def test_the_versions_are_those_of_setup_py():
    least = pathlib.Path(__file__).parent.parent / "requirements_lowest.txt"
    lines = least.read_text().splitlines()
    for runtime in runtimes.RUNTIMES:
        first, *_ = runtimes.allowed(runtime).split(",")
        assert f"{runtime}{first.replace('>=', '==')}" in lines


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("float32", "left alone"),
        ("float32", "wrong: differs by 1e-03"),
        ("float32", "2 parts, left {}"),
        (runtimes.NOT_SPARSE, "taken, 1e-07"),
        (runtimes.COMPILED, "refused: it does not"),
        ("error", "no module"),
    ],
)
def test_a_version_that_fails_is_noticed(name, text):
    assert runtimes.is_good("2.2.0", _GOOD)
    assert not runtimes.is_good("2.2.0", _GOOD | {name: text})


def test_compiled_models_are_refused_by_older_versions():
    assert not runtimes.is_good("2.1.6", _GOOD)
    refused = {runtimes.COMPILED: "refused: expected ai-edge-litert 2.2"}
    assert runtimes.is_good("2.1.6", _GOOD | refused)


def test_results_are_compared():
    ones = np.ones(1000, np.float32)
    assert runtimes._compare(ones, ones + 2e-6).startswith("taken, 2e-06")
    assert runtimes._compare(ones, ones + 2e-5).startswith("wrong")
    bytes_ = np.ones(2000, np.uint8)
    other = bytes_.copy()
    assert runtimes._compare(bytes_, other) == "taken, equal"
    other[0] = 2
    assert runtimes._compare(bytes_, other) == "taken, 99.950% equal"
    other[0] = 3
    assert runtimes._compare(bytes_, other).startswith("wrong")
    other[:3] = 2
    assert runtimes._compare(bytes_, other).startswith("wrong")


def test_a_table_has_a_line_for_each_version():
    results = {
        ("tensorflow", "2.20.0"): {"float32": "taken, 1e-07"},
        ("ai-edge-litert", "2.1.6"): _GOOD | {"int8": "wrong: all"},
    }
    _head, _line, first, second = runtimes.table(results).splitlines()
    assert first == "| tensorflow 2.20.0 | taken, 1e-07 |  |  |  |"
    assert second.endswith("| taken, 1e-07 | wrong |")


@pytest.mark.long
def test_the_runtimes_here_take_the_files(tmp_path):
    runtimes.write_files(tmp_path)
    for runtime, version in (("ai-edge-litert", "2.2"), ("tensorflow", "2.20")):
        with warnings.catch_warnings():
            # TensorFlow warns of its interpreter.
            warnings.simplefilter("ignore")
            found = runtimes.try_files(runtime, tmp_path)
        assert len(found) >= 6
        assert runtimes.is_good(version, found), (runtime, found)
