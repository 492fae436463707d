"""Runs pytest where a build system wants a program, as Bazel does."""

import pathlib
import sys

import pytest

if __name__ == "__main__":
    root = pathlib.Path(__file__).parent.parent
    folders = [str(root / "tests"), str(root / "issp_keras")]
    sys.exit(pytest.main([*folders, *sys.argv[1:]]))
