"""Builds the engine for WebAssembly, and the page that shows what it does.

    pip install ziglang
    python web/build.py                           # web/dist
    python web/build.py OUTPUT --network NAME=NETWORK.tflite
    python web/build.py --tests                   # of C++, under Node

Sources that did not change are not compiled again.
"""

import argparse
import base64
import concurrent.futures
import functools
import gzip
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

_WEB = pathlib.Path(__file__).resolve().parent
_ROOT = _WEB.parent
_DELEGATE = _ROOT / "tflite" / "delegate"
_TESTS = _DELEGATE / "tests"
_OBJECTS = _WEB / ".build"

# By the name of a build. Products and sums in one step are not as exact as
# WebAssembly asks for otherwise, and faster.
KINDS = {
    "simd": ["-msimd128"],
    "relaxed": ["-msimd128", "-mrelaxed-simd"],
}
# Tests of C++, and what their names contain where others need the delegate, or
# more memory than there is: all, if that is nothing.
TESTS = {
    "constant": (
        "constants_of",
        "all_numbers",
        "that_are_no",
        "corrupt_constants",
    ),
    "engine": (),
    "int8": (),
    "plan": ("tiles", "filters", "images_that", "bands", "planning"),
    "views": (),
}
_ZIG = "ziglang"
_TARGET = ("c++", "-target", "wasm32-wasi")
_FLAGS = (
    "-std=c++17",
    "-ffp-contract=fast",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
)
_FUNCTIONS = (
    "version",
    "open",
    "close",
    "input",
    "output",
    "resize",
    "run",
    "start",
    "scale",
    "tile",
    "upscale",
    "upscale_tile",
    "error",
    "describe",
)
_FASTER = ("-O3",)
# Zig takes the first as -Os.
_SMALLER = ("-Oz", "-Xclang", "-Oz")
# They compute pixels; all others are to be small.
_FAST = re.compile(r"_portable$|^execute$")
_OTHER_CPUS = re.compile(r"avx|neon|sse4")
_IMPORT = re.compile(r'^import (?:(\{[^}]*\}) from )?"(.*?)";$', re.MULTILINE)
_JOBS = min(2, os.cpu_count() or 1)


class BuildError(RuntimeError):
    """Something could not be built."""


def sources() -> list[pathlib.Path]:
    """The C++ files of the engine that WebAssembly can run."""
    found = [*_DELEGATE.glob("src/*.cc"), *_DELEGATE.glob("engine/*.cc")]
    wanted = [path for path in found if not _OTHER_CPUS.search(path.stem)]
    return sorted([*wanted, _WEB / "abort.cc"])


def version() -> str:
    """Names the sources of the engine, by a hash."""
    digest = hashlib.sha256()
    for path in (*sources(), *sorted(_DELEGATE.glob("*/*.h"))):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build_wasm(output) -> dict[str, pathlib.Path]:
    """Compiles the engine.

    Args:
        output: Path of a folder.

    Returns:
        The paths of `issp_simd.wasm` and `issp_relaxed.wasm`, by kind.

    Raises:
        BuildError: If there is no `ziglang`, or it fails.
    """
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind, flags in KINDS.items():
        objects = _compile(sources(), kind, flags)
        made[kind] = output / f"issp_{kind}.wasm"
        exports = [f"-Wl,--export=issp_{name}" for name in _FUNCTIONS]
        exports += ["-Wl,--export=malloc", "-Wl,--export=free"]
        _link(objects, ["-mexec-model=reactor", "-s", *exports], made[kind])
        _optimize(made[kind], kind)
    return made


def build_tests(output) -> dict[str, pathlib.Path]:
    """Compiles tests of the engine, as programs for WASI.

    Args:
        output: Path of a folder.

    Returns:
        Their paths, by name.
    """
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    flags = KINDS["simd"]
    shared = [of for of in _TESTS.glob("*.cc") if not of.stem.endswith("_test")]
    shared = [of for of in shared if not of.stem.startswith("fuzz_")]
    shared.append(_WEB / "no_delegate.cc")
    objects = _compile([*sources(), *sorted(shared)], "simd", flags)
    made = {}
    for name in TESTS:
        test = _compile([_TESTS / f"{name}_test.cc"], "simd", flags)
        made[name] = output / f"{name}_test.wasm"
        _link([*objects, *test], [], made[name])
    return made


