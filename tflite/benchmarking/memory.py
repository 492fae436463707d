"""How much memory a `.tflite` file needs, in a process of its own.

There, nothing that others have left behind is used again.
"""

import pathlib
import re
import subprocess
import sys

_SECONDS = 600


def growth(
    path, height: int, width: int, threads: int = 1, library=None
) -> int | None:
    """By how many bytes a process grows until after the first inference.

    Args:
        path: Path of the file.
        height: Integer, the LR height in pixels.
        width: Integer, likewise.
        threads: Integer. Defaults to `1`.
        library: Path of a delegate library, or None.

    Returns:
        Integer, from before the file and the delegate are loaded, without the
        image that goes in; None where the system does not tell, or a run takes
        longer than ten minutes.
    """
    if resident_bytes() is None:
        return None
    words = [sys.executable, "-P", __file__, path, height, width, threads]
    try:
        result = subprocess.run(
            [str(word) for word in words + ([library] if library else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return None
    return int(result.stdout) if result.returncode == 0 else None


def resident_bytes() -> int | None:
    """The memory of this process that is not paged out; None if unknown.

    Source: `VmRSS` in /proc/self/status, which Linux alone has.
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _measure(path, height, width, threads, *libraries):
    # This file runs as a program too, which is fast if it needs no more.
    import numpy as np
    from ai_edge_litert import interpreter as litert

    image = np.full((1, int(height), int(width), 3), 0.5, np.float32)
    before = resident_bytes()
    interpreter = litert.Interpreter(
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
    print(resident_bytes() - before)


if __name__ == "__main__":
    _measure(*sys.argv[1:])
