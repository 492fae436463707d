"""Runs the delegate as code for 64-bit ARM, under qemu.

    python tflite/delegate/tests/aarch64.py FOLDER [NETWORK.tflite ...]

Needs a Debian or a system like it, and a Python package index: emulator, C
library, Python and TFLite for ARM are downloaded to FOLDER, where they stay,
and nothing is installed. The delegate and its C++ tests are compiled by
`aarch64-linux-gnu-g++`, or by the package `ziglang`. Then the tests run, and
each network runs with and without the delegate.

Ends with 77, and one sentence, if something that it needs cannot be had.
"""

import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

_DELEGATE = pathlib.Path(__file__).parents[1]
_CANNOT = 77
_TOLERANCE = 1e-5
_SECONDS = 1200
# The packages that Python and NumPy need. apt adds their dependencies.
_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
# TFLite reads the CPU's type from /proc/cpuinfo. qemu shows that of the host.
_CPU = """\
processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp \
cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0b
CPU revision\t: 0
"""
_COMPARE = """
import sys

import numpy as np
from ai_edge_litert import interpreter as litert

library, *networks = sys.argv[1:]
off = 0
for network in networks:
    found = []
    for options in (None, {"kernels": "neon"}, {"kernels": "portable"}):
        delegates = [
            litert.load_delegate(library, {"always": "1", **options})
        ] if options else []
        interpreter = litert.Interpreter(
            network, experimental_delegates=delegates, num_threads=1
        )
        [of] = interpreter.get_input_details()
        shape = [1, 23, 31, of["shape"][-1]]
        if of["shape_signature"][1] < 0:
            interpreter.resize_tensor_input(of["index"], shape)
        else:
            shape = of["shape"]
        interpreter.allocate_tensors()
        image = np.random.default_rng(1).random(shape, np.float32)
        interpreter.set_tensor(of["index"], image)
        interpreter.invoke()
        [of] = interpreter.get_output_details()
        found.append(interpreter.get_tensor(of["index"]).copy())
    expected, neon, portable = found
    off = np.abs(neon - expected).max() / np.abs(expected).max()
    print(f"{network}: {off:.1e} off")
    if not off <= float(TOLERANCE):
        sys.exit("The delegate and TFLite differ.")
    if not np.array_equal(neon, portable):
        sys.exit("The kernels for NEON and the portable ones differ.")
""".replace("TOLERANCE", repr(str(_TOLERANCE)))


class CannotError(Exception):
    """Something that is needed is not available."""


def main(folder, networks):
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    command = compiler(folder)
    run_on_arm = emulator(folder)
    library, tests = build(folder, command)
    environment = {"ISSP_TEST_SCALE": os.environ.get("ISSP_TEST_SCALE", "0.02")}
    for test in tests:
        print(run(run_on_arm(test), **environment), end="", flush=True)
    if not networks:
        return
    python, site = packages(folder)
    print(
        run(
            run_on_arm(python, "-S", "-c", _COMPARE, library, *networks),
            PYTHONPATH=str(site),
        ),
        end="",
    )


def run(command, cannot=None, **environment):
    """Runs a command. If it fails, `cannot` is the reason in the error."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env={**os.environ, **environment},
        )
    except OSError as error:
        raise CannotError(cannot or str(error)) from error
    if done.returncode == 0:
        return done.stdout
    if cannot:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise CannotError(f"{cannot}: {last[0]}")
    print(done.stdout, done.stderr, sep="", file=sys.stderr)
    sys.exit(f"Failed with {done.returncode}: {command[0]}.")


def once(path, make):
    """Makes a folder if it is missing. A half-made folder is not kept."""
    if path.is_dir():
        return path
    half = path.with_name(path.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    make(half)
    half.rename(path)
    return path


def compiler(folder):
    """The command of a C++ compiler for ARM."""
    cross = shutil.which("aarch64-linux-gnu-g++")
    if cross:
        return [cross]
    zig = [sys.executable, "-m", "ziglang"]
    if not importlib.util.find_spec("ziglang"):
        site = once(folder / "zig", lambda half: pip_install(half, "ziglang"))
        zig = ["env", f"PYTHONPATH={site}", *zig]
    # zig's checks for undefined behaviour need a runtime, which is missing.
    flags = ["-target", "aarch64-linux-gnu.2.27", "-fno-sanitize=all"]
    return [*zig, "c++", *flags]


def pip_install(half, name):
    run(
        [sys.executable, "-m", "pip", "install", "--target", half, name],
        f"the package {name} cannot be installed",
    )


def emulator(folder):
    """Returns a function that changes a command so that it runs on ARM."""
    root = once(folder / "root", lambda half: make_root(folder, half))
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not qemu:
        unpacked = once(folder / "qemu", lambda half: get_qemu(folder, half))
        qemu = unpacked / "usr" / "bin" / "qemu-aarch64-static"
    return lambda *command: [qemu, "-L", root, *command]


def apt(folder):
    """The settings of a separate apt that knows the packages for ARM."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotError("qemu cannot be had, since there is no apt-get")
    own = folder / "apt"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (own / part).mkdir(parents=True, exist_ok=True)
    (own / "state" / "status").touch()
    host = run(["dpkg", "--print-architecture"], "there is no dpkg").strip()
    settings = own / "apt.conf"
    settings.write_text(
        'APT::Architecture "arm64";\n'
        f'APT::Architectures {{ "arm64"; "{host}"; }};\n'
        f'Dir::State "{own / "state"}";\n'
        f'Dir::State::lists "{own / "state" / "lists"}";\n'
        f'Dir::State::status "{own / "state" / "status"}";\n'
        f'Dir::Cache "{own / "cache"}";\n'
        'Debug::NoLocking "1";\n'
        # As root, apt would download as another user, who may lack access.
        'APT::Sandbox::User "";\n'
    )
    if not any((own / "state" / "lists").glob("*Packages*")):
        run(
            ["apt-get", "-c", settings, "-qq", "update"],
            "lists of packages for ARM cannot be downloaded",
        )
    return own, settings, host