def run_test(path, scale: float = 0.1) -> str:
    """Runs what `build_tests` made, under Node.

    Args:
        path: Path of a program.
        scale: Float, the number of random cases as a share of the usual one.

    Returns:
        What it prints.

    Raises:
        BuildError: If it fails.
    """
    name = pathlib.Path(path).stem.removesuffix("_test")
    program = [node(), "--no-warnings", _WEB / "run_test.mjs"]
    done = subprocess.run(
        [*program, path, *TESTS[name]],
        capture_output=True,
        text=True,
        env={**os.environ, "ISSP_TEST_SCALE": str(scale)},
    )
    if done.returncode:
        raise BuildError(f"{path} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def node() -> str:
    """The command of Node."""
    path = shutil.which("node")
    if not path:
        raise BuildError("there is no Node: install `node` 18 or newer")
    return path


def build_demo(output, networks, wasm=None) -> pathlib.Path:
    """Writes the demo page, which needs no other file and no network.

    Args:
        output: Path of the HTML file.
        networks: Dict of the paths of `.tflite` files by the names that
            visitors choose from; the first is chosen at first.
        wasm: Dict of the paths of the engine by kind. Defaults to what
            `build_wasm` makes.

    Returns:
        The path.

    Raises:
        BuildError: If there is no network, or the engine cannot be built.
    """
    if not networks:
        raise BuildError("the page needs a network, and there is none")
    wasm = wasm or build_wasm(_WEB / "dist")
    data = {
        "wasm": {kind: _packed(path) for kind, path in wasm.items()},
        "networks": [
            {"name": name, "bytes": _packed(path)}
            for name, path in networks.items()
        ],
        "workers": {
            "engine": _script("worker.js"),
            "png": _script("png_worker.js"),
        },
    }
    style = (_WEB / "page" / "demo.css").read_text()
    script = _script("demo.js")
    parts = {
        "policy": _policy(style, script),
        "style": style,
        # No text may end the script that it stands in.
        "data": json.dumps(data).replace("</", "<\\/"),
        "script": script,
    }
    page = (_WEB / "page" / "demo.html").read_text()
    page = re.sub(r"/\* (\w+) \*/", lambda found: parts[found[1]], page)
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page)
    return output


def export_bundled(folder) -> dict[str, pathlib.Path]:
    """Writes the networks that the package has as `.tflite` files.

    Raises:
        BuildError: If there is no Keras, or no TensorFlow.
    """
    try:
        from issp_keras.models import load_model
        from issp_keras.tflite import export
    except ImportError as error:
        raise BuildError(
            f"the bundled network cannot be exported ({error}): "
            "give --network NAME=NETWORK.tflite"
        ) from error
    path = pathlib.Path(folder) / "quickstart_x4.tflite"
    bundled = _ROOT / "issp_keras" / "inference" / "quickstart_x4.keras"
    export(load_model(bundled), path, "float16")
    return {"Quickstart x4": path}


def _packed(path):
    """A file in gzip and base64, which is how the page holds it."""
    data = pathlib.Path(path).read_bytes()
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _script(name):
    """A module of the page, and before it those that it imports.

    A page that is opened from disk may not load modules.
    """
    names: dict[pathlib.Path, str] = {}
    texts = []

    def add(path):
        if path in names:
            return names[path]
        text = _IMPORT.sub(
            lambda found: (
                f"const {found[1] or '{}'} = "
                f"{add((path.parent / found[2]).resolve())};"
            ),
            path.read_text(),
        )
        exported = re.findall(r"^export (?:async )?\w+ (\w+)", text, re.M)
        exported += re.findall(r"^export \{(.*)\};$", text, re.M)
        text = re.sub(r"^export \{.*\};\n", "", text, flags=re.M)
        text = re.sub(r"^export ", "", text, flags=re.M)
        names[path] = f"module{len(names)}"
        end = f"return {{ {', '.join(exported)} }};"
        texts.append(f"const {names[path]} = (() => {{\n{text}{end}\n}})();\n")
        return names[path]

    add(_WEB / "page" / name)
    return "".join(texts)


