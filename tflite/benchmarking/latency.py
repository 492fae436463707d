"""Measures the latency of `.tflite` files on this host, in turns."""

import time
from collections.abc import Callable

import numpy as np

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.inference import TFLiteInterpreter
from issp_keras.tflite.benchmarking.timing import Timing
from issp_keras.tflite.benchmarking.timing import summarize


class Contender:
    """A file, with or without a delegate, that is loaded and has run.

    The first file that a process loads takes longer, so load another one
    before.

    Args:
        path: Path of the file.
        height: Integer, the LR height in pixels.
        width: Integer, the LR width in pixels.
        threads: Integer, the number of threads.
        delegate: As in `TFLiteInterpreter`.

    Attributes:
        path: Path.
        delegate: As above.
        interpreter: `TFLiteInterpreter`.
        scale: Integer, the magnification, 0 if the output is no magnified
            image.

    Raises:
        InputError: If the file is not an image-to-image network, or only takes
            images of another size.
    """

    def __init__(self, path, height, width, threads=1, delegate=None):
        self.path = path
        self.delegate = delegate
        # With several threads, count the CPU time of the whole process.
        self._cpu_clock = (
            time.thread_time if threads == 1 else time.process_time
        )
        with blame(
            f"{path}: cannot be run for an image of {height}x{width} pixels",
            MemoryError,
            RuntimeError,
        ):
            image = np.random.default_rng(0).random(
                (1, height, width, 3), np.float32
            )
            start = time.perf_counter()
            self.interpreter = TFLiteInterpreter(path, threads, delegate)
            check_size(path, self.interpreter.size, height, width)
            self.interpreter.set_input(image)
        self._init_ms = 1000 * (time.perf_counter() - start)
        self._first_ms, _ = self._run()
        output = self.interpreter(image)
        is_whole = output.shape[1] * width == output.shape[2] * height
        self.scale = output.shape[1] // height if is_whole else 0
        self._wall_ms: list[float] = []
        self._cpu_ms: list[float] = []

    def run(self):
        """Runs once, and counts it."""
        wall_ms, cpu_ms = self._run()
        self._wall_ms.append(wall_ms)
        self._cpu_ms.append(cpu_ms)

    def forget(self):
        """Forgets the runs that were counted."""
        self._wall_ms.clear()
        self._cpu_ms.clear()

    @property
    def seconds(self) -> float:
        """The total time of the counted runs."""
        return sum(self._wall_ms) / 1000

    @property
    def timing(self) -> Timing:
        """The figures of the counted runs."""
        return summarize(
            self._wall_ms,
            self._cpu_ms,
            init_ms=self._init_ms,
            first_ms=self._first_ms,
        )

    def _run(self):
        wall, cpu = time.perf_counter(), self._cpu_clock()
        self.interpreter.invoke()
        return (
            1000 * (time.perf_counter() - wall),
            1000 * (self._cpu_clock() - cpu),
        )


def check_size(path, size, height: int, width: int):
    """Checks that a file that takes images of `size` can be timed.

    Raises:
        InputError: If it takes images of another size only.
    """
    if size not in (None, (height, width)):
        raise InputError(
            f"{path}: only takes images of {size} pixels, expected "
            f"({height}, {width}), the size to time."
        )


def take_turns(
    contenders: list[Contender],
    rounds: int,
    seconds: float = 0,
    progress: Callable[[float], None] = lambda done: None,
):
    """Times files against each other.

    They run in turn, round by round, so that a change of the machine's speed
    affects all of them. Each round begins with another file. A first round
    is not counted.

    Args:
        contenders: List of `Contender`. Their `timing` has the results.
        rounds: Integer, at least 1; the least number of runs of each.
        seconds: Float, the least total time of each. Defaults to `0`.
        progress: Callable that receives the share that is done after each
            round.
    """
    for contender in contenders:
        contender.run()
        contender.forget()
    done = 0.0
    count = 0
    while done < 1:
        first = count % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            contender.run()
        count += 1
        done = min(1, count / rounds)
        if seconds:
            done = min(done, min(of.seconds for of in contenders) / seconds)
        progress(done)


def latencies(
    paths: list,
    height: int,
    width: int,
    rounds: int,
    threads: int = 1,
    progress: Callable[[float], None] = lambda done: None,
) -> list[float]:
    """Times `.tflite` files against each other on this host.

    Args:
        paths: Paths of the files.
        height: Integer, the LR height in pixels.
        width: Integer, likewise.
        rounds: Integer, at least 1.
        threads: Integer. Defaults to `1`.
        progress: Callable that receives the share that is done.

    Returns:
        The median wall time of one inference in milliseconds, for each file.

    Raises:
        InputError: If a file takes images of another size only.
    """
    contenders = [Contender(path, height, width, threads) for path in paths]
    take_turns(contenders, rounds, progress=progress)
    return [contender.timing.latency() for contender in contenders]
