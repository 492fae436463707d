"""Measures the speed of sparse networks in a browser, against LiteRT.js.

    pip install ziglang
    python benchmarks/web.py --output=web.json

The engine of web/ and LiteRT.js take turns in one page of Chromium. Each uses
one thread and the same sparse float32 file. Networks have random weights and
random masks, as in delegate.py. npm installs LiteRT.js and a driver for
Chromium into the user's cache, once. Prints the table of the documents.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import delegate
from absl import app
from absl import flags

from issp_keras import files
from issp_keras import host
from issp_keras.web import build_wasm

_HERE = pathlib.Path(__file__).parent
_WEB = _HERE.parent / "web"
_PACKAGES = ("@litertjs/core@2.5.3", "puppeteer-core@24.8.2")
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Networks and percents of zeros.
_NETWORKS = (("edsr", 95), ("edge_sr", 80), ("edge_sr", 95))
_SIZE = (160, 90)
_ROW = "| {} | {} | {:.1f} ms | {:.1f} ms | {:.1f}x |"


def _program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    raise SystemExit(f"There is no {names[0]}, which runs the page.")


def _modules():
    """A folder in which npm has installed the packages of the page."""
    folder = files.cache_folder() / "benchmarks_web"
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    command = [_program("npm"), "install", "--prefix", folder, *quiet]
    subprocess.run([*command, *_PACKAGES], check=True, capture_output=True)
    return folder


def _measured(networks, folder):
    """The times of networks that web.mjs measures."""
    jobs = {
        "modules": str(_modules()),
        "chromium": _program(*_CHROMIUM),
        "web": str(_WEB),
        "wasm": str(folder),
        "files": networks,
        "repeats": flags.FLAGS.repeats,
    }
    build_wasm(folder)
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs))
    done = subprocess.run(
        [_program("node"), _HERE / "web.mjs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"The page failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _summary(times):
    """The median and the quartiles."""
    low, middle, high = statistics.quantiles(times, n=4)
    return {"median_ms": middle, "quartiles_ms": [low, high]}


def _table(found):
    print("\n| network | zeros | LiteRT.js | engine | faster by |")
    print("|---|---:|---:|---:|---:|")
    for name, of in found["files"].items():
        title, zeros = name.split(", ")
        theirs, ours = (of[who]["median_ms"] for who in ("litert", "engine"))
        print(_ROW.format(title, zeros, theirs, ours, theirs / ours))


def main(_):
    networks = {}
    with tempfile.TemporaryDirectory() as text:
        folder = pathlib.Path(text)
        for name, percent in _NETWORKS:
            ((_, path),) = delegate.files_of(
                name, percent, _SIZE, folder, float32={}
            )
            networks[f"{name}, {percent} %"] = str(path)
        found = _measured(networks, folder)
    for of in found["files"].values():
        for who in ("engine", "litert"):
            of[who] = _summary(of[who])
    machine = host.describe()["model"]
    found = {"machine": machine, "packages": _PACKAGES, **found}
    _table(found)
    if flags.FLAGS.output:
        files.write_json(flags.FLAGS.output, found)


if __name__ == "__main__":
    app.run(main)
