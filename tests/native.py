"""Builds and runs the C++ code of the delegate and the engine."""

import os
import pathlib
import shutil
import subprocess

import pytest

DELEGATE = pathlib.Path(__file__).parents[1] / "tflite" / "delegate"
_SECONDS = 900


def run(*command, **environment):
    """Runs a command, which must succeed, and returns what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    return done.stdout


def need(*names):
    """Skips a test where a command is missing."""
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")


def build(folder, *programs, **options):
    """Builds some programs, or all, and returns their folder."""
    need("cmake", "c++")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    set_options = [f"-D{name}={value}" for name, value in options.items()]
    run("cmake", "-S", DELEGATE, "-B", folder, *generator, *set_options)
    targets = [part for name in programs for part in ("--target", name)]
    run("cmake", "--build", folder, "--parallel", "2", *targets)
    return folder
