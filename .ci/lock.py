"""Writes requirements_lock.txt: the newest versions that setup.py admits.

    make lock

pip chooses the versions, for the Python that runs this. uv adds the hashes of
all files of each version. The file names no package index.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

_ROOT = pathlib.Path(__file__).parent.parent
_HEADER = """\
# The versions that .ci/run was last passed with, for Bazel and whoever wants
# the same. `make lock` writes this file.
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        pins = pathlib.Path(folder) / "pins.txt"
        pins.write_text("\n".join(_versions()))
        locked = _run(
            *("uv", "pip", "compile", pins, "--no-deps", "--generate-hashes"),
            *("--quiet", "--no-header", "--no-annotate"),
            "--no-emit-index-url",
        )
    (_ROOT / "requirements_lock.txt").write_text(_HEADER + locked)


def _versions():
    """Yields what `pip install '.[all,test]'` would install, as NAME==VERSION.

    uv would choose other versions: it ignores that a version is for older
    Pythons only.
    """
    report = _run(
        *("pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report", "-", f"{_ROOT}[all,test]"),
    )
    for package in json.loads(report)["install"]:
        about = package["metadata"]
        name = re.sub(r"[-_.]+", "-", about["name"]).lower()
        if name != "issp-keras":
            yield f"{name}=={about['version']}"


def _run(*words):
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
