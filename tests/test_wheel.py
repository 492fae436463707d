"""A wheel has all files that the package needs, and works when installed."""

import pathlib
import platform
import runpy
import shlex
import subprocess
import sys
import sysconfig
import zipfile

import native
import pytest

from issp_keras import __version__
from issp_keras.inference import bundled_networks
from issp_keras.tflite import delegate
from issp_keras.tflite.delegate import build

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]

ROOT = pathlib.Path(__file__).parent.parent
# Compiling takes minutes, so this compiler copies a library.
_COMPILER = """\
import shutil, sys
shutil.copy(sys.argv[1], sys.argv[sys.argv.index("-o") + 1])
"""


def _build(folder, processor, library):
    script = folder / "compiler.py"
    script.write_text(_COMPILER)
    compiler = shlex.join([sys.executable, str(script), str(library)])
    namespace = runpy.run_path(str(ROOT / ".ci" / "wheels.py"))
    return namespace["build"](folder, processor, compiler)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel for this machine."""
    folder = tmp_path_factory.mktemp("wheel")
    return _build(folder, platform.machine(), delegate.library())


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Python of a fresh environment with the wheel.

    Other packages come from the environment of the tests. That environment
    has only a link to issp_keras.
    """
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder], check=True
    )
    python = folder / "bin" / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", f"--python={python}", "install"),
            *("--quiet", "--no-deps", "--no-index", wheel),
        ],
        check=True,
    )
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return python


def _run(python, *arguments):
    done = subprocess.run(
        [python, *arguments],
        cwd=python.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_is_for_every_python_and_a_processor(wheel):
    tag = f"py3-none-manylinux_2_27_{platform.machine()}"
    assert wheel.name == f"issp_keras-{__version__}-{tag}.whl"


def test_a_wheel_has_what_is_no_python(wheel):
    with zipfile.ZipFile(wheel) as content:
        names = {*content.namelist()}
    assert {
        "issp_keras/py.typed",
        "issp_keras/configs/quickstart.py",
        "issp_keras/inference/networks/networks.json",
        *(
            f"issp_keras/inference/networks/{path.name}"
            for network in bundled_networks()
            for path in (network.keras, network.tflite, network.int8)
        ),
        "issp_keras/report/report.css",
        "issp_keras/tflite/delegate/CMakeLists.txt",
        f"issp_keras/tflite/delegate/{build.NAME}",
        "issp_keras/web/abort.cc",
    } <= names
    assert not [name for name in names if "/tests/" in name]


def test_cmake_accepts_the_delegate_of_a_wheel(wheel, tmp_path):
    native.need("cmake", "c++")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path)
    source = tmp_path / "issp_keras" / "tflite" / "delegate"
    native.run("cmake", "-S", source, "-B", tmp_path / "build")


def test_every_module_is_in_a_wheel(wheel):
    with zipfile.ZipFile(wheel) as content:
        names = {*content.namelist()}
    folders = {
        "issp_keras": ROOT / "issp_keras",
        "issp_keras/configs": ROOT / "configs",
        "issp_keras/tflite": ROOT / "tflite",
        "issp_keras/web": ROOT / "web",
    }
    expected = {
        f"{name}/{path.relative_to(folder)}"
        for name, folder in folders.items()
        for path in folder.rglob("*.py")
        if "delegate/tests" not in str(path)
    }
    assert expected <= names


def test_an_installed_wheel_runs(python):
    issp = python.with_name("issp")
    assert _run(issp, "--version") == f"issp_keras {__version__}\n"
    folder = _run(python, "-c", "import issp_keras; print(issp_keras.__file__)")
    assert folder.startswith(str(python.parent.parent))
    assert "x4" in _run(issp, "models")


def test_the_delegate_of_an_installed_wheel_is_loaded(python):
    printed = _run(
        python,
        "-c",
        "from issp_keras.tflite import delegate\n"
        "delegate.load()\n"
        "print(delegate.library())",
    )
    assert printed.startswith(str(python.parent.parent))


def test_a_wheel_is_built_for_another_processor(tmp_path):
    library = tmp_path / "library.so"
    library.write_bytes(b"aarch64")
    wheel = _build(tmp_path, "aarch64", library)
    assert wheel.name.endswith("-py3-none-manylinux_2_27_aarch64.whl")
    with zipfile.ZipFile(wheel) as content:
        found = content.read(f"issp_keras/tflite/delegate/{build.NAME}")
    assert found == b"aarch64"


def test_no_wheel_is_left_without_the_delegate(tmp_path):
    with pytest.raises(SystemExit, match="could not be compiled"):
        _build(tmp_path, "aarch64", tmp_path / "missing.so")
    assert not list(tmp_path.glob("*.whl"))
