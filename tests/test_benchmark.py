"""Comparing `.tflite` files."""

import csv
import dataclasses
import gzip
import hashlib
import json
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
import skimage
from networks import small_pairs

from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.tflite import Reference
from issp_keras.tflite import delegate
from issp_keras.tflite import export
from issp_keras.tflite import tables
from issp_keras.tflite.benchmark import benchmark
from issp_keras.tflite.contest import Contest
from issp_keras.tflite.latency import latencies
from issp_keras.tflite.latency import take_turns
from issp_keras.tflite.protocol import PROTOCOLS
from issp_keras.tflite.protocol import Protocol
from issp_keras.tflite.rows import labels
from issp_keras.tflite.scatter import linear_axis
from issp_keras.tflite.scatter import log_axis
from issp_keras.tflite.timing import percentile
from issp_keras.tflite.timing import summarize

PROTOCOL = Protocol(8, 8, rounds=3)


def _export(model, path, scale=2, **options):
    export(
        model, path, reference=Reference(model, small_pairs(scale)), **options
    )


@pytest.fixture(scope="module")
def paths(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    paths = [folder / "dense.tflite", folder / "sparse.tflite"]
    for path in paths:
        _export(model, path, sparse=path.stem == "sparse")
    return paths


@pytest.fixture(scope="module")
def int8_path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tflite") / "int8.tflite"
    _export(model, path, precision="int8", tolerance=99.0)
    return path


@pytest.fixture(scope="module")
def rows(paths, int8_path, tmp_path_factory):
    """Those of all kinds of files, with the sparse delegate."""
    folder = tmp_path_factory.mktemp("photographs")
    chelsea = pathlib.Path(skimage.__file__).parent / "data/chelsea.png"
    shutil.copy(chelsea, folder)
    contest = Contest([*paths, int8_path], PROTOCOL, delegate="sparse")
    (note,) = contest.notes
    assert note.startswith(f"The sparse delegate takes nothing of {int8_path}:")
    return benchmark(contest, [str(folder)], PROTOCOL)


@pytest.fixture
def result(rows):
    return tables.Result({"lr_height": 8}, rows, ["A note."])


def test_a_row_for_bicubic_and_one_for_each_file(rows, paths):
    bicubic, dense, _, sparse, *_ = rows
    assert bicubic.psnr == pytest.approx(35.2, abs=0.1)
    assert bicubic.weights is None
    assert (dense.name, sparse.name) == ("dense float32", "sparse float32")
    assert dense.psnr == sparse.psnr
    for row, path in zip((dense, sparse), paths, strict=True):
        content = path.read_bytes()
        assert row.bytes == len(content)
        assert row.file == str(path)
        assert row.gzip_bytes == len(gzip.compress(content))
        assert row.sha256 == hashlib.sha256(content).hexdigest()
        assert row.latency_ms == row.timing.p50_ms > 0
        assert row.timing.runs == 3
        assert row.sparsity == pytest.approx(0.9, abs=0.01)
        assert row.fps == pytest.approx(1000 / row.latency_ms)
        # 16x16 pixels each.
        assert row.megapixels_per_second == pytest.approx(
            256e-6 * row.fps, rel=1e-9
        )


def test_a_further_row_for_what_the_sparse_delegate_takes(rows):
    _, dense, dense_with, sparse, sparse_with, int8 = rows
    assert [row.delegate for row in rows] == [
        None,
        None,
        "sparse",
        None,
        "sparse",
        None,
    ]
    assert int8.precision == "int8"
    for without, row in ((dense, dense_with), (sparse, sparse_with)):
        assert row.name == f"{without.name} + delegate"
        assert row.psnr == pytest.approx(without.psnr, abs=1e-3)
        assert row.ratio == row.latency_ms / dense.latency_ms
        about = row.delegation
        assert about.nodes > 0
        assert about.bytes > 0
        assert {layer.name for layer in about.profile} >= {"body.0.conv1"}
        assert sum(layer.ms for layer in about.profile) > 0
        assert max(layer.height for layer in about.profile) == 16


def test_memory_is_that_of_each_file(rows):
    if not pathlib.Path("/proc/self/status").exists():
        pytest.skip("only Linux tells")
    for row in rows[1:]:
        assert 0 < row.timing.memory_bytes < 100e6


def test_another_delegate_has_a_row_of_its_own(paths):
    library = str(delegate.library())
    contest = Contest(paths[:1], PROTOCOL, delegate=library)
    without, row = contest.measure()
    assert (without.delegate, row.delegate) == (None, library)
    assert row.delegation.profile == []


def test_int8_is_reported_where_it_wins(rows):
    int8 = dataclasses.replace(rows[-1], ratio=0.012)
    *_, (header, cells) = tables.tables([*rows[:-1], int8])
    line = dict(zip(header, cells[-1], strict=True))
    assert (line[""], line["ratio"]) == (int8.name, "0.01")
    assert line["FPS"] == f"{int8.fps:.1f}"


def test_times_a_file_of_a_fixed_size_at_that_size_only(model, tmp_path):
    path = tmp_path / "fixed.tflite"
    _export(model, path, height=4, width=6)
    (latency,) = latencies([path], 4, 6, rounds=3)
    assert latency > 0
    with pytest.raises(InputError, match=r"takes \(4, 6\) pixels only"):
        latencies([path], 16, 16, rounds=3)


def test_files_of_different_scales_are_not_compared(paths, tmp_path):
    other = tmp_path / "x3.tflite"
    _export(models.edsr(3, features=4, blocks=1), other, 3)
    with pytest.raises(InputError, match="magnifies 3 times, expected 2"):
        Contest([paths[0], other], PROTOCOL)


def test_what_makes_no_larger_image_is_no_network():
    with pytest.raises(InputError, match="a: is not a super-resolution net"):
        PROTOCOL.common_scale([("a", 0), ("b", 2)])


class _Clock:
    """Contenders that write down when they run, for a second each."""

    def __init__(self, name, log):
        self.name = name
        self.log = log
        self.forget()

    def run(self):
        self.seconds += 1
        self.log.append(self.name)

    def forget(self):
        self.seconds = 0
        self.log.clear()


def test_files_take_turns_and_take_turns_to_begin():
    log, shares = [], []
    contenders = [_Clock(name, log) for name in "abc"]
    take_turns(contenders, rounds=4, progress=shares.append)
    # The round before is not counted.
    assert "".join(log) == "abcbcacababc"
    assert shares == [0.25, 0.5, 0.75, 1]


def test_turns_go_on_for_as_long_as_is_asked():
    shares = []
    contenders = [_Clock(name, []) for name in "ab"]
    take_turns(contenders, rounds=2, seconds=4, progress=shares.append)
    assert [contender.seconds for contender in contenders] == [4, 4]
    assert shares == [0.25, 0.5, 0.75, 1]


def test_mlperf_mobile_asks_for_full_hd_and_the_90th_percentile(paths):
    protocol = PROTOCOLS["mlperf-mobile"]
    assert protocol.size == (540, 960)
    assert (protocol.rounds, protocol.seconds) == (1024, 60)
    assert protocol.common_scale([("a", 2), ("b", 2)]) == 2
    with pytest.raises(InputError, match=r"a: magnifies 4 times, expected 2 "):
        protocol.common_scale([("a", 4)])
    small = dataclasses.replace(
        protocol, height=9, width=16, rounds=4, seconds=0.01
    )
    (entry,) = Contest(paths[:1], small).measure()
    assert entry.timing.runs >= 4
    assert entry.timing.seconds >= 0.01
    assert entry.timing.p90_ms >= entry.timing.p50_ms


def test_the_figures_of_some_times():
    times = [float(n) for n in range(1, 21)]
    timing = summarize(times, [2.0, 3.0], init_ms=5.0, first_ms=6.0)
    assert timing.p50_ms == timing.latency_ms == 10.5
    assert (timing.p90_ms, timing.p95_ms) == (18, 19)
    assert timing.mean_ms == 10.5
    assert timing.std_ms == pytest.approx(np.std(times, ddof=1))
    assert timing.cpu_ms == 2.5
    assert timing.seconds == 0.21
    assert summarize([7.0], [1.0], init_ms=0, first_ms=0).std_ms == 0
    assert percentile([3.0, 1.0], 50) == 1
    assert percentile([3.0, 1.0], 51) == 3


def test_writes_json_csv_markdown_and_a_picture(result, rows, tmp_path):
    for suffix in tables.FORMATS:
        tables.write(tmp_path / f"result{suffix}", result)
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["settings"] == {"lr_height": 8}
    assert content["notes"] == ["A note."]
    assert content["rows"][1]["weights"]["count"] == rows[1].weights.count
    assert content["rows"][2]["delegation"]["profile"][0]["ms"] > 0
    with (tmp_path / "result.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == [row.name for row in rows]
    assert float(lines[1]["timing.p90_ms"]) == rows[1].timing.p90_ms
    assert lines[0]["latency_ms"] == lines[1]["delegate"] == ""
    text = (tmp_path / "result.md").read_text()
    for part in (
        "|  | PSNR | SSIM | non-zeros | file | gzip | latency |",
        "|  | init ms | first | p50 | p90 | p95 | mean | std | CPU |",
        "|  | ratio | FPS | MP/s | memory | delegated |",
        "| dense float32 + delegate | ms | share | non-zeros | pixels |",
        "A note.",
    ):
        assert part in text
    with PIL.Image.open(tmp_path / "result.png") as picture:
        assert picture.size == (1120, 420)
        colours = {colour for _, colour in picture.getcolors(1 << 20)}
    # float32 is blue, int8 orange.
    assert {(0x1F, 0x77, 0xB4), (0xE6, 0x55, 0x0D)} <= colours


def test_files_of_one_kind_are_told_apart_by_their_names(rows):
    other = dataclasses.replace(rows[1], file="runs/other.tflite")
    assert labels([*rows[:2], other]) == [
        "bicubic",
        "dense float32 dense",
        "dense float32 other",
    ]


def test_axes_have_round_ticks():
    assert log_axis("", [3.0, 40.0]).ticks == [5, 10, 20, 50]
    assert log_axis("", [20.0, 22.0]).ticks == [18, 20, 25]
    assert linear_axis("", [30.0, 30.0], 0.2).ticks == [
        29.9,
        29.95,
        30,
        30.05,
        30.1,
    ]
    assert linear_axis("", [28.0, 33.0], 0.2).place(28.0) > 0
