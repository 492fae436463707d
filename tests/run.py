"""Runs pytest where a build system wants a program, as Bazel does."""

import pathlib
import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(pathlib.Path(__file__).parent), *sys.argv[1:]]))
