"""Interpreters of TFLite for benchmarks, which take turns."""

import statistics
import time

import numpy as np

from issp_keras.tflite import delegate


def interpreter(path, with_delegate=False, threads=1, **options):
    """An interpreter of a file of fixed size that has run once on noise.

    Args:
        path: Path of a `.tflite` file.
        with_delegate: Boolean, whether the sparse delegate is used.
        threads: Integer, threads of the interpreter.
        **options: Options of `delegate.load`.

    Returns:
        Pair of the interpreter and the delegate, which may be None.
    """
    from ai_edge_litert import interpreter as litert

    loaded = delegate.load(**options) if with_delegate else None
    made = litert.Interpreter(
        str(path),
        num_threads=threads,
        experimental_delegates=[loaded] if loaded else [],
    )
    made.allocate_tensors()
    (image,) = made.get_input_details()
    noise = np.random.default_rng(0).random(image["shape"], np.float32)
    made.set_tensor(image["index"], noise)
    made.invoke()
    return made, loaded


def turns(interpreters, repeats, seconds=0):
    """Runs interpreters in turns. The order is reversed after each turn.

    Args:
        interpreters: Dict of names to objects with the method `invoke`.
        repeats: Integer, the least number of turns. A first turn is not
            counted.
        seconds: Float, the least CPU time of the turns. Defaults to `0`.

    Returns:
        Dict of names to the median CPU time of the thread in milliseconds.
    """
    times = {name: [] for name in interpreters}
    order = list(interpreters.items())
    for of in interpreters.values():
        of.invoke()
    begin = time.thread_time()
    done = 0
    while done < repeats or time.thread_time() - begin < seconds:
        for name, of in order:
            start = time.thread_time()
            of.invoke()
            times[name].append(1e3 * (time.thread_time() - start))
        order.reverse()
        done += 1
    return {name: statistics.median(of) for name, of in times.items()}
