"""Builds wheels with the sparse delegate, for Linux on x86-64 and aarch64.

    .venv/bin/python .ci/wheels.py dist
    .venv/bin/python .ci/wheels.py dist x86_64

They need the package ziglang, which compiles for either processor, against a
C library that is old enough for all systems since 2018. The wheels are for
every version of Python that issp_keras admits.
"""

import importlib.util
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import zipfile

_ROOT = pathlib.Path(__file__).parent.parent
_PROCESSORS = ("x86_64", "aarch64")
_LIBC = (2, 27)
_LIBRARY = "issp_keras/tflite/delegate/libissp_sparse_delegate.so"


def build(output, processor: str, compiler: str | None = None) -> pathlib.Path:
    """Builds one wheel.

    Args:
        output: Path of the folder to put it into.
        processor: One of "x86_64" and "aarch64".
        compiler: String, the command of a C++ compiler for that processor and
            for systems that are old enough. Defaults to that of ziglang.

    Returns:
        Path of the wheel.
    """
    platform = f"manylinux_{_LIBC[0]}_{_LIBC[1]}_{processor}"
    with tempfile.TemporaryDirectory() as folder:
        # Files that an earlier build left in the tree must not get into it.
        settings = pathlib.Path(folder) / "settings.cfg"
        settings.write_text(
            f"[build]\nbuild_base = {folder}/build\n"
            f"[egg_info]\negg_base = {folder}\n"
            f"[bdist_wheel]\nplat_name = {platform}\n"
        )
        wheels = pathlib.Path(folder) / "wheels"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "wheel", "--quiet"),
                *("--no-deps", f"--wheel-dir={wheels}", str(_ROOT)),
            ],
            env=os.environ
            | {
                "CXX": compiler or _zig(processor),
                "DIST_EXTRA_CONFIG": str(settings),
            },
            check=True,
        )
        [wheel] = wheels.iterdir()
        with zipfile.ZipFile(wheel) as content:
            # If the library cannot be compiled, the wheel lacks it.
            if _LIBRARY not in content.namelist():
                sys.exit(f"{wheel.name}: {_LIBRARY} could not be compiled.")
        output = pathlib.Path(output)
        output.mkdir(parents=True, exist_ok=True)
        made = output / wheel.name
        made.write_bytes(wheel.read_bytes())
    return made


def _zig(processor):
    """The command of zig. pip hides the package ziglang from the build."""
    found = importlib.util.find_spec("ziglang")
    if found is None:
        sys.exit("ziglang is not installed: pip install 'issp-keras[delegate]'")
    program = pathlib.Path(found.submodule_search_locations[0]) / "zig"
    target = f"{processor}-linux-gnu.{_LIBC[0]}.{_LIBC[1]}"
    return f"{shlex.quote(str(program))} c++ -target {target}"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    _output, *_named = sys.argv[1:]
    for _processor in _named or _PROCESSORS:
        print(f"Wrote {build(_output, _processor)}.")
