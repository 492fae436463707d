"""Measures the cost of sparse training: step time, selection and memory.

    python benchmarks/sparse_training.py --output=sparse_training.json
    python benchmarks/sparse_training.py --backend=jax

Prints ratios of medians. All candidates of a comparison take turns in one run,
so other work on the machine affects all of them. `cpu` is the CPU time of all
threads of this process, `wall` is the time that passed. The CPU time does not
include the work of a GPU, so read `wall` there.

- step: a train step of EDSR-baseline x4 (batch 16, LR patch 48) with ISS-P
  against the same step without it. Two other implementations are measured too:
  a literal port of the released code, which sorts every layer with NumPy after
  every step, and tfmot's prune_low_magnitude in tf_keras, which updates at
  every step.
- overhead: the same on one LR patch of 8x8. Such a step is short, so the
  difference to a dense step shows the time of the pruning itself.
- precision: a dense train step of the plain network with 32 features and 16
  layers, x4 (batch 16, LR patch 24), in bfloat16 and in float32. Run it with
  both backends to compare these.
- selection: the time to select the weights to prune in EDSR-L x4 (43 M in 69
  kernels), against sorting each kernel with `ops.sort`.
- memory: the memory of the callback for each prunable weight, and the peak
  memory of processes that train with it and without it.
"""

import functools
import json
import math
import os
import resource
import statistics
import subprocess
import sys

from timing import check_backend  # First, since it chooses the backend.
from timing import compiled
from timing import finished
from timing import run_parts
from timing import timed

# isort: split
import keras
import numpy as np
from absl import app
from absl import flags
from keras import ops

from issp_keras import ISSPCallback
from issp_keras import ISSPSchedule
from issp_keras import SparseTraining
from issp_keras import models
from issp_keras.callbacks import prunable_kernels
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import Exact

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 7, "Turns of each candidate.", lower_bound=1)
flags.DEFINE_multi_enum(
    "only",
    None,
    ["step", "overhead", "precision", "selection", "memory"],
    "Parts to run, else all.",
)
flags.DEFINE_integer("features", 64, "Channels of the EDSR.")
flags.DEFINE_integer("blocks", 16, "Residual blocks of the EDSR.")
flags.DEFINE_integer("batch", 16, "Batch of `step` and `precision`.")
flags.DEFINE_enum("peak_of", None, ["plain", "issp"], "Used by `memory`.")

SPARSITY = 0.95
STEPS = 1_000_000  # So many that the stage does not end.


def ratio(times, name, to, clock):
    """Median of the ratios of two candidates in the same turn."""
    pairs = zip(times[name][clock], times[to][clock], strict=True)
    return statistics.median(a / b for a, b in pairs)


def report(title, times, to):
    """Prints medians and ratios, and returns them."""
    print(f"\n{title}")
    result: dict = {}
    for name, clocks in times.items():
        result[name] = {"seconds": clocks}
        cells = []
        for clock in ("cpu", "wall"):
            median = statistics.median(clocks[clock])
            share = ratio(times, name, to, clock)
            added = statistics.median(
                a - b for a, b in zip(clocks[clock], times[to][clock])
            )
            result[name][clock] = {
                "median": median,
                "ratio": share,
                "added": added,
            }
            cells.append(
                f"{clock} {median:7.3f} s x{share:7.3f} {1e3 * added:+8.1f} ms"
            )
        print(f"  {name:42} {'   '.join(cells)}")
    return result


def network(batch=1, patch=8, build=None):
    """Returns a network x4, compiled, with a batch of noise.

    Args:
        batch: Integer, the size of the batch.
        patch: Integer, the LR pixels of a side.
        build: Callable that returns the network. Defaults to an EDSR.
    """
    flag = flags.FLAGS
    keras.utils.set_random_seed(0)
    model = build() if build else models.edsr(4, flag.features, flag.blocks)
    model.compile(keras.optimizers.Adam(1e-4), "mean_absolute_error")
    rng = np.random.default_rng(0)
    lr = rng.random((batch, patch, patch, 3), np.float32)
    hr = rng.random((batch, 4 * patch, 4 * patch, 3), np.float32)
    return model, lr, hr


def begun(model, method=None):
    """Starts sparse training of a model, as `fit` does at its start."""
    schedule = ISSPSchedule(SPARSITY, end_step=STEPS)
    if method is None:
        callback = ISSPCallback(schedule)
    else:
        callback = SparseTraining(schedule, method)
    callback.set_params({})
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def step(repeats, batch, patch):
    """Compares train steps with and without pruning and in other packages."""
    plain, lr, hr = network(batch, patch)
    sparse, *_ = network()
    ported, *_ = network()
    begun(sparse)

    def port():
        """After a step, sorts each layer on the host, and shrinks weights."""
        ported.train_on_batch(lr, hr)
        for kernel in prunable_kernels(ported):
            values = kernel.numpy().copy()
            flat = values.reshape(-1)
            count = min(math.ceil(SPARSITY * flat.size), int(0.995 * flat.size))
            flat[np.argsort(np.abs(flat))[:count]] *= 0.95
            kernel.assign(values)

    candidates = {
        "dense": lambda: plain.train_on_batch(lr, hr),
        "ISS-P": lambda: sparse.train_on_batch(lr, hr),
        "ISS-P, port that sorts in numpy": port,
    }
    times = timed(candidates, repeats)
    title = f"Train step of EDSR x4, batch {batch}, LR patch {patch}"
    result = report(title, times, to="dense")
    if keras.backend.backend() == "tensorflow":
        result |= tfmot_step(repeats, batch, patch)
    return result


