"""The command `issp inspect`."""

import dataclasses
import json

from absl import flags

from issp_keras import files
from issp_keras.errors import some_of
from issp_keras.programs import cli
from issp_keras.programs.commands.inspect import run
from issp_keras.tflite import eligibility
from issp_keras.tflite.contents import NOT_ASKED
from issp_keras.tflite.inspection import inspect

# How many layers are named before "and ... more".
_NAMES = 4


def describe(about):
    """Prints what `inspect` has found.

    Args:
        about: `Inspection`.
    """
    _print_layers(about)
    _print_bytes(about)
    _print_eligibility(about)


def _print_layers(about):
    rows = []
    has_blocks = any(layer.blocks is not None for layer in about.layers)
    has_macs = any(layer.macs is not None for layer in about.layers)
    for layer in about.layers:
        kernel = layer.kernel
        rows.append(
            [
                layer.name,
                layer.operator,
                "x".join(map(str, kernel.shape)),
                kernel.dtype,
                _share(kernel.count - kernel.nonzeros, kernel.count),
                *[_blocks(layer)] * has_blocks,
                kernel.encoding,
                f"{kernel.bytes:,}",
                f"{kernel.dense_bytes:,}",
                *[_number(layer.macs), _number(layer.sparse_macs)] * has_macs,
            ]
        )
    weights = about.weights
    # A kernel that several layers share is stored once.
    kernels = list({id(la.kernel): la.kernel for la in about.layers}.values())
    rows.append(
        [
            "total",
            "",
            "",
            "",
            _share(weights.count - weights.nonzeros, weights.count),
            *[""] * has_blocks,
            f"{weights.sparse_kernels} of {weights.kernels} sparse",
            f"{sum(kernel.bytes for kernel in kernels):,}",
            f"{sum(kernel.dense_bytes for kernel in kernels):,}",
            *[_number(about.macs), _number(about.sparse_macs)] * has_macs,
        ]
    )
    cli.print_table(
        [
            "layer",
            "operator",
            "kernel",
            "type",
            "zeros",
            *["zero blocks of 4"] * has_blocks,
            "stored",
            "bytes",
            "dense",
            *["multiply-adds", "without zeros"] * has_macs,
        ],
        rows,
    )


def _print_bytes(about):
    print(
        f"{about.path}: {about.bytes:,} bytes, {about.gzip_bytes:,} after "
        f"gzip, {about.zip_bytes:,} in a zip archive such as an APK. Its "
        f"constants need at least {about.floor_bytes:,.0f} bytes, if zeros may "
        "be anywhere and values are not compressed. The file has "
        f"{about.bytes / max(1, about.floor_bytes):.2f} times as many."
    )
    if about.size:
        height, width = about.size
        print(
            f"Multiply-adds are those of kernels, for {width}x{height} pixels."
        )
    else:
        print("To see multiply-adds, give the image size: --size=HEIGHT,WIDTH.")


def _print_eligibility(about):
    groups: dict[tuple, list[str]] = {}
    for platform in eligibility.PLATFORMS:
        reasons = tuple(layer.xnnpack[platform] for layer in about.layers)
        groups.setdefault(reasons, []).append(platform)
    everything = len(about.layers)
    for reasons, platforms in groups.items():
        print(
            f"XNNPACK on {', '.join(platforms)} runs {reasons.count(None)} of "
            f"{everything} layers sparse."
        )
        _print_reasons(about.layers, reasons)
    reasons = tuple(layer.delegate for layer in about.layers)
    if NOT_ASKED in reasons:
        return
    print(
        f"The sparse delegate of issp_keras runs {reasons.count(None)} of "
        f"{everything} layers sparse.{_expected(about.speedups)}"
    )
    _print_reasons(about.layers, reasons)


def _expected(speedups):
    """A sentence with the expected speedups of the delegate's parts."""
    if not speedups:
        return ""
    times = ", ".join(f"{speedup:.1f}" for speedup in speedups)
    one = len(speedups) == 1
    return (
        f" It expects its {'part' if one else f'{len(speedups)} parts'} to be "
        f"{times} times as fast as dense."
    )


def _print_reasons(layers, reasons):
    """Prints reasons and the layers that they concern, the first by name."""
    for reason in filter(None, dict.fromkeys(reasons)):
        names = [
            layer.name
            for layer, of in zip(layers, reasons, strict=True)
            if of == reason
        ]
        print(f"  Not {some_of(names, _NAMES)}: {reason}.")


def _share(part, whole):
    return f"{part / max(1, whole):.1%}"


def _blocks(layer):
    if layer.blocks is None:
        return ""
    return _share(layer.all_blocks - layer.blocks, layer.all_blocks)


def _number(number):
    return "" if number is None else f"{number:,}"


def main(argv):
    flag = flags.FLAGS
    path = argv[1]
    size = cli.image_size(flag.size) if flag.size else None
    about = inspect(path, size, delegate=True)
    describe(about)
    if about.metadata:
        print(f"Written by issp-export: {json.dumps(about.metadata)}")
    if flag.output:
        files.write_json(
            flag.output,
            {
                **dataclasses.asdict(about),
                "weights": dataclasses.asdict(about.weights),
                "macs": about.macs,
                "sparse_macs": about.sparse_macs,
            },
        )
        print(f"Wrote {flag.output}.")


if __name__ == "__main__":
    run()
