"""Asks TFLite about a file, in a separate process.

A broken file can crash the interpreter. Also, the memory of a file can only be
measured in a new process. The process runs this file as a program,
`probe.py COMMAND ARGUMENT ...`, which prints JSON. The program imports nothing
of issp_keras, so it starts fast.
"""

import ctypes
import json
import pathlib
import re
import signal
import subprocess
import sys

_SECONDS = 120
# The largest rounding error of floats and of integers, as a share of the
# largest output.
_FLOATS, _INTEGERS = 1e-3, 0.2
# The side of the input of `alike` if a file takes any size.
_SIDE = 16


class ProbeError(RuntimeError):
    """The process failed. The message gives the reason, without the file."""


def ask(command: str, *arguments, content=b"", seconds: float = _SECONDS):
    """Starts the process, and returns what it answers.

    Args:
        command: String, one of `_COMMANDS`.
        *arguments: What the command takes, as strings or numbers.
        content: Bytes that it reads. Defaults to none.
        seconds: Float, how long it may take. Defaults to `120`.

    Raises:
        ProbeError: If TFLite refuses the file, ends the process, or takes
            longer.
    """
    words = [sys.executable, "-P", __file__, command, *arguments]
    try:
        result = subprocess.run(
            [str(word) for word in words],
            input=content,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"TFLite takes more than {seconds:g} s") from error
    if result.returncode < 0:
        name = signal.Signals(-result.returncode).name
        raise ProbeError(f"TFLite ends with the signal {name}")
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "TFLite gives no reason"
        raise ProbeError(reason.rstrip("."))
    return json.loads(result.stdout)


def resident_bytes() -> int | None:
    """The memory of this process that is not paged out; None if unknown.

    Source: `VmRSS` in /proc/self/status, which only Linux has.
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _shapes(path, height, width, must_run):
    """The shape of every tensor for an image of some size."""
    import numpy as np

    # Delegates do not tell the shapes of the tensors that they compute.
    interpreter = _interpreter(model_path=path, plain=True)
    (image,) = interpreter.get_input_details()
    shape = (1, int(height), int(width), int(image["shape"][-1]))
    interpreter.resize_tensor_input(image["index"], shape)
    interpreter.allocate_tensors()
    if int(must_run):
        interpreter.set_tensor(image["index"], np.zeros(shape, image["dtype"]))
        interpreter.invoke()
    shapes: dict[int, list[int]] = {}
    for tensor in interpreter.get_tensor_details():
        shapes.setdefault(tensor["index"], tensor["shape"].tolist())
    return [shapes.get(i, []) for i in range(max(shapes) + 1)]


def _delegated(path, library):
    """The expected speedups of the sparse delegate, and what it declines.

    For each graph, the reasons why it declines operators, by their numbers.
    """
    from ai_edge_litert import interpreter as litert

    delegate = litert.load_delegate(library)
    # The delegate looks at all graphs while the interpreter is created.
    _kept = _interpreter(model_path=path, experimental_delegates=[delegate])
    report = ctypes.CDLL(library).issp_delegate_report
    report.restype = ctypes.c_char_p
    report.argtypes = [ctypes.c_void_p]
    text = report(delegate._get_native_delegate_pointer())
    # Names of tensors need not be valid UTF-8.
    found = json.loads(text.decode(errors="replace"))
    return {
        "speedups": [part["expected_speedup"] for part in found["parts"]],
        "declined": found["graphs"],
    }


def _growth(path, height, width, threads, *libraries):
    """The growth of the process in bytes up to after the first inference."""
    import numpy as np
    from ai_edge_litert import interpreter as litert

    image = np.full((1, int(height), int(width), 3), 0.5, np.float32)
    before = resident_bytes()
    interpreter = _interpreter(
        model_path=path,
        num_threads=int(threads),
        experimental_delegates=[litert.load_delegate(of) for of in libraries],
    )
    (entry,) = interpreter.get_input_details()
    if -1 in entry["shape_signature"]:
        interpreter.resize_tensor_input(entry["index"], image.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], image.astype(entry["dtype"]))
    interpreter.invoke()
    return resident_bytes() - before


def _alike(of_integers):
    """Whether a file gives the same results with and without XNNPACK.

    A kernel may be unpacked in two steps, from sparse and from a smaller
    type. If XNNPACK takes only the first step, the kernel is lost without an
    error. The input is noise. If the file takes any size, it has 16 by 16
    pixels or features. A file that does not take this input counts as alike.
    """
    content = sys.stdin.buffer.read()
    try:
        expected = _outputs(content, plain=True)
    except (RuntimeError, ValueError):
        return True
    found = _outputs(content)
    limit = _INTEGERS if int(of_integers) else _FLOATS
    return all(
        _are_alike(of, other, limit)
        for of, other in zip(expected, found, strict=True)
    )


def _are_alike(expected, found, limit):
    import numpy as np

    # Integers may differ by one level because of rounding.
    level = 1 if np.issubdtype(expected.dtype, np.integer) else 0
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    largest = np.abs(expected).max(initial=1e-30)
    difference = np.abs(expected - found).max(initial=0)
    return bool(difference <= max(limit * largest, level))


def _outputs(content, plain=False):
    import numpy as np

    interpreter = _interpreter(model_content=content, plain=plain)
    rng = np.random.default_rng(0)
    for tensor in interpreter.get_input_details():
        first, *others = tensor["shape_signature"].tolist() or [1]
        shape = [max(first, 1), *(s if s > 0 else _SIDE for s in others)]
        if -1 in tensor["shape_signature"]:
            interpreter.resize_tensor_input(tensor["index"], shape)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        noise = rng.random(tensor["shape"])
        if tensor["dtype"] in (np.int8, np.uint8):
            noise *= np.iinfo(tensor["dtype"]).max
        interpreter.set_tensor(tensor["index"], noise.astype(tensor["dtype"]))
    interpreter.invoke()
    return [
        interpreter.get_tensor(tensor["index"])
        for tensor in interpreter.get_output_details()
    ]


def _interpreter(plain=False, **options):
    """An interpreter, `plain` without TFLite's default delegates."""
    from ai_edge_litert import interpreter as litert

    types = litert.OpResolverType
    interpreter = litert.Interpreter(
        experimental_op_resolver_type=types.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if plain
        else types.AUTO,
        **options,
    )
    interpreter._interpreter = _Nameless(interpreter._interpreter)
    return interpreter


class _Nameless:
    """LiteRT's inner interpreter, without names, which may not be UTF-8."""

    def __init__(self, wrapped):
        self._wrapped = wrapped

    def __getattr__(self, name):
        return getattr(self._wrapped, name)

    def TensorName(self, *_):
        return ""


_COMMANDS = {
    "alike": _alike,
    "delegated": _delegated,
    "growth": _growth,
    "shapes": _shapes,
}


def _main(command, *arguments):
    try:
        answer = _COMMANDS[command](*arguments)
    except (RuntimeError, ValueError, MemoryError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        sys.exit(lines[0])
    print(json.dumps(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