def tfmot_step(repeats, batch, patch):
    """Compares tfmot with a dense step in tf_keras, in a separate process."""
    program = os.path.join(os.path.dirname(__file__), "tfmot_step.py")
    flag = flags.FLAGS
    output = subprocess.run(
        [
            *(sys.executable, program),
            *map(str, (repeats, flag.features, flag.blocks, batch, patch)),
        ],
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    times = json.loads(output.splitlines()[-1])
    return report("The same in tf_keras", times, to="tf_keras, dense")


def precision(repeats, batch):
    """Compares train steps in bfloat16 and in float32."""
    candidates = {}
    for policy in ("float32", "mixed_bfloat16"):
        model, lr, hr = network(batch, 24, functools.partial(_plain, policy))
        candidates[policy] = functools.partial(model.train_on_batch, lr, hr)
    times = timed(candidates, repeats)
    title = f"Train step of plain_32x16 x4, batch {batch}, LR patch 24"
    return report(title, times, to="float32")


def _plain(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return models.NETWORKS["plain_32x16"](scale=4)
    finally:
        keras.config.set_dtype_policy(before)


def selection(repeats):
    """Selects the 95 % smallest weights of all kernels of EDSR-L x4."""
    rng = np.random.default_rng(0)
    shapes = [(3, 3, 3, 256), *[(3, 3, 256, 256)] * 65]
    shapes += [(3, 3, 256, 1024)] * 2 + [(3, 3, 256, 3)]
    arrays = [rng.normal(0, 0.02, shape).astype("float32") for shape in shapes]
    kernels = [ops.convert_to_tensor(array) for array in arrays]
    counts = [math.ceil(SPARSITY * array.size) for array in arrays]

    def ours(*values):
        return Exact().smallest([ops.abs(value) for value in values], counts)

    def by_sorting(*values):
        masks = []
        for value, count in zip(values, counts, strict=True):
            score = ops.abs(value)
            threshold = ops.sort(ops.reshape(score, (-1,)))[count - 1]
            masks.append(score <= threshold)
        return masks

    ours, by_sorting = compiled(ours), compiled(by_sorting)
    for mask, array, count in zip(ours(*kernels), arrays, counts, strict=True):
        mask = ops.convert_to_numpy(mask)
        threshold = np.partition(np.abs(array), count - 1, axis=None)[count - 1]
        largest = np.abs(array)[mask].max()
        if mask.sum() != count or largest != threshold:
            raise SystemExit("The selection is not exact.")
    candidates = {
        "exact, without sorting": lambda: finished(ours(*kernels)),
        "sorting each kernel": lambda: finished(by_sorting(*kernels)),
    }
    weights = sum(array.size for array in arrays)
    times = timed(candidates, repeats)
    title = f"Selection among the {weights:,} weights of EDSR-L x4"
    return report(title, times, to="exact, without sorting")


def memory():
    """Bytes for each prunable weight."""
    result = {}
    print("\nMemory beyond model and optimizer, bytes for each prunable weight")
    for name, method in METHODS.items():
        model, *_ = network()
        if name == "assl":
            method = _assl_of_the_body
        state = begun(model, method()).pruned_model.state
        weights = sum(math.prod(k.shape) for k in prunable_kernels(model))
        kept = sum(
            math.prod(v.shape) * v.numpy().itemsize
            for v in (state.prepared, state.gradient_norms, *state.arrays)
        )
        result[name] = {"kept": kept / weights}
        print(f"  kept by {name:10} {kept / weights:6.3f}")
    peaks = {}
    for _ in range(3):
        for which in ("plain", "issp"):
            peaks.setdefault(which, []).append(_peak_in_new_process(which))
    plain, issp = (statistics.median(peaks[w]) for w in ("plain", "issp"))
    result["peak"] = {"bytes": peaks, "difference": (issp - plain) / weights}
    print(
        f"  peak resident memory of 3 train steps: {plain / 2**20:,.0f} MiB "
        f"without, {issp / 2**20:,.0f} MiB with ISS-P"
    )
    return result


def _assl_of_the_body():
    return METHODS["assl"](constrained=r"body\.")


def _peak_in_new_process(which):
    flag = flags.FLAGS
    output = subprocess.run(
        [
            *(sys.executable, __file__, f"--peak_of={which}"),
            f"--backend={keras.backend.backend()}",
            *(f"--features={flag.features}", f"--blocks={flag.blocks}"),
            f"--batch={flag.batch}",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return int(output.splitlines()[-1])


def _print_peak(which):
    model, lr, hr = network(flags.FLAGS.batch, 48)
    if which == "issp":
        begun(model)
    for _ in range(3):
        model.train_on_batch(lr, hr)
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(argv):
    del argv
    flag = flags.FLAGS
    if flag.peak_of:
        _print_peak(flag.peak_of)
        return
    check_backend()
    parts = {
        "step": lambda: step(flag.repeats, flag.batch, 48),
        "overhead": lambda: step(5 * flag.repeats, 1, 8),
        "precision": lambda: precision(flag.repeats, flag.batch),
        "selection": lambda: selection(flag.repeats),
        "memory": memory,
    }
    run_parts(parts, flag.only, flag.output)


if __name__ == "__main__":
    app.run(main)
