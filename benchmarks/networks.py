"""Measures the speed of networks, and the time of each kind of layer.

    python benchmarks/networks.py --output=networks.json
    python benchmarks/networks.py --backend=jax

- speed: a forward pass and a train step of SwinIR-light x4 and EDSR-baseline x4
  (LR 64x64, batch 4), and their multiply-adds per second. A product of two
  large matrices takes turns with them, and the figures are also given as a
  share of its multiply-adds per second. A train step counts as three forward
  passes. `--jit_compile` compiles with XLA even on a CPU, where Keras does not.
- layers (TensorFlow): the share of each kind of layer in the time of all
  operations of a train step of SwinIR-light on a CPU, from TensorFlow's
  profiler: minimum, median and maximum of several steps.
"""

import collections
import pathlib
import re
import statistics
import tempfile

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

import issp_keras
from issp_keras import models
from issp_keras.models.parts.attention import WindowAttention

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 5, "Turns of each candidate.", lower_bound=1)
flags.DEFINE_multi_enum("only", None, ["speed", "layers"], "Parts, else all.")
flags.DEFINE_bool("jit_compile", False, "Whether to compile steps with XLA.")
flags.DEFINE_bool("quick", False, "One block a network, to try the program.")

SCALE, BATCH, PATCH = 4, 4, 64
# The side of a square matrix that does not fit into any cache.
MATRIX = 4096


def network(name):
    """A network, compiled, with a batch of noise."""
    keras.utils.set_random_seed(0)
    if name == "SwinIR-light":
        quick = {"depths": (2,)} if flags.FLAGS.quick else {}
        model = models.swinir(SCALE, **quick)
    else:
        quick = {"blocks": 1} if flags.FLAGS.quick else {}
        model = models.edsr(SCALE, **quick)
    model.compile(
        keras.optimizers.Adam(2e-4),
        "mean_absolute_error",
        jit_compile=True if flags.FLAGS.jit_compile else "auto",
    )
    rng = np.random.default_rng(0)
    lr = rng.random((BATCH, PATCH, PATCH, 3), np.float32)
    size = SCALE * PATCH
    hr = rng.random((BATCH, size, size, 3), np.float32)
    return model, lr, hr


def multiply_adds(model, input_shape):
    """Multiply-adds of kernels and of both products of attention."""
    quiet = {"print_fn": lambda table: None}
    *_, total = issp_keras.summary(model, input_shape, **quiet)
    batch, height, width, _ = input_shape
    products = 0
    for layer in model.layers:
        if isinstance(layer, WindowAttention):
            rows, columns = layer.window
            channels = layer.output.shape[-1]
            products += 2 * batch * height * width * rows * columns * channels
    return total["dense_macs"] + products


def speed(repeats):
    """Compares forward passes and train steps with a large product."""
    size = 512 if flags.FLAGS.quick else MATRIX
    noise = np.random.default_rng(0).random((size, size), np.float32)
    matrix = ops.convert_to_tensor(noise)
    product = compiled(lambda a: ops.matmul(a, a))
    candidates = {"large product": lambda: finished(product(matrix))}
    work = {"large product": size**3}
    for name in ("SwinIR-light", "EDSR-baseline"):
        model, lr, hr = network(name)
        forward = multiply_adds(model, lr.shape)
        candidates |= {
            f"{name}, forward": lambda m=model, x=lr: m.predict_on_batch(x),
            f"{name}, train step": lambda m=model, x=lr, y=hr: float(
                m.train_on_batch(x, y)
            ),
        }
        work |= {
            f"{name}, forward": forward,
            f"{name}, train step": 3 * forward,
        }
    times = timed(candidates, repeats)
    result = {}
    for name, clocks in times.items():
        peaks = zip(clocks["wall"], times["large product"]["wall"])
        share = statistics.median(
            work[name] / own / (work["large product"] / other)
            for own, other in peaks
        )
        wall, cpu = (statistics.median(clocks[c]) for c in ("wall", "cpu"))
        result[name] = {
            "multiply_adds": work[name],
            "seconds": clocks,
            "wall": wall,
            "cpu": cpu,
            "multiply_adds_per_second": work[name] / wall,
            "share_of_peak": share,
        }
        print(
            f"  {name:28} {work[name] / 1e9:7.2f} G multiply-adds  "
            f"cpu {cpu:6.3f} s  wall {wall:6.3f} s  "
            f"{work[name] / wall / 1e9:6.1f} G/s  {share:6.1%} of the peak"
        )
    return result


def layers(repeats):
    """The share of each kind of layer in a train step of SwinIR-light."""
    if keras.backend.backend() != "tensorflow":
        print("  Only TensorFlow's profiler tells the layers.")
        return {}
    model, lr, hr = network("SwinIR-light")
    model.train_on_batch(lr, hr)
    shares: dict = {}
    for _ in range(repeats):
        kinds: collections.Counter = collections.Counter()
        for (name, operation), time in _profile(model, lr, hr).items():
            kinds[_kind(name, operation)] += time
        for kind, time in kinds.items():
            shares.setdefault(kind, []).append(time / sum(kinds.values()))
    medians = {kind: statistics.median(shares[kind]) for kind in shares}
    for kind in sorted(medians, key=medians.get, reverse=True):
        low, high = min(shares[kind]), max(shares[kind])
        print(f"  {kind:22} {medians[kind]:6.1%} ({low:.1%} to {high:.1%})")
    return shares


def _profile(model, lr, hr):
    """Time of each operation of a train step."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        model.train_on_batch(lr, hr)
        tf.profiler.experimental.stop()
        return _operations(folder)


def _operations(folder):
    """Time of each operation in the profile of a folder."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    times: collections.Counter = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                match = re.match(r"(.+):(\w+)$", name)
                # These events only run operations.
                if match and match[2] not in ("Process", "Run"):
                    times[match[1], match[2]] += event.duration_ps
    return times


def _kind(name, operation):
    """The kind of layer that an operation belongs to."""
    layer = re.search(r"/layers\.\d+\.blocks\.\d+\.([\w.]+?)(_\d+)?/", name)
    part = layer[1] if layer else name
    is_linear = "MatMul" in operation or "Bias" in operation
    if "gelu" in part or (part == "mlp.fc1" and not is_linear):
        return "GELU"
    if part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"):
        return f"linear {part}"
    if part == "attn":
        return "attention"
    if part.startswith("attn.roll"):
        return "roll"
    if part.endswith((".add", ".drop")):
        return "residual"
    if "norm" in part:
        return "layer normalization"
    if "Conv" in operation or "conv" in part:
        return "convolution"
    return "optimizer" if "adam" in part.lower() else "other"


def main(argv):
    del argv
    flag = flags.FLAGS
    check_backend()
    parts = {
        "speed": lambda: speed(flag.repeats),
        "layers": lambda: layers(flag.repeats),
    }
    run_parts(parts, flag.only, flag.output)


if __name__ == "__main__":
    app.run(main)