def make_root(folder, half):
    own, settings, _ = apt(folder)
    run(
        [
            "apt-get",
            *("-c", settings, "-qq", "--yes", "--download-only"),
            *("--no-install-recommends", "install", *_PACKAGES),
        ],
        "packages for ARM cannot be downloaded",
    )
    for package in sorted((own / "cache" / "archives").glob("*_a*.deb")):
        run(["dpkg-deb", "-x", package, half], "a package is broken")
    (half / "proc").mkdir(exist_ok=True)
    (half / "proc" / "cpuinfo").write_text(_CPU)


def get_qemu(folder, half):
    own, settings, host = apt(folder)
    name = f"qemu-user-static:{host}"
    done = ["apt-get", "-c", settings, "-qq", "download", name]
    package = run(
        ["apt-get", "-c", settings, "-qq", "--print-uris", "download", name],
        "qemu-user-static is not among the packages",
    )
    file = re.search(r" (\S+\.deb) ", package)
    if not file:
        raise CannotError("qemu-user-static is not among the packages")
    run(["env", "-C", own, *done], "qemu-user-static cannot be downloaded")
    run(["dpkg-deb", "-x", own / file[1], half], "qemu-user-static is broken")


def packages(folder):
    """A Python for ARM, and the folder of its packages."""
    found = sorted((folder / "root" / "usr" / "bin").glob("python3.[0-9]*"))
    if not found:
        raise CannotError("the packages for ARM have no Python")
    version = found[0].name.removeprefix("python")
    site = once(folder / "site", lambda half: get_packages(half, version))
    return found[0], site


def get_packages(half, version):
    glibc = [f"manylinux_2_{minor}_aarch64" for minor in (17, 27, 28)]
    platforms = [*glibc, "manylinux2014_aarch64"]
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--target", half),
            *(f"--platform={platform}" for platform in platforms),
            f"--python-version={version}",
            "--only-binary=:all:",
            "ai-edge-litert",
        ],
        f"ai-edge-litert for ARM and Python {version} cannot be downloaded",
    )


def build(folder, command):
    """Compiles the delegate, and its tests. Returns their paths."""
    builder = _load_builder()
    sources = [*builder.SOURCES, *sorted((_DELEGATE / "tests").glob("*.cc"))]
    headers = sorted(_DELEGATE.glob("*/*.h"))
    digest = hashlib.sha256(" ".join(map(str, command)).encode())
    for path in (*sources, *headers, pathlib.Path(__file__)):
        digest.update(path.read_bytes())
    built = folder / f"built-{digest.hexdigest()[:16]}"
    if not built.is_dir():
        for old in folder.glob("built-*"):
            shutil.rmtree(old)
    once(built, lambda half: _compile(half, command, builder))
    return built / builder.NAME, sorted(built.glob("*_test"))


def _compile(half, command, builder):
    # Tests are compiled with -O1, because it takes less time.
    folders = [*builder.FOLDERS, _DELEGATE / "engine", _DELEGATE / "tests"]
    includes = [f"-I{folder}" for folder in folders]
    objects = {}
    for folder in folders:
        is_tests = folder.name == "tests"
        flags = (*builder.FLAGS, "-O1") if is_tests else builder.FLAGS
        for source in sorted(folder.glob("*.cc")):
            if source.stem.startswith(("fuzz", "soak")):
                continue
            objects[source.stem] = half / f"{source.stem}.o"
            run(
                [
                    *(*command, *flags, *includes, "-c"),
                    *(source, "-o", objects[source.stem]),
                ]
            )
    tests = {name for name in objects if name.endswith("_test")}
    inside = [path for name, path in objects.items() if name not in tests]
    library = {path.stem for path in builder.SOURCES}
    run(
        [
            *(*command, *builder.FLAGS, "-shared", "-o", half / builder.NAME),
            *(objects[name] for name in sorted(library)),
            "-ldl",
        ]
    )
    for name in tests:
        linked = [*command, *builder.FLAGS, objects[name], *inside]
        run([*linked, "-o", half / name, "-ldl"])


def _load_builder():
    path = _DELEGATE / "build.py"
    spec = importlib.util.spec_from_file_location("delegate_build", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2:])
    except CannotError as error:
        print(f"{error}.", file=sys.stderr)
        sys.exit(_CANNOT)
