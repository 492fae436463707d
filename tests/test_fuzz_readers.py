"""The parts of `fuzz_readers.py` that need no Atheris, and a short run."""

import importlib.util
import pathlib
import subprocess
import sys

import fuzz_readers
import pytest
from hostile_files import KINDS
from hostile_files import Kind

from issp_keras.errors import InputError


def test_a_seed_always_makes_the_same_change():
    seeds = [bytes(range(100)), bytes(50)]
    change = fuzz_readers.mutator(KINDS["bmp"], seeds)
    made = [change(seeds[0], 1000, seed) for seed in range(30)]
    assert made == [change(seeds[0], 1000, seed) for seed in range(30)]
    assert len(set(made)) > 20


def test_a_changed_file_is_not_larger_than_allowed():
    change = fuzz_readers.mutator(KINDS["bmp"], [bytes(100)])
    assert all(len(change(bytes(100), 60, seed)) <= 60 for seed in range(30))


def test_a_file_without_structure_is_changed_too():
    change = fuzz_readers.mutator(KINDS["pth"], [b"no ZIP file"])
    assert len({change(b"no ZIP file", 99, seed) for seed in range(30)}) > 20


@pytest.mark.parametrize("error", [None, InputError("a.bin: is none.")])
def test_a_file_may_be_taken_or_refused(tmp_path, error):
    def read(path):
        assert path.read_bytes() == b"content"
        if error:
            raise error

    fuzz_readers.reader(Kind(".bin", None, read), tmp_path)(b"content")


def test_another_error_is_a_finding(tmp_path):
    def read(path):
        raise KeyError("a")

    read = fuzz_readers.reader(Kind(".bin", None, read), tmp_path)
    with pytest.raises(fuzz_readers.Finding, match="KeyError at test_fuzz"):
        read(b"content")


@pytest.mark.long
@pytest.mark.tensorflow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="needs Atheris"
)
def test_coverage_guides_the_fuzzer(tmp_path):
    program = pathlib.Path(__file__).with_name("fuzz_readers.py")
    done = subprocess.run(
        [sys.executable, program, "result", tmp_path / "found", "-runs=200"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Done 200 runs" in done.stderr
    # Files that reach new code are kept beside the seed.
    assert len([*(tmp_path / "found").iterdir()]) > 1
