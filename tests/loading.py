"""Loads Python files that no package contains."""

import functools
import importlib.util
import pathlib
import runpy
import sys
import types

import pytest

_ROOT = pathlib.Path(__file__).parent.parent
_BENCHMARKS = _ROOT / "benchmarks"


def load_benchmark(name):
    """Imports a file of the folder of benchmarks, such as "networks"."""
    # A test module may have the same name.
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", _BENCHMARKS / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look for their module here.
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        # They import each other.
        patch.setattr(sys, "path", [*sys.path, str(_BENCHMARKS)])
        spec.loader.exec_module(module)
    return module


@functools.cache
def setup_arguments():
    """The arguments that `setup.py` gives to `setup`, as a dict."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        # Old versions of setuptools in a test environment lack this module.
        wheels = types.SimpleNamespace(bdist_wheel=object)
        patch.setitem(sys.modules, "setuptools.command.bdist_wheel", wheels)
        patch.setattr("setuptools.setup", lambda **given: found.update(given))
        runpy.run_path(str(_ROOT / "setup.py"))
    return found
