"""Shared code of the benchmarks: backend, turns, and facts about the machine.

Import it before Keras. It selects the backend that `--backend=` names.
"""

import gc
import os
import sys
import time

for _argument in sys.argv:
    if _argument.startswith("--backend="):
        os.environ["KERAS_BACKEND"] = _argument.partition("=")[2]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from absl import flags

from issp_keras import files
from issp_keras import host

flags.DEFINE_enum("backend", None, ["tensorflow", "jax"], "Keras' backend.")


def check_backend():
    """Ends the program if the backend is not that of the flag."""
    backend = flags.FLAGS.backend
    if backend not in (None, keras.backend.backend()):
        raise SystemExit(f"Write --backend={backend}, with an equals sign.")


def timed(candidates, repeats):
    """Runs candidates in turns.

    Args:
        candidates: Dict of names to callables.
        repeats: Integer, the number of turns. A first turn is not counted.

    Returns:
        Dict of names to `{"cpu": [seconds], "wall": [seconds]}`.
    """
    times = {name: {"cpu": [], "wall": []} for name in candidates}
    for turn in range(repeats + 1):
        for name, run in candidates.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            cpu = time.process_time() - cpu
            wall = time.perf_counter() - wall
            if turn:
                times[name]["cpu"].append(cpu)
                times[name]["wall"].append(wall)
    return times


def compiled(function):
    """Compiles a function for the backend as `fit` would."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


def finished(tensors):
    """Waits until tensors are computed."""
    if keras.backend.backend() == "jax":
        import jax

        jax.block_until_ready(tensors)
    else:
        import tensorflow as tf

        tf.test.experimental.sync_devices()


def device():
    """Names the device that computes."""
    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0])["device_name"]


def run_parts(parts, only, output):
    """Runs parts of a benchmark, and writes what they find.

    Args:
        parts: Dict of names to callables that return figures.
        only: List of the names to run; all if it is empty or None.
        output: Path of a JSON file, or None.

    Returns:
        Dict of what was written.
    """
    result = circumstances()
    for name in only or parts:
        print(f"\n{name}")
        result[name] = parts[name]()
    if output:
        files.write_json(output, result)
    return result


def circumstances():
    """Prints and returns the machine and the software of a benchmark."""
    found = {
        "machine": host.describe()["model"],
        "cores": os.cpu_count(),
        "backend": keras.backend.backend(),
        "device": device(),
        "keras": keras.__version__,
    }
    print(", ".join(f"{key}: {value}" for key, value in found.items()))
    return found
