"""Measures the sparse delegate on ordinary networks, and fits its cost model.

    python benchmarks/ordinary.py --output=ordinary.json
    python benchmarks/ordinary.py --only=layers

Weights and masks are random, because only speed is measured. Candidates take
turns in one process. The time is the CPU time of the thread. All figures are
medians.

- layers: single layers and short blocks of random sizes, dense in XNNPACK and
  sparse in the delegate, which takes all of them here (`always=1`). The
  constants of the cost model (`tflite/delegate/src/cost.cc`) are those that fit
  these times best (`cost_model.py`). They are printed in nanoseconds, as in
  `cost.cc`.
- networks: networks of Keras for photographs of 224 and 96 pixels, by share of
  zeros. The delegate decides by itself which parts it takes, and is compared
  with XNNPACK alone. No network of which it takes a part may become more than
  3 % slower; the program fails if one does.

Prints the table of the documents.
"""

import itertools
import pathlib
import statistics
import tempfile

from timing import run_parts  # First, since it chooses the backend.

# isort: split
import cost_model
import keras
import numpy as np
from absl import app
from absl import flags
from interpreters import interpreter
from interpreters import turns

from issp_keras.programs import cli
from issp_keras.tflite import delegate

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 21, "Turns of each file.", lower_bound=1)
flags.DEFINE_multi_enum("only", None, ["layers", "networks"], "Else both.")
flags.DEFINE_integer("samples", 200, "Of single layers.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Of the samples.")
flags.DEFINE_list(
    "networks",
    [
        "MobileNetV2",
        "MobileNetV3Small",
        "MobileNetV3Large",
        "EfficientNetB0",
        "ResNet50",
    ],
    "Of keras.applications.",
)
flags.DEFINE_list("sizes", [224, 96], "Pixels of a side.")
flags.DEFINE_list("zeros", [0, 50, 70, 80, 90, 95], "Percent.")
flags.DEFINE_string("folder", None, "Keeps networks here, and takes those.")
flags.DEFINE_bool("quick", False, "Tiny layers, to try the program.")

# Height and width.
_SIZES = [(n, n) for n in (7, 10, 14, 20, 28, 40, 56, 80, 112)]
_SIZES += [(60, 96), (90, 160)]
_CHANNELS = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 960]
_PIXEL_CHANNELS = [64, 256, 576, 960, 1000, 1280, 2048]
# How many interpreters of each kind run a network.
_COPIES = 3
# The least and most multiply-adds of a sample.
_LEAST, _MOST = 1e5, 1.5e8


def export(model, path):
    import tensorflow as tf

    # Only Keras 3.13 and later can export such files itself.
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    path.write_bytes(converter.convert())


def _seconds():
    """The least CPU time of the turns of a network."""
    return 0 if flags.FLAGS.quick else 2


def drawn(rng):
    """Draws a sample. Returns it, its output and its description."""
    kind = str(
        rng.choice(
            ["convolution", "convolution", "depthwise", "block", "block"]
            + ["residual", "squeeze", "pixel"]
        )
    )
    height, width = _SIZES[rng.integers(len(_SIZES))]
    channels, filters = (int(n) for n in rng.choice(_CHANNELS, 2))
    kernel, stride = (
        int(rng.choice([1, 1, 3, 3, 5])),
        int(rng.choice([1, 1, 2])),
    )
    zeros = int(rng.choice([30, 50, 70, 80, 90, 95, 98]))
    if kind in ("convolution", "squeeze") and rng.random() < 0.2:
        channels = 3
    elif kind == "convolution" and rng.random() < 0.15:
        filters = 3
    if kind == "residual":
        filters, stride = channels, 1
    elif kind == "block":
        channels = min(channels, 192)
        filters = channels
    elif kind == "depthwise":
        kernel, filters = max(kernel, 3), channels
    elif kind == "pixel":
        height = width = kernel = stride = 1
        channels, filters = (int(n) for n in rng.choice(_PIXEL_CHANNELS, 2))
    of = cost_model.Sample(height, width, channels, 1 - zeros / 100, stride)
    image = of.input
    if kind == "depthwise":
        made = of.convolve_depthwise(image, kernel, stride)
    elif kind == "block":
        # The block of MobileNetV2.
        inner = 6 * channels if channels <= 160 else channels
        made = of.convolve(image, inner, activation="relu")
        made = of.convolve_depthwise(made, 3, stride)
        made = of.convolve(made, filters)
        if stride == 1:
            made = of.add(made, image)
    else:
        made = of.convolve(
            image,
            filters,
            kernel,
            stride,
            activation=None if kind == "residual" else "relu",
        )
        if kind == "residual":
            made = of.add(made, image)
        elif kind == "squeeze":
            made = of.squeeze(made)
    what = f"{kind} {height}x{width} {channels} {filters} {kernel} {stride}"
    return of, made, f"{what}, {zeros} %"


