"""Nothing here opens a connection."""

import subprocess
import sys

import PIL.Image
import pytest

pytestmark = pytest.mark.tensorflow

# Ends the process at once if Python uses the network, so that no code can
# catch an error.
_GUARD = """
import os, sys
FORBIDDEN = ("connect", "getaddrinfo", "gethostbyname", "sendto")
def watch(event, arguments):
    if event.startswith("socket.") and event.split(".")[1] in FORBIDDEN:
        print(event, arguments, file=sys.stderr)
        os._exit(9)
sys.addaudithook(watch)
"""
_ISSP = """
from issp_keras.programs.issp import run
sys.argv[0] = "issp"
run()
"""


def _run(program, *words, cwd):
    return subprocess.run(
        [sys.executable, "-c", _GUARD + program, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_guard_sees_connections(tmp_path):
    program = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert _run(program, cwd=tmp_path).returncode == 9


_IMPORT_ALL = """
import importlib, pkgutil, warnings
import issp_keras
warnings.simplefilter("ignore")

def see(package):
    module = importlib.import_module(package)
    count = 1
    for found in pkgutil.iter_modules(module.__path__, f"{package}."):
        name = found.name.split(".")[-1]
        if found.ispkg and name != "tests":
            count += see(found.name)
        # Others run when they are imported, or are no modules of Python.
        elif name != "__main__" and not name.startswith("lib"):
            importlib.import_module(found.name)
            count += 1
    return count

folders = ["issp_keras", *map("issp_keras.{}".format, FOLDERS)]
print(sum(map(see, folders)))
""".replace("FOLDERS", repr(("configs", "tflite", "web")))


@pytest.mark.long
def test_no_module_opens_a_connection_when_it_is_imported(tmp_path):
    done = _run(_IMPORT_ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 250


@pytest.mark.long
def test_commands_open_no_connection(tmp_path):
    PIL.Image.new("RGB", (40, 30), "teal").save(tmp_path / "photo.png")
    commands = [
        "--help",
        "models",
        "train --config=quickstart --workdir=run --config.steps=2 "
        "--config.steps_per_epoch=2 --config.sparsity.end_step=1",
        "evaluate --model=run/model.keras",
        "export run/model.keras",
        "inspect run/model_float32_sparse.tflite",
        "upscale --model=run/model_float32_sparse.tflite photo.png "
        "--delegate=sparse",
        "benchmark run/model_float32_sparse.tflite --rounds=2",
        "upscale photo.png --output=again.png",
    ]
    for command in commands:
        done = _run(_ISSP, *command.split(), cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (tmp_path / "photo_x2.png").exists()
    assert (tmp_path / "again.png").exists()
