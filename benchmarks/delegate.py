"""Measures how much faster TFLite is with the sparse delegate.

    python benchmarks/delegate.py --output=delegate.json
    python benchmarks/delegate.py --only=edsr --sizes=160x90

Networks have random weights and random masks, because only speed is measured.
Files take turns in one process. The time is the CPU time of the thread, or wall
time if there are several threads. All figures are medians.

- roofline: the speed that one core reaches (`roofline.cc`): products in
  registers, with one operand from each cache, and from memory.
- edsr: EDSR-baseline x4 against XNNPACK in float32, by size and share of
  zeros, and against full int8 at 95 %. It also shows the products with non-zero
  weights per second, as a share of what the core reaches with operands from its
  L1 cache, which is the best case.
- threads: the same ratios with two threads. Each file runs in its own process,
  because threads of TFLite spin while they wait for work.
- blocks: EDSR-baseline with zeros in blocks of four output channels
  (`Block(outputs=4)`), at the first size.
- edge_sr, swinir: edge_sr_100k x4 and SwinIR-light x4, whole networks. For
  SwinIR it also shows the share of each kind of operation in the time.
- rcan, cat_r: RCAN and CAT-R x4, whole networks of 16 million weights, with
  95 % zeros, at 64x48.
- int8: full-integer networks with the delegate against XNNPACK in int8 and in
  float32, with zeros in blocks of four input channels and with single zeros:
  EDSR-baseline at each size, edge_sr_100k, and a plain network with 48 features
  and 16 layers. The latter also takes turns with a dense EDSR-baseline in
  float32.
- int8_threads: like threads, in int8 with zeros in blocks.
- engine: the engine, which needs no TFLite, against TFLite with the delegate:
  EDSR-baseline and SwinIR-light with 95 % and edge_sr_100k with 80 % zeros, at
  the first size.

Prints the table of the documents.
"""

import collections
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from timing import run_parts  # First, since it chooses the backend.

# isort: split
import keras
import numpy as np
from absl import app
from absl import flags
from engine_library import Engine
from interpreters import interpreter
from interpreters import turns

from issp_keras import models
from issp_keras.data import load_pairs
from issp_keras.programs import cli
from issp_keras.tflite import Reference
from issp_keras.tflite import delegate
from issp_keras.tflite import export
from issp_keras.tflite import inspect
from issp_keras.tflite.delegate import build

flags.DEFINE_string("output", None, "JSON file for all figures.")
flags.DEFINE_integer("repeats", 11, "Turns of each file.", lower_bound=1)
_PARTS = ["roofline", "edsr", "blocks", "threads", "edge_sr", "swinir"]
_PARTS += ["rcan", "cat_r", "int8", "int8_threads", "engine"]
flags.DEFINE_multi_enum("only", None, _PARTS, "Parts, else all.")
flags.DEFINE_list("sizes", ["160x90", "320x180"], "LR sizes of edsr.")
flags.DEFINE_list("zeros", [0, 50, 90, 95, 99], "Percent, of edsr.")
flags.DEFINE_bool("quick", False, "Tiny networks, to try the program.")
# What a child process measures: FILE,NAME,THREADS,REPEATS.
flags.DEFINE_list("child", None, "For this program's own use.")

SCALE = 4
_SOURCE = pathlib.Path(__file__).with_name("roofline.cc")
_NETWORKS = {
    "edsr": lambda: models.edsr(SCALE, **_quick(blocks=1, features=16)),
    "edge_sr": lambda: models.edge_sr(SCALE, **_quick(blocks=1)),
    "swinir": lambda: models.swinir(SCALE, **_quick(depths=(2,))),
    "rcan": lambda: models.rcan(
        SCALE, **_quick(features=16, groups=1, blocks=1)
    ),
    "cat_r": lambda: models.cat(SCALE, **_quick(embedding=24, depths=(2,))),
}
_NETWORKS["blocks"] = _NETWORKS["edsr"]
_NETWORKS["plain"] = lambda: models.plain(
    SCALE, **{"features": 48, "blocks": 8, **_quick(features=8, blocks=1)}
)
# The names in the table.
_TITLES = {
    "edsr": "EDSR-baseline",
    "blocks": "EDSR-baseline, blocks of 4",
    "edge_sr": "`edge_sr_100k`",
    "swinir": "SwinIR-light",
    "rcan": "RCAN",
    "cat_r": "CAT-R",
}
# In their sparse files, each run unpacks the masks of attention.
_WITH_MASKS = ("swinir", "cat_r")
# Input and output channels of a block of zeros, and the input channels of a
# block in int8.
_ALIKE = {"blocks": (1, 4)}
_BLOCK = 4
# Kernels that its recipe leaves dense.
_DENSE = {"edge_sr": ("stem", "depthwise")}