def samples(count, seed):
    """Draws samples that run neither too fast nor too slowly."""
    found = 0
    for draw in itertools.count():
        rng = np.random.default_rng((seed, draw))
        of, made, what = drawn(rng)
        work = of.dense["product"] + of.dense["depthwise"]
        least, most = (0, 1e6) if flags.FLAGS.quick else (_LEAST, _MOST)
        if not least < work < most or made.numbers > 3e6:
            continue
        model = of.model(made)
        cost_model.mask(model, of.density, rng)
        yield of, model, what
        found += 1
        if found == count:
            return


def layers(repeats):
    """Measures samples, and fits the constants of the cost model."""
    count = 2 if flags.FLAGS.quick else flags.FLAGS.samples
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layers.tflite"
        for of, model, what in samples(count, flags.FLAGS.seed):
            export(model, path)
            made = {"dense": interpreter(path)[0]}
            made["sparse"], loaded = interpreter(path, True, always=1)
            if delegate.report(loaded).declined:
                raise RuntimeError(f"the delegate does not take {what}")
            found = turns(made, repeats, _seconds())
            measured.append((of, what, found))
            text = ", ".join(f"{name} {ms:.3f}" for name, ms in found.items())
            print(f"  {what}: {text} ms", flush=True)
            keras.backend.clear_session()
    return {
        "samples": {what: found for _, what, found in measured},
        "constants": {
            name: constants_of(
                name,
                [getattr(of, name) for of, _, _ in measured],
                [1e6 * found[name] for _, _, found in measured],
            )
            for name in ("dense", "sparse")
        },
    }


def constants_of(name, amounts, nanoseconds):
    constants, ratios = cost_model.fitted(amounts, nanoseconds)
    errors = np.abs(np.log(ratios))
    print(
        f"\n  {name}: half of the times are within "
        f"{100 * np.expm1(np.median(errors)):.0f} % of what they should be, "
        f"90 % within {100 * np.expm1(np.quantile(errors, 0.9)):.0f} %"
    )
    for key, of in constants.items():
        print(f"    {key:10} {of:.3g}")
    return constants


def networks(repeats):
    """Measures ordinary networks with and without the delegate."""
    flag = flags.FLAGS
    cases = itertools.product(
        flag.networks, map(int, flag.sizes), map(int, flag.zeros)
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size, percent in cases:
            path = pathlib.Path(flag.folder or folder)
            path /= f"{name}_{size}_{percent}.tflite"
            if not path.exists():
                export(network(name, size, percent), path)
                keras.backend.clear_session()
            case = f"{name}, {size}, {percent} %"
            found[case] = compared(case, path, repeats)
    return found


def network(name, size, percent):
    keras.utils.set_random_seed(0)
    build = getattr(keras.applications, name)
    made = build(weights=None, input_shape=(size, size, 3))
    rng = np.random.default_rng(percent)
    cost_model.mask(made, 1 - percent / 100, rng)
    return made


def compared(case, path, repeats):
    # The place of the memory changes times by a few percent, even between two
    # equal interpreters.
    made = {}
    for copy in range(_COPIES):
        made["dense", copy], _ = interpreter(path)
        made["delegate", copy], loaded = interpreter(path, True, num_threads=1)
    times = turns(made, repeats, _seconds())
    medians = {
        name: statistics.median(times[name, i] for i in range(_COPIES))
        for name in ("dense", "delegate")
    }
    parts = delegate.report(loaded).parts
    found = {
        "milliseconds": medians,
        "ratio": medians["dense"] / medians["delegate"],
        "nodes": [part.nodes for part in parts],
        "expected_speedups": [part.expected_speedup for part in parts],
    }
    print(
        f"  {case}: dense {medians['dense']:.2f} ms, delegate "
        f"{medians['delegate']:.2f} ms: {found['ratio']:.2f} times as fast, "
        f"{len(parts)} parts",
        flush=True,
    )
    return found


def table(figures):
    """The table of the documents, with "=" if the delegate takes nothing."""
    cases = [case.split(", ") for case in figures]
    zeros = list(dict.fromkeys(case[2] for case in cases))
    rows = []
    for name, size in dict.fromkeys((case[0], case[1]) for case in cases):
        of = [figures[f"{name}, {size}, {percent}"] for percent in zeros]
        dense = statistics.median(each["milliseconds"]["dense"] for each in of)
        rows.append(
            [name, size, f"{dense:.1f} ms"]
            + [f"{each['ratio']:.2f}" if each["nodes"] else "=" for each in of]
        )
    return cli.markdown_table(["network", "pixels", "XNNPACK", *zeros], rows)


def too_slow(figures):
    """The cases that the delegate makes more than 3 % slower."""
    return [
        case
        for case, of in figures.items()
        if of["nodes"] and of["ratio"] < 0.97
    ]


def main(_):
    flag = flags.FLAGS
    parts = {"layers": layers, "networks": networks}
    found = run_parts(
        {name: lambda of=of: of(flag.repeats) for name, of in parts.items()},
        flag.only,
        flag.output,
    )
    if "networks" in found:
        print("\n" + table(found["networks"]))
        if slower := too_slow(found["networks"]):
            raise SystemExit(f"more than 3 % slower: {'; '.join(slower)}")


if __name__ == "__main__":
    app.run(main)
