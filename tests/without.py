"""Runs Python as if some packages were not installed."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent

_HIDING = """\
import sys

class Hiding:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {}:
            return None
        return self._finder.find_spec(name, path, target)

sys.meta_path[:] = map(Hiding, sys.meta_path)
"""
_ISSP = """\
sys.argv[0] = "issp"
from issp_keras.programs.issp import run
run()
"""


def run_without(packages, code, *arguments, cwd=ROOT, **environment):
    """Runs Python code in a separate process."""
    return subprocess.run(
        [sys.executable, "-c", _HIDING.format([*packages]) + code, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def issp_without(packages, *words, **environment):
    """Runs the command `issp`."""
    return run_without(packages, _ISSP, *map(str, words), **environment)