def _quick(**arguments):
    return arguments if flags.FLAGS.quick else {}


def network(name, percent, alike=None):
    """A network with `percent` zeros in each kernel.

    Args:
        alike: Pair of input and output channels whose weights are zero
            together. A kernel with fewer channels has single zeros.
    """
    alike = alike or _ALIKE.get(name, (1, 1))
    keras.utils.set_random_seed(0)
    model = _NETWORKS[name]()
    rng = np.random.default_rng(percent)
    for weight in model.weights:
        is_kernel = weight.path.endswith("kernel") and weight.ndim > 1
        if not is_kernel or any(
            part in weight.path for part in _DENSE.get(name, ())
        ):
            continue
        *places, inputs, outputs = weight.shape
        of_inputs, of_outputs = (
            side if side <= count else 1
            for side, count in zip(alike, (inputs, outputs), strict=True)
        )
        blocks = -(-inputs // of_inputs), -(-outputs // of_outputs)
        mask = rng.random((*places, *blocks)) >= percent / 100
        mask = np.repeat(mask, of_inputs, -2)[..., :inputs, :]
        mask = np.repeat(mask, of_outputs, -1)[..., :outputs]
        weight.assign(keras.ops.convert_to_numpy(weight) * mask)
    return model


def files_of(name, percent, size, folder, alike=None, **variants):
    """Exports a network for images of a size, in variants."""
    width, height = size
    model = network(name, percent, alike)
    # The PSNR of random weights means nothing, so one photograph is enough.
    reference = Reference(model, load_pairs("embedded", "held_out", SCALE)[:1])
    for variant, options in variants.items():
        path = folder / f"{name}_{width}_{percent}_{variant}.tflite"
        export(
            model,
            path,
            height=height,
            width=width,
            tolerance=999,
            reference=reference,
            **options,
        )
        yield variant, path


def shares(path, size, repeats):
    """The share of each kind of operation in the delegate's time."""
    made, loaded = interpreter(path, True, profile=1)
    for _ in range(repeats):
        made.invoke()
    times = collections.Counter()
    for part in delegate.report(loaded).parts:
        for layer in part.layers:
            times[layer.kind] += layer.ms
    total = sum(times.values())
    return {kind: ms / total for kind, ms in times.most_common()}


def compared(name, percent, size, repeats, folder):
    """Compares a network with and without the delegate."""
    variants = {"sparse": {}}
    if name == "edsr" and percent == 95:
        variants["int8"] = {
            "precision": "int8",
            "sparse": False,
            "ranges": "min_max",
        }
    if name in _WITH_MASKS:
        variants["dense"] = {"sparse": False}
    paths = dict(files_of(name, percent, size, folder, **variants))
    dense = paths.get("dense", paths["sparse"])
    made = {"dense": interpreter(dense)[0]}
    made["delegate"], loaded = interpreter(paths["sparse"], True)
    if "int8" in paths:
        made["int8"] = interpreter(paths["int8"])[0]
    medians = turns(made, repeats)
    report = delegate.report(loaded)
    about = inspect(paths["sparse"], size[::-1])
    found = {
        "milliseconds": medians,
        "ratio": medians["dense"] / medians["delegate"],
        "dense_multiply_adds": about.macs,
        "sparse_multiply_adds": about.sparse_macs,
        "nodes": [part.nodes for part in report.parts],
        "kernels": report.kernels,
        "gflops": 2e-6 * about.sparse_macs / medians["delegate"],
        "dense_gflops": 2e-6 * about.macs / medians["dense"],
    }
    if name in _WITH_MASKS:
        found["shares"] = shares(paths["sparse"], size, repeats)
        print(f"  {found['shares']}")
    if "int8" in medians:
        found["ratio_to_int8"] = medians["int8"] / medians["delegate"]
    text = ", ".join(f"{of} {ms:.2f} ms" for of, ms in medians.items())
    print(
        f"  {name} {size[0]}x{size[1]} {percent} %: {text}: "
        f"{found['ratio']:.2f} times as fast, {found['gflops']:.0f} GFLOP/s",
        flush=True,
    )
    return found


class _Invoked:
    """The engine with the method `invoke` of an interpreter, for `turns`."""

    def __init__(self, engine, image):
        self._engine = engine
        self._image = image
        self.invoke()

    def invoke(self):
        self._engine.run(self._image)


def compared_engine(name, percent, size, repeats, folder, library):
    """Compares the engine with TFLite with the delegate."""
    ((_, path),) = files_of(name, percent, size, folder, sparse={})
    noise = np.random.default_rng(0).random((1, *size[::-1], 3), np.float32)
    medians = turns(
        {
            "delegate": interpreter(path, True, always=1)[0],
            "engine": _Invoked(Engine(library, path), noise),
        },
        repeats,
    )
    found = {
        "milliseconds": medians,
        "ratio": medians["engine"] / medians["delegate"],
    }
    print(
        f"  {name} {size[0]}x{size[1]} {percent} %: delegate "
        f"{medians['delegate']:.2f} ms, engine {medians['engine']:.2f} ms",
        flush=True,
    )
    return found


def compared_int8(name, percent, alike, size, repeats, folder, rival=None):
    """Compares a full-integer network with and without the delegate.

    Args:
        rival: Path of another file in float32 to compare with, or None.
    """
    paths = dict(
        files_of(
            name,
            percent,
            size,
            folder,
            alike,
            float32={"sparse": False},
            int8={"precision": "int8", "sparse": False, "ranges": "min_max"},
        )
    )
    made = {
        "float32": interpreter(paths["float32"])[0],
        "int8": interpreter(paths["int8"])[0],
    }
    made["delegate"], loaded = interpreter(paths["int8"], True, always=1)
    if rival:
        made["rival"] = interpreter(rival)[0]
    medians = turns(made, repeats)
    report = delegate.report(loaded)
    images = [
        of.get_tensor(of.get_output_details()[0]["index"])
        for of in (made["int8"], made["delegate"])
    ]
    by_default = interpreter(paths["int8"], True)
    found = {
        "milliseconds": medians,
        "ratio": medians["int8"] / medians["delegate"],
        "ratio_to_float32": medians["float32"] / medians["delegate"],
        "ratio_of_int8": medians["float32"] / medians["int8"],
        "nodes": [part.nodes for part in report.parts],
        "is_taken": bool(delegate.report(by_default[1]).parts),
        "kernels": report.kernels,
        "equal": float(np.mean(images[0] == images[1])),
    }
    if rival:
        found["ratio_to_rival"] = medians["rival"] / medians["delegate"]
    text = ", ".join(f"{of} {ms:.2f} ms" for of, ms in medians.items())
    print(
        f"  {name} {size[0]}x{size[1]} {percent} % "
        f"{'blocks' if alike[0] > 1 else 'single'}: {text}: "
        f"{found['ratio']:.2f} times as fast as int8, "
        f"{found['ratio_to_float32']:.1f} as float32; "
        f"{found['equal']:.2%} equal",
        flush=True,
    )
    return found


def roofline():
    """Compiles and runs a program that measures the peak of one core."""
    command = build.compiler()
    if command is None:
        print("  There is no C++ compiler.")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "roofline"
        flags_ = ["-O3", "-std=c++17", "-march=native", "-ffp-contract=fast"]
        subprocess.run(
            [*command, *flags_, str(_SOURCE), "-o", str(program)], check=True
        )
        found = json.loads(subprocess.check_output([str(program)]))
    print("  " + ", ".join(f"{key} {of}" for key, of in found.items()))
    return found


def edsr(repeats):
    return _by_size("edsr", flags.FLAGS.sizes, flags.FLAGS.zeros, repeats)


def blocks(repeats):
    return _by_size("blocks", flags.FLAGS.sizes[:1], [90, 95, 99], repeats)


def edge_sr(repeats):
    return _by_size("edge_sr", ["160x90"], [90, 95, 99], 4 * repeats)


def swinir(repeats):
    return _by_size("swinir", ["160x90"], [0, 90, 95, 99], repeats)


def rcan(repeats):
    return _by_size("rcan", ["64x48"], [95], repeats)


def cat_r(repeats):
    return _by_size("cat_r", ["64x48"], [95], repeats)


def _by_size(name, sizes, zeros, repeats):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for size, percent in itertools.product(sizes, map(int, zeros)):
            pair = tuple(map(int, size.split("x")))
            found[f"{size}, {percent} %"] = compared(
                name, percent, pair, repeats, pathlib.Path(folder)
            )
    return found


def _patterns():
    return {"blocks of 4 inputs": (_BLOCK, 1), "single weights": (1, 1)}


def int8(repeats):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for (title, alike), percent, size in itertools.product(
            _patterns().items(), map(int, flags.FLAGS.zeros), _sizes()
        ):
            found[f"edsr, {_by(size)}, {percent} %, {title}"] = compared_int8(
                "edsr", percent, alike, size, repeats, folder
            )
        size = _sizes()[0]
        blocks = _patterns()["blocks of 4 inputs"]
        ((_, dense),) = files_of(
            "edsr", 0, size, folder, rival={"sparse": False}
        )
        for name, percent in itertools.product(("edge_sr", "plain"), (90, 95)):
            rival = dense if name == "plain" else None
            found[f"{name}, {_by(size)}, {percent} %, blocks of 4 inputs"] = (
                compared_int8(
                    name, percent, blocks, size, 2 * repeats, folder, rival
                )
            )
    return found


def _sizes():
    return [tuple(map(int, size.split("x"))) for size in flags.FLAGS.sizes]


def _by(size):
    return f"{size[0]}x{size[1]}"


def int8_threads(repeats):
    """Like `threads`, in int8 with zeros in blocks."""
    return _threads(
        repeats,
        alike=_patterns()["blocks of 4 inputs"],
        precision="int8",
        sparse=False,
        ranges="min_max",
    )


def threads(repeats):
    """Ratios of wall time with one thread and with two."""
    return _threads(repeats)


def _threads(repeats, alike=None, **options):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for percent in (90, 95, 99):
            size = tuple(map(int, flags.FLAGS.sizes[0].split("x")))
            paths = files_of(
                "edsr",
                percent,
                size,
                pathlib.Path(folder),
                alike,
                sparse=options,
            )
            ((_, path),) = paths
            of = {
                (name, count): _in_a_process(path, name, count, repeats)
                for count in (1, 2)
                for name in ("dense", "delegate")
            }
            found[f"{percent} %"] = {
                str(count): {
                    "dense": of["dense", count],
                    "delegate": of["delegate", count],
                    "ratio": of["dense", count] / of["delegate", count],
                }
                for count in (1, 2)
            }
            one, two = (found[f"{percent} %"][n]["ratio"] for n in "12")
            print(
                f"  {percent} %: {one:.2f} with one thread, {two:.2f} with two",
                flush=True,
            )
    return found


def _in_a_process(path, name, count, repeats):
    arguments = [str(path), name, str(count), str(repeats)]
    command = [sys.executable, __file__, f"--child={','.join(arguments)}"]
    lines = subprocess.check_output(command, text=True).splitlines()
    return float(lines[-1])


def child(path, name, count, repeats):
    """Prints the median wall time of one file in milliseconds."""
    made, _ = interpreter(path, name == "delegate", int(count))
    times = []
    for _ in range(int(repeats)):
        begin = time.perf_counter()
        made.invoke()
        times.append(1e3 * (time.perf_counter() - begin))
    print(statistics.median(times))


def table(figures):
    """The table of the documents."""
    rows = []
    for name, title in _TITLES.items():
        for case, of in figures.get(name, {}).items():
            ms = {key: f"{n:.1f} ms" for key, n in of["milliseconds"].items()}
            rows.append(
                [
                    title,
                    *case.split(", "),
                    ms["dense"],
                    ms.get("int8", ""),
                    ms["delegate"],
                    f"**{of['ratio']:.2f}**",
                    f"{of['gflops']:.0f}",
                ]
            )
    header = ["x4", "LR", "zeros", "XNNPACK float32", "int8", "delegate"]
    header += ["ratio", "GFLOP/s"]
    return cli.markdown_table(header, rows)


def int8_table(figures):
    """The table of the documents, of networks in int8."""
    titles = {**_TITLES, "plain": "plain, 48 features, 16 layers"}
    rows = []
    for case, of in figures.get("int8", {}).items():
        name, *rest = case.split(", ")
        ms = of["milliseconds"]
        rows.append(
            [
                titles[name],
                *rest,
                *(f"{ms[key]:.1f} ms" for key in ("float32", "int8")),
                f"{ms['delegate']:.1f} ms",
                f"**{of['ratio']:.1f}**",
                f"{of['ratio_to_float32']:.1f}",
                "yes" if of["is_taken"] else "no",
            ]
        )
    header = ["x4", "LR", "zeros", "mask", "XNNPACK float32", "XNNPACK int8"]
    header += ["delegate int8", "to int8", "to float32", "taken"]
    return cli.markdown_table(header, rows)


def engine(repeats):
    """Compares the engine with TFLite with the delegate on networks."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        library = folder / build.ENGINE
        build.build_engine(library)
        size = _sizes()[0]
        for name, percent in (("edsr", 95), ("swinir", 95), ("edge_sr", 80)):
            found[f"{name} {percent} %"] = compared_engine(
                name, percent, size, repeats, folder, library
            )
    return found


def main(_):
    flag = flags.FLAGS
    if flag.child:
        child(*flag.child)
        return
    found = run_parts(
        {
            "roofline": roofline,
            **{
                name: lambda of=of: of(flag.repeats)
                for name, of in {
                    "edsr": edsr,
                    "blocks": blocks,
                    "threads": threads,
                    "edge_sr": edge_sr,
                    "swinir": swinir,
                    "rcan": rcan,
                    "cat_r": cat_r,
                    "int8": int8,
                    "int8_threads": int8_threads,
                    "engine": engine,
                }.items()
            },
        },
        flag.only,
        flag.output,
    )
    print("\n" + table(found))
    print("\n" + int8_table(found))


if __name__ == "__main__":
    app.run(main)
