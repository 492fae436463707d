"""Builds the engine for WebAssembly, and the demo page.

    python -m issp_keras.web                      # writes to web/dist
    python -m issp_keras.web --tests              # runs the C++ tests in Node

Only sources that have changed are compiled again.
"""

import argparse
import gzip
import pathlib
import sys
import tempfile

from issp_keras.errors import InputError
from issp_keras.web import cpp_tests
from issp_keras.web import demo
from issp_keras.web import engine


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m issp_keras.web",
        description=__doc__.partition("\n")[0],
    )
    parser.add_argument("output", nargs="?", default=demo.DIST)
    parser.add_argument(
        "--tests", action="store_true", help="only run the C++ tests"
    )
    flags = parser.parse_args(arguments)
    if flags.tests:
        _run_tests()
        return
    output = pathlib.Path(flags.output)
    wasm = engine.build_wasm(output)
    page = demo.write_demo(output / "demo.html", wasm=wasm)
    for path in (*wasm.values(), page):
        size = path.stat().st_size
        packed = len(gzip.compress(path.read_bytes(), 9))
        print(f"Wrote {path}, {size:,} bytes, {packed:,} in gzip.")


def _run_tests():
    with tempfile.TemporaryDirectory() as folder:
        for path in cpp_tests.build_tests(folder).values():
            print(cpp_tests.run_test(path), end="")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"{error}")
