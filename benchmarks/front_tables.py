"""Tables of networks: the CSV file, a page, and regions of documents."""

import csv
import functools
import math
import os
import pathlib
import textwrap
from collections.abc import Callable

import fronts
from front_pictures import picture_path
from regions import Regions

from issp_keras import files
from issp_keras.inference import find_bundled
from issp_keras.programs import cli


def write_csv(figures: dict, path: pathlib.Path):
    """Writes one line for each form, size, number of threads and runtime.

    Args:
        figures: Dict, the content of the JSON file.
        path: Path of the CSV file.
    """
    lines = _lines(figures["networks"], _provenance(figures))
    with (
        files.replacing(path) as partial,
        partial.open("w", newline="") as file,
    ):
        csv.writer(file).writerows(lines)


def write_page(
    figures: dict,
    page: pathlib.Path,
    output: pathlib.Path,
    stored: list[pathlib.Path],
):
    """Writes a page in Markdown with links to all networks.

    Args:
        figures: Dict, the content of the JSON file.
        page: Path of the page.
        output: Path of the JSON file, beside the pictures.
        stored: List of paths, folders of trained networks.
    """
    files.make_folder(page.parent)
    with files.replacing(page) as partial:
        partial.write_text(page_text(figures, page, output, stored))


def page_text(
    figures: dict,
    page: pathlib.Path,
    output: pathlib.Path,
    stored: list[pathlib.Path],
) -> str:
    """The text of the page; see `write_page`."""
    rows = figures["networks"]

    def link(path):
        return os.path.relpath(path.resolve(), page.resolve().parent)

    def name(row):
        of = file_of(row, stored)
        label = f"`{row['name']}`" if row.get("is_bundled") else row["name"]
        return f"[{label}]({link(of)})" if of else label

    parts = [
        _INTRODUCTION.format(
            sets=fronts.names_of_sets(rows), where=_where(figures)
        )
    ]
    bundled = [row for row in rows if row.get("is_bundled")]
    if bundled:
        parts += [_BUNDLED, table(bundled, name)]
    for scale in fronts.scales(rows):
        own = [row for row in fronts.alike(rows) if row["scale"] == scale]
        steps = sorted({row["steps"] for row in own})
        picture = link(picture_path(output, scale))
        parts += [
            f"## x{scale}, trained alike",
            f"![PSNR against milliseconds]({picture})",
            _ALIKE.format(steps=" or ".join(f"{of:,}" for of in steps)),
            table(own, name),
            fronts.claim(own),
        ]
    others = fronts.published_lines(rows, fronts.SIZE, fronts.THREADS)
    if others:
        text = _OTHERS.format(link=link(fronts.PUBLISHED))
        parts += [text, _published_table(others)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


_WHERE = ("machine", "kernels", "date")


def _provenance(figures):
    """Where and when the figures were measured."""
    return [figures.get(key) or "" for key in _WHERE]


def _where(figures):
    return ", ".join(filter(None, _provenance(figures)))


_INTRODUCTION = """# Networks, their quality and their speed

`python benchmarks/frontier.py` writes this page. Do not edit it.

PSNR is the mean of {sets} in dB, on Y. The times are CPU times of one
core ({where}) for an LR image of 160x90 pixels. "+ delegate" is the sparse
delegate of issp_keras. The other times are those of XNNPACK. A missing time
means that the delegate leaves the network to XNNPACK. The sizes are those of
the compressed int8 files. The names are links to the networks as `.keras`
files. `issp export` makes `.tflite` files from them."""

_BUNDLED = """## Networks that come with the package

`issp upscale --model=` and `issp_keras.load` take these names.
[Bundled networks](../../docs/guides/bundled.md) tells how they were made."""

_ALIKE = """All these networks were trained alike: {steps} steps, the same
photographs and the same learning rate. "Blocks" means zeros in blocks of 4
input channels. Below the table, the gain is the PSNR of the best sparse network
up to a latency, minus that of the best dense one."""

_OTHERS = """## x4, networks of other authors

These networks are dense. They have weights that their authors or others have
released. Those up to 60 ms are the crosses of the picture. Most were trained
longer than the networks above, and on more photographs. The int8 files were
made like those above, without training in int8. The networks without int8 were
not measured in int8. An estimated time is EDSR-baseline's time here, divided by
a factor. The factor was measured once. [The list]({link}) contains the factors.
`python benchmarks/released.py` measures PSNR and factors of the networks that
the library can load.

Set14 contains one grey photograph. Here its grey levels are compared, as in
older papers. Many authors compare its Y, which has a smaller range. This adds
0.09 dB on Set14, and 0.05 dB to the mean. It is subtracted where a PSNR is that
of a publication."""


def _published_table(others):
    header = ["network", "year", "weights", "file and runtime", "PSNR"]
    header += ["ms", "time", "source"]
    lines = [
        [
            *(of["network"], of["year"], f"{int(of['weights']):,}"),
            f"{point.precision}, {point.door}",
            *(f"{point.psnr:.2f}", f"{point.ms:.1f}"),
            "measured" if of["is_measured"] else "estimated",
            of["source"],
        ]
        for point, of in sorted(others, key=lambda pair: pair[0].ms)
    ]
    return cli.markdown_table(header, lines)


def file_of(row: dict, stored: list[pathlib.Path]) -> pathlib.Path | None:
    """The `.keras` file of a network, or None if it is not stored.

    Args:
        row: Dict, an entry of "networks" of the JSON file.
        stored: List of paths, folders of trained networks.
    """
    if row.get("is_bundled"):
        network = find_bundled(row["name"])
        return network.keras if network else None
    paths = (folder / row["key"] / "model.keras" for folder in stored)
    return next((path for path in paths if path.exists()), None)


def _lines(rows, provenance):
    """The header and one line for each form, size and number of threads."""
    sets = list(
        dict.fromkeys(
            name
            for row in rows
            for form in row["forms"].values()
            for name in form.get("scores", {})
        )
    )
    yield [
        *("name", "network", "scale", "is_sparse", "seed", "steps"),
        *("weights", "non_zeros", "precision", "bytes", "gzip_bytes"),
        *(f"{name} {metric}" for name in sets for metric in ("psnr", "ssim")),
        *("size", "multiply_adds", "sparse_multiply_adds", "threads"),
        *("runtime", "ms", "memory_bytes", *_WHERE),
    ]
    for row in rows:
        facts = [
            row.get(key, "")
            for key in ("name", "network", "scale", "is_sparse", "seed")
            + ("steps", "weights", "non_zeros")
        ]
        for precision, form in row["forms"].items():
            scores = [
                form.get("scores", {}).get(name, {}).get(metric, "")
                for name in sets
                for metric in ("psnr", "ssim")
            ]
            sizes = [form["bytes"], form["gzip_bytes"]]
            for size, of in form["sizes"].items():
                macs = [of["multiply_adds"], of["sparse_multiply_adds"]]
                for threads, doors in of["ms"].items():
                    for door, ms in doors.items():
                        # The memory is that of one thread.
                        memory = of.get("memory_bytes", {}).get(door)
                        yield [
                            *(*facts, precision, *sizes, *scores, size),
                            *(*macs, threads, door, ms),
                            *(memory if threads == "1" else "", *provenance),
                        ]


def table(
    rows: list[dict], name: Callable[[dict], str] = lambda row: row["name"]
) -> str:
    """A table of networks in Markdown, ordered by their best latency.

    The latency is that of the main size with one thread.

    Args:
        rows: List of dicts, entries of "networks" of the JSON file.
        name: Callable that makes the first cell of a row.
    """
    header = ["network", "scale", "zeros", "non-zeros", "PSNR float32"]
    header += ["PSNR int8", "file", "float32", "float32 + delegate"]
    header += ["int8", "int8 + delegate"]
    lines = []
    for row in rows:
        forms = row["forms"]
        ms = {
            (precision, door): value
            for precision, form in forms.items()
            for door, value in fronts.latencies(
                form, fronts.SIZE, fronts.THREADS
            ).items()
        }
        if not ms:
            continue
        non_zeros = row.get("non_zeros", row["weights"])
        quality = [
            f"{fronts.mean(forms[of]):.2f}"
            if "scores" in forms.get(of, {})
            else ""
            for of in ("float32", "int8")
        ]
        size = forms.get("int8", {}).get("gzip_bytes")
        times = (
            f"{ms[of, door]:.1f} ms" if (of, door) in ms else ""
            for of in ("float32", "int8")
            for door in ("XNNPACK", "delegate")
        )
        cells = [
            *(name(row), f"x{row['scale']}"),
            *(f"{1 - non_zeros / row['weights']:.0%}", f"{non_zeros:,}"),
            *(*quality, f"{size / 1000:.0f} kB" if size else "", *times),
        ]
        lines.append((min(ms.values()), cells))
    return cli.markdown_table(header, [line for _, line in sorted(lines)])


def _bundled_table(rows):
    header = ["network", "magnification", "zeros", "PSNR Set5 / Set14 (int8)"]
    header += ["int8 + delegate", "int8 file"]
    return cli.markdown_table(
        header,
        [
            [
                *(_bundled_link(row), f"x{row['scale']}"),
                f"{1 - row['non_zeros'] / row['weights']:.0%}",
                _psnr_of_sets(row),
                _time(row, "int8", ("delegate",), " ms"),
                f"{_int8_file(row).stat().st_size / 1000:.0f} kB",
            ]
            for row in _bundled(rows)
        ],
    )


def _int8_file(row):
    """The int8 file that comes with the package."""
    return find_bundled(row["name"]).int8


def _bundled_link(row):
    """The name of a bundled network, as a link of the README to its file."""
    name, folder = row["name"], "issp_keras/inference/networks"
    return f"[`{name}`]({folder}/{_int8_file(row).name})"


def _bundled(rows):
    """Bundled networks, large magnifications first, then the best first."""
    return sorted(
        (row for row in rows if row.get("is_bundled")),
        key=lambda row: (-row["scale"], -fronts.mean(row["forms"]["int8"])),
    )


def _psnr_of_sets(row):
    scores = row["forms"]["int8"]["scores"]
    found = (scores[name]["psnr"] for name in fronts.SETS if name in scores)
    return " / ".join(f"{of:.2f}" for of in found)


def _bundled_times_table(rows):
    header = ["network", "float32, XNNPACK", "float32, sparse delegate"]
    header += ["int8, XNNPACK", "int8, sparse delegate"]
    return cli.markdown_table(
        header,
        [
            [
                f"`{row['name']}`",
                *(
                    _time(row, precision, (door,), " ms")
                    for precision in ("float32", "int8")
                    for door in ("XNNPACK", "delegate")
                ),
            ]
            for row in _bundled(rows)
        ],
    )


def _bundled_goal(rows):
    """Compares `x4_fast` with its rival, in sentences."""
    own = next((of for of in _bundled(rows) if of["name"] == "x4_fast"), None)
    rival = next(
        (
            of
            for of in fronts.alike(rows)
            if (of.get("network"), of["scale"]) == ("ecbsr_m4c16", 4)
        ),
        None,
    )
    if own is None or rival is None:
        return ""
    [released] = [
        of for of in fronts.read_published() if of["network"] == "ECBSR-M4C16"
    ]
    psnr = {
        precision: f"{own['forms'][precision]['scores']['set5']['psnr']:.2f}"
        for precision in ("float32", "int8")
    }
    limit = _best_ms(rival, "float32", ("XNNPACK",))
    slow = _best_ms(own, "float32", ("XNNPACK", "delegate"))
    fast = _best_ms(own, "int8", ("delegate",))
    return textwrap.fill(
        f"The small dense network ECBSR-M4C16 takes {limit:.1f} ms in float32 "
        "with XNNPACK. We wanted `x4_fast` to take a third of this time, with "
        f"30.9 dB on Set5. In float32, it has {psnr['float32']} dB and takes "
        f"{slow:.1f} ms. In int8, it has {psnr['int8']} dB and takes "
        f"{fast:.2f} ms, which is {fast / limit:.2f} times the time of "
        "ECBSR-M4C16. The sparse delegate also computes ECBSR-M4C16 in int8, "
        f"in {_best_ms(rival, 'int8', ('delegate',)):.2f} ms. With released "
        f"weights, ECBSR-M4C16 has {float(released['Set5']):.2f} dB on "
        f"Set5 in float32 and {float(released['int8 Set5']):.2f} dB in int8.",
        fronts.WIDTH,
    )


def _alike_table(rows, scale):
    """The table of the networks of a magnification that were trained alike."""
    header = ["network", "non-zeros", "float32: dB", "ms", "int8: dB"]
    header += ["XNNPACK, ms", "delegate, ms"]
    both = ("XNNPACK", "delegate")
    own = sorted(
        (row for row in fronts.alike(rows) if row["scale"] == scale),
        key=lambda row: (not row["is_sparse"], _best_ms(row, "int8", both)),
    )
    return cli.markdown_table(
        header,
        [
            [
                *(row["name"], f"{row['non_zeros']:,}"),
                *(_psnr(row, "float32"), _time(row, "float32", both)),
                *(_psnr(row, "int8"), _time(row, "int8", ("XNNPACK",))),
                _time(row, "int8", ("delegate",)),
            ]
            for row in own
        ],
    )


def _claim(rows, scale):
    """What the networks of a magnification say about sparse networks."""
    return fronts.claim([row for row in rows if row["scale"] == scale])


# The figures are the networks of the JSON file.
REGIONS = Regions(
    "frontier",
    {
        "bundled": _bundled_table,
        "bundled_times": _bundled_times_table,
        "bundled_goal": _bundled_goal,
        "alike_x4": functools.partial(_alike_table, scale=4),
        "claim_x4": functools.partial(_claim, scale=4),
        "alike_x2": functools.partial(_alike_table, scale=2),
        "claim_x2": functools.partial(_claim, scale=2),
    },
)


def _psnr(row, precision):
    form = row["forms"].get(precision, {})
    return f"{fronts.mean(form):.2f}" if "scores" in form else ""


def _time(row, precision, doors, unit=""):
    """The cell of the time in the fastest of some runtimes."""
    ms = _best_ms(row, precision, doors)
    return f"{ms:.1f}{unit}" if ms < math.inf else ""


def _best_ms(row, precision, doors):
    form = row["forms"].get(precision, {"sizes": {}})
    found = fronts.latencies(form, fronts.SIZE, fronts.THREADS)
    return min((found[of] for of in doors if of in found), default=math.inf)
