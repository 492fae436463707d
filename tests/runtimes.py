"""Tries the delegate in the versions of LiteRT and TensorFlow of setup.py.

    python tests/runtimes.py --output=runtimes.json

Of each runtime, these are the least and the newest version that setup.py allows
and the package index has, and one between. Each gets an environment of its own,
which is removed afterwards. It runs the same files, with and without the
delegate. The delegate must take sparse networks as a whole, give the same
results, and leave a network that is not sparse alone.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import venv

import numpy as np

_ROOT = pathlib.Path(__file__).parent.parent
RUNTIMES = ("ai-edge-litert", "tensorflow")
_LIMIT = 1e-5
# Images in int8 differ by at most 1, and so seldom.
_EQUAL = 0.999
_SIZES = ((24, 40), (17, 61))
COMPILED = "CompiledModel"
# Older ones know no accelerator with the version that the delegate has.
_LEAST_COMPILED = (2, 2)
NOT_SPARSE = "not sparse"


# The versions.


def allowed(package):
    """The versions of a package that setup.py allows, such as ">=2.1.6"."""
    text = (_ROOT / "setup.py").read_text()
    return re.search(rf'"{package}([<>=][^"]*)"', text)[1]


def chosen(versions, allowed):
    """The least, a middle and the newest of the allowed versions.

    Args:
        versions: List of strings, the newest first.
        allowed: String, such as ">=2.1.6,<3".
    """
    least, _, end = allowed.removeprefix(">=").partition(",<")
    found = [
        version
        for version in versions[::-1]
        if _numbers(least) <= _numbers(version)
        and (not end or _numbers(version) < _numbers(end))
    ]
    middle = found[len(found) // 2 :][:1]
    return [*dict.fromkeys([*found[:1], *middle, *found[-1:]])]


def _numbers(version):
    return tuple(map(int, re.findall(r"\d+", version)))


def _versions(package):
    """The versions on the package index, the newest first."""
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    text = subprocess.check_output(
        command, text=True, stderr=subprocess.DEVNULL
    )
    return re.search(r"Available versions: (.*)", text)[1].split(", ")


# The files.


def write_files(folder):
    """Writes the networks that every version runs."""
    import keras
    import networks

    from issp_keras import models
    from issp_keras.tflite import export

    def write(name, model, precision="float32", **options):
        path = folder / f"{name}.tflite"
        export(model, path, precision, tolerance=99, **options)

    keras.utils.set_random_seed(0)
    size = dict(zip(("height", "width"), _SIZES[0]))
    network = models.edsr(2, features=16, blocks=2)
    write(NOT_SPARSE, network)
    networks.in_blocks(network, zeros=0.9)
    write("float32", network, **size)
    write("float16", network, "float16", **size)
    write("int8", network, "int8", input="uint8", **size)
    write("any size", network)
    write("int8, any size", network, "int8", input="uint8")


# In the environment of one version.


def try_files(runtime, folder):
    """Runs all files in the runtime that is installed here.

    Returns:
        Dict from the name of a file, and `COMPILED`, to what was found. It
        begins with "taken", "left alone" or "refused", or something is wrong.
    """
    found = {}
    for path in sorted(folder.glob("*.tflite")):
        found[path.stem] = _try_file(_runtime(runtime), path)
    if runtime == RUNTIMES[0]:
        found[COMPILED] = _try_compiled(folder / "any size.tflite")
    return found


def _runtime(name):
    """The functions to make an interpreter and to load a delegate."""
    if name == "tensorflow":
        import tensorflow as tf

        return tf.lite.Interpreter, tf.lite.experimental.load_delegate
    from ai_edge_litert import interpreter

    return interpreter.Interpreter, interpreter.load_delegate


def _try_file(runtime, path):
    from issp_keras.tflite import delegate

    interpreter, load_delegate = runtime
    loaded = load_delegate(str(delegate.library()), {"tuning_seconds": "0"})
    stock = interpreter(model_path=str(path), num_threads=1)
    delegated = interpreter(
        model_path=str(path), num_threads=1, experimental_delegates=[loaded]
    )
    is_open = -1 in stock.get_input_details()[0]["shape_signature"]
    sizes = _SIZES if is_open else _SIZES[:1]
    found, expected = (
        np.concatenate([_run(of, _image(size)).ravel() for size in sizes])
        for of in (delegated, stock)
    )
    report = delegate.report(loaded)
    if not report.parts:
        return "left alone"
    if len(report.parts) != 1 or report.declined:
        return f"{len(report.parts)} parts, left {report.declined}"
    return _compare(found, expected)


def _try_compiled(path):
    from issp_keras.errors import InputError
    from issp_keras.tflite import delegate

    loaded = delegate.load(tuning_seconds=0)
    try:
        model = delegate.compiled_model(path, loaded)
    except InputError as error:
        return f"refused: {error}"
    interpreter, _ = _runtime(RUNTIMES[0])
    stock = interpreter(model_path=str(path), num_threads=1)
    image = _image(_SIZES[0])
    expected = _run(stock, image)
    model.resize_input_tensor(0, image.shape)
    (entry,) = model.create_input_buffers(0)
    (result,) = model.create_output_buffers(0)
    entry.write(image)
    model.run_by_index(0, [entry], [result])
    found = result.read(expected.size, np.float32).reshape(expected.shape)
    if [part.runs for part in delegate.report(loaded).parts] != [1]:
        return "does not run the delegate"
    return _compare(found, expected)


def _image(size):
    return np.random.default_rng(1).random((1, *size, 3), np.float32)


def _run(interpreter, image):
    (entry,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    if -1 in entry["shape_signature"]:
        interpreter.resize_tensor_input(entry["index"], image.shape)
    interpreter.allocate_tensors()
    if entry["dtype"] == np.uint8:
        image = np.round(image * 255).astype(np.uint8)
    interpreter.set_tensor(entry["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(result["index"])


def _compare(found, expected):
    """Tells how results differ."""
    if found.dtype == np.uint8:
        differences = np.abs(found.astype(int) - expected)
        equal = np.mean(differences == 0)
        if differences.max() > 1 or equal < _EQUAL:
            return f"wrong: {equal:.2%} equal, others by {differences.max()}"
        return "taken, equal" if equal == 1 else f"taken, {equal:.3%} equal"
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    if not difference <= _LIMIT:
        return f"wrong: differs by {difference:.0e}"
    return f"taken, {difference:.0e}"


# All versions.


def try_version(runtime, version, folder):
    """Runs the files in a new environment with this version.

    Returns:
        Dict, what `try_files` returns. If something fails before, it has the
        error instead.
    """
    with tempfile.TemporaryDirectory() as environment:
        venv.create(environment, with_pip=True)
        python = f"{environment}/bin/python"
        package = f"{runtime}=={version}"
        # The package `issp_keras` always has ml-dtypes.
        packages = [package, "ml-dtypes"]
        install = ["-m", "pip", "install", "-q", "--no-cache-dir", *packages]
        code = [__file__, "--inside", runtime, "--folder", str(folder)]
        variables = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        for arguments in (install, code):
            done = subprocess.run(
                [python, *arguments],
                capture_output=True,
                text=True,
                env=variables,
                check=False,
            )
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["no message"]
                return {"error": f"{lines[-1]} ({done.returncode})"}
    return json.loads(done.stdout.splitlines()[-1])


def is_good(version, result):
    """Whether the result of a version is as it must be."""
    expected = {NOT_SPARSE: "left alone"}
    if _numbers(version) < _LEAST_COMPILED:
        expected[COMPILED] = "refused"
    return all(
        text.startswith(expected.get(name, "taken"))
        for name, text in result.items()
    )


def table(results):
    """A Markdown table of {(runtime, version): result}."""
    names = [*dict.fromkeys(name for of in results.values() for name in of)]
    lines = ["| " + " | ".join(["runtime", *names]) + " |"]
    lines.append("|" + "---|" * (1 + len(names)))
    for (runtime, version), result in results.items():
        cells = [result.get(name, "").split(":")[0] for name in names]
        lines.append(f"| {runtime} {version} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, help="JSON file")
    parser.add_argument("--inside", choices=RUNTIMES, help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=pathlib.Path, help="keep the networks here"
    )
    parser.add_argument(
        "--only", action="append", help="such as tensorflow==2.20.0"
    )
    flags = parser.parse_args()
    if flags.inside:
        print(json.dumps(try_files(flags.inside, flags.folder)))
        return
    wanted = [tuple(of.split("==")) for of in flags.only or ()] or [
        (runtime, version)
        for runtime in RUNTIMES
        for version in chosen(_versions(runtime), allowed(runtime))
    ]
    with tempfile.TemporaryDirectory() as folder:
        folder = flags.folder or pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_files(folder)
        results = {}
        for runtime, version in wanted:
            results[runtime, version] = try_version(runtime, version, folder)
            print(runtime, version, results[runtime, version], file=sys.stderr)
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(table(results))
    if flags.output:
        rows = [
            {"runtime": runtime, "version": version, **result}
            for (runtime, version), result in results.items()
        ]
        flags.output.write_text(json.dumps(rows, indent=2) + "\n")
    if not all(is_good(of[1], result) for of, result in results.items()):
        sys.exit("A version fails.")


if __name__ == "__main__":
    main()