def _policy(style, script):
    """What the page may do: run these two, and nothing from elsewhere."""
    style, script = (
        base64.b64encode(hashlib.sha256(of.encode()).digest()).decode()
        for of in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; "
        f"script-src 'sha256-{script}' 'wasm-unsafe-eval' blob:; "
        "worker-src blob:; img-src blob: data:; base-uri 'none'; "
        "form-action 'none'"
    )


@functools.cache
def _compiler():
    if importlib.util.find_spec(_ZIG) is None:
        raise BuildError(
            "WebAssembly is compiled with ziglang, which is not installed: "
            f"{sys.executable} -m pip install ziglang"
        )
    return [sys.executable, "-m", _ZIG]


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        reason = next((of for of in lines if "error:" in of), lines[0])
        program = pathlib.Path(command[0]).name
        raise BuildError(f"{program} cannot make {command[-1]}: {reason}")


def _compile(paths, kind, flags):
    """Compiles what changed. Returns the paths of the objects."""
    folder = _OBJECTS / kind
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(_JOBS) as pool:
        return list(pool.map(lambda of: _object(of, folder, flags), paths))


def _object(path, folder, flags):
    made = folder / f"{path.stem}.o"
    used, stamp = made.with_suffix(".d"), made.with_suffix(".stamp")
    command = [
        *_compiler(),
        *_TARGET,
        *_FLAGS,
        *flags,
        *(_FASTER if _FAST.search(path.stem) else _SMALLER),
        *(f"-I{_DELEGATE / name}" for name in ("src", "engine", "tests")),
    ]
    if path.stem == "engine":
        command.append(f'-DISSP_VERSION="{version()}"')
    if stamp.exists() and stamp.read_text() == _state(command, used):
        return made
    _run([*command, "-MD", "-MF", used, "-c", path, "-o", made])
    stamp.write_text(_state(command, used))
    return made


def _state(command, used):
    """A hash of a command, and of the files that it read."""
    digest = hashlib.sha256(" ".join(map(str, command)).encode())
    for name in used.read_text().replace("\\\n", " ").split()[1:]:
        path = pathlib.Path(name)
        if _ROOT in path.parents:
            digest.update(path.read_bytes() if path.exists() else b"gone")
    return digest.hexdigest()


# Without what the kinds differ in, so that the standard library, which is
# compiled at the first time, is the same for both.
def _link(objects, flags, output):
    _run(
        [
            *_compiler(),
            *_TARGET,
            *flags,
            "-O3",
            "-fno-exceptions",
            "-Wl,--gc-sections",
            *objects,
            "-o",
            output,
        ]
    )


def _optimize(path, kind):
    """Makes a program smaller with Binaryen, where that is installed."""
    program = shutil.which("wasm-opt")
    if program is None:
        return
    # What all that have SIMD have too.
    features = ["simd", "bulk-memory", "nontrapping-float-to-int", "sign-ext"]
    features += ["mutable-globals", "multivalue", "reference-types"]
    if kind == "relaxed":
        features.append("relaxed-simd")
    enabled = [f"--enable-{of}" for of in features]
    _run([program, "-O3", "-Oz", "--converge", *enabled, path, "-o", path])


def _networks(given):
    networks = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not separator or not pathlib.Path(path).is_file():
            raise BuildError(
                f"--network={text}: expected NAME=PATH of a .tflite file"
            )
        networks[name] = path
    return networks


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", nargs="?", default=_WEB / "dist")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a network of the page; may be given several times",
    )
    parser.add_argument(
        "--tests", action="store_true", help="run the tests of C++ alone"
    )
    flags = parser.parse_args(arguments)
    output = pathlib.Path(flags.output)
    if flags.tests:
        for path in build_tests(_OBJECTS / "tests").values():
            print(run_test(path), end="")
        return
    wasm = build_wasm(output)
    with tempfile.TemporaryDirectory() as folder:
        networks = _networks(flags.network) or export_bundled(folder)
        page = build_demo(output / "demo.html", networks, wasm)
    for path in (*wasm.values(), page):
        size = path.stat().st_size
        packed = len(gzip.compress(path.read_bytes(), 9))
        print(f"Wrote {path}, {size:,} bytes, {packed:,} in gzip.")


if __name__ == "__main__":
    try:
        main()
    except BuildError as error:
        sys.exit(f"{error}.")
