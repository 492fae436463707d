"""The rows of a benchmark: quality, size and latency of each file."""

import collections
import dataclasses
import hashlib
import pathlib
from typing import Any

from issp_keras.inference import load_network
from issp_keras.scores import bicubic
from issp_keras.scores import mean_score
from issp_keras.tflite.benchmarking.delegation import Delegation
from issp_keras.tflite.benchmarking.timing import Timing
from issp_keras.tflite.contents import Weights
from issp_keras.tflite.inspection import inspect


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file that has been timed.

    Attributes:
        path: Path.
        delegate: The delegate of the interpreter, or None.
        timing: `Timing`.
        delegation: `Delegation`.
        is_here: Whether it was timed on this host, so that its delegate runs
            here.
    """

    path: Any
    delegate: Any
    timing: Timing
    delegation: Delegation
    is_here: bool = True


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: String, such as "sparse float32 + delegate".
        psnr: Float, mean PSNR in dB on Y.
        ssim: Float, mean SSIM on Y.
        weights: `Weights`, or None if the row is not a network.
        bytes: Integer, size of the file.
        gzip_bytes: Integer, size of the file after gzip.
        zip_bytes: Integer, size of the file in an APK.
        latency_ms: Float, wall time of one inference: the median, or the
            percentile of a protocol; the mean if a tool prints no median.
        ratio: Float, its latency divided by that of the first file.
        fps: Float, inferences per second. Each makes one HR image.
        megapixels_per_second: Float, millions of HR pixels per second.
        file: String, the path of the file.
        sha256: String, the SHA-256 of the file.
        precision: String, of most weights, such as "float16".
        delegate: String, "sparse" or the path of a library, or None.
        timing: `Timing`.
        delegation: `Delegation`.
    """

    name: str
    psnr: float
    ssim: float
    weights: Weights | None = None
    bytes: int | None = None
    gzip_bytes: int | None = None
    zip_bytes: int | None = None
    latency_ms: float | None = None
    ratio: float | None = None
    fps: float | None = None
    megapixels_per_second: float | None = None
    file: str | None = None
    sha256: str | None = None
    precision: str | None = None
    delegate: str | None = None
    timing: Timing | None = None
    delegation: Delegation | None = None

    @property
    def sparsity(self) -> float | None:
        """The share of zeros in all kernels, or None."""
        if self.weights is None:
            return None
        return 1 - self.weights.nonzeros / max(1, self.weights.count)


def bicubic_row(scale: int, pairs: list) -> Row:
    """The row of bicubic interpolation, the baseline."""
    mean = mean_score(bicubic(scale), pairs)
    return Row("bicubic", mean.psnr, mean.ssim)


def network_row(
    entry: Entry,
    first: Entry,
    pairs: list,
    hr_pixels: int,
    threads: int = 1,
    percent: int = 50,
) -> Row:
    """The row of a file that has been timed.

    Args:
        entry: `Entry`.
        first: `Entry`, to which its latency is compared.
        pairs: List of `Pair` to score it on.
        hr_pixels: Integer, the pixels of an output image.
        threads: Integer, for the score. Defaults to `1`.
        percent: Integer, the percentile that is its latency, 50 or 90.
            Defaults to `50`.
    """
    network = load_network(
        entry.path, threads, entry.delegate if entry.is_here else None
    )
    mean = mean_score(network.upscale, pairs)
    about = inspect(entry.path)
    latency = entry.timing.latency(percent)
    precision = _precision(about)
    encoding = "sparse" if about.weights.sparse_kernels else "dense"
    with_delegate = " + delegate" if entry.delegate else ""
    return Row(
        name=f"{encoding} {precision}{with_delegate}",
        psnr=mean.psnr,
        ssim=mean.ssim,
        weights=about.weights,
        bytes=about.bytes,
        gzip_bytes=about.gzip_bytes,
        zip_bytes=about.zip_bytes,
        latency_ms=latency,
        ratio=latency / first.timing.latency(percent),
        fps=1000 / latency,
        megapixels_per_second=hr_pixels / latency / 1000,
        file=str(entry.path),
        sha256=hashlib.sha256(
            pathlib.Path(entry.path).read_bytes()
        ).hexdigest(),
        precision=precision,
        delegate=str(entry.delegate) if entry.delegate else None,
        timing=entry.timing,
        delegation=entry.delegation,
    )


def labels(rows: list[Row]) -> list[str]:
    """Unique names of rows.

    If rows have the same name, the end of the file's path follows. If a file
    occurs twice, a number follows.
    """
    counts = collections.Counter(row.name for row in rows)
    ends = _ends({row.file for row in rows if row.file})
    seen: collections.Counter[str] = collections.Counter()
    found = []
    for row in rows:
        label = row.name
        if row.file and counts[row.name] > 1:
            label += f" {ends[row.file]}"
        seen[label] += 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found


def timed(rows: list[Row]) -> list[tuple[int, str, int, Row]]:
    """The rows that have a latency, for plots.

    Returns:
        List of tuples: a number from 1, the label, the number of the file
        from 0, and the row.
    """
    found = [
        (name, row)
        for name, row in zip(labels(rows), rows, strict=True)
        if row.latency_ms
    ]
    files = list(dict.fromkeys(row.file for _, row in found))
    return [
        (number, name, files.index(row.file), row)
        for number, (name, row) in enumerate(found, 1)
    ]


def _ends(files):
    """The shortest ends of paths that tell the files apart."""
    parts = {file: pathlib.Path(file).with_suffix("").parts for file in files}
    for count in range(1, max(map(len, parts.values()), default=1) + 1):
        ends = {file: "/".join(of[-count:]) for file, of in parts.items()}
        if len(set(ends.values())) == len(files):
            return ends
    return {file: file for file in files}


def _precision(about):
    counts = collections.Counter()
    for layer in about.layers:
        counts[layer.kernel.dtype] += layer.kernel.count
    return counts.most_common(1)[0][0] if counts else "no weights"
