"""Runs pytest as a program, for build systems like Bazel."""

import pathlib
import sys

import pytest

if __name__ == "__main__":
    root = pathlib.Path(__file__).parent.parent
    folders = [str(root / "tests"), str(root / "issp_keras")]
    sys.exit(pytest.main([*folders, *sys.argv[1:]]))
