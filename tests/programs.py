"""Runs the console programs, many times, without importing each time."""

import contextlib
import json
import subprocess
import sys

# Programs take seconds to import, and little time to run. So one process
# imports them all, and forks for each run. The forks skip Python's clean-up at
# the end, which takes more than a second with TensorFlow.
_SERVER = """
import atexit, json, os, runpy, sys, tempfile, traceback
from issp_keras.programs import compare, evaluate, import_checkpoint
from issp_keras.programs import prepare, train, upscale
import issp_keras.tflite.programs.benchmark, issp_keras.tflite.programs.export
import issp_keras.tflite.programs.inspect

for line in sys.stdin:
    folder, module, arguments = json.loads(line)
    streams = [tempfile.TemporaryFile() for _ in range(2)]
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        os.chdir(folder)
        sys.modules.pop(module, None)
        sys.argv = [module, *arguments]
        code = 0
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
            if not isinstance(code, int):
                print(code, file=sys.stderr)
                code = 1
        except BaseException:
            traceback.print_exc()
            code = 1
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for stream in streams:
        stream.seek(0)
    texts = [stream.read().decode() for stream in streams]
    print(json.dumps([code, *texts]), flush=True)
"""


@contextlib.contextmanager
def started():
    """Yields a function that runs programs like `python -m issp_keras.MODULE`.

    It takes the module, its arguments, and `cwd`. It returns a
    `subprocess.CompletedProcess` with the program's output. A name without a
    dot is that of a module in `programs`.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def run(module, *arguments, cwd):
            if "." not in module:
                module = f"programs.{module}"
            call = str(cwd), f"issp_keras.{module}", [*map(str, arguments)]
            print(json.dumps(call), file=server.stdin, flush=True)
            answer = json.loads(server.stdout.readline())
            return subprocess.CompletedProcess(arguments, *answer)

        yield run
        server.stdin.close()
