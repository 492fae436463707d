"""Comparing `.tflite` files."""

import csv
import dataclasses
import gzip
import hashlib
import json
import math
import pathlib
import shutil
import sys
import threading

import keras
import numpy as np
import pages
import PIL.Image
import pytest
import skimage
from networks import in_blocks
from networks import small_pairs

from issp_keras import models
from issp_keras.errors import InputError
from issp_keras.programs import cli
from issp_keras.tflite import Reference
from issp_keras.tflite import delegate
from issp_keras.tflite import export
from issp_keras.tflite.benchmarking.benchmark import benchmark
from issp_keras.tflite.benchmarking.columns import short
from issp_keras.tflite.benchmarking.contest import Contest
from issp_keras.tflite.benchmarking.delegation import Delegation
from issp_keras.tflite.benchmarking.latency import Contender
from issp_keras.tflite.benchmarking.latency import latencies
from issp_keras.tflite.benchmarking.latency import take_turns
from issp_keras.tflite.benchmarking.plots import picture
from issp_keras.tflite.benchmarking.protocol import PROTOCOLS
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import Row
from issp_keras.tflite.benchmarking.rows import labels
from issp_keras.tflite.benchmarking.rows import network_row
from issp_keras.tflite.benchmarking.timing import Timing
from issp_keras.tflite.benchmarking.timing import percentile
from issp_keras.tflite.benchmarking.timing import summarize
from issp_keras.tflite.contents import Weights
from issp_keras.tflite.inspection import inspect
from issp_keras.tflite.programs import benchmark_report
from issp_keras.tflite.programs import tables

PROTOCOL = Protocol(8, 8, rounds=3)
BLUE, ORANGE, GREEN = (0x1F, 0x77, 0xB4), (0xE6, 0x55, 0x0D), (0x2C, 0xA0, 0x2C)


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
def int8_path(tmp_path_factory):
    """A wide dense file, which the delegate declines on every CPU."""
    path = tmp_path_factory.mktemp("tflite") / "int8.tflite"
    keras.utils.set_random_seed(0)
    dense = models.plain(2, features=64, blocks=1)
    _export(dense, path, precision="int8", tolerance=99.0)
    return path


@pytest.fixture(scope="module")
def rows(paths, int8_path, tmp_path_factory):
    """The rows of all kinds of files, with the sparse delegate."""
    folder = tmp_path_factory.mktemp("photographs")
    chelsea = pathlib.Path(skimage.__file__).parent / "data/chelsea.png"
    shutil.copy(chelsea, folder)
    contest = Contest([*paths, int8_path], PROTOCOL, delegate="sparse")
    (note,) = contest.notes
    assert note.startswith(f"The sparse delegate takes no part of {int8_path}:")
    return benchmark(contest, [str(folder)], PROTOCOL)


@pytest.fixture
def result(rows):
    return tables.Result({"lr_height": 8}, rows, ["A note."])


def test_the_report_has_all_tables_and_both_plots(rows):
    settings = {"target": "adb", "machine": {"model": "Phone <1>", "soc": ""}}
    result = tables.Result(settings, rows, ["A note."])
    page = pages.Parsed(
        benchmark_report.page(result, [("Threads", "1")]).render()
    )
    for label in labels(rows):
        assert label in page.text
    fastest = min(row.latency_ms for row in rows[1:])
    for text in (
        "3 TFLite files, compared",
        f"{short(fastest)} ms",
        "Quality against latency",
        "Latency against zeros",
        "Slowest layers",
        "A note.",
        "Phone <1>",
    ):
        assert text in page.text
    # Three tables, and a profile of each row with a delegate.
    assert len(page.all("table", **{"class": "sortable"})) == 3 + 2
    # Rows with a delegate are diamonds in both plots.
    assert len(page.all("path")) == 2 * 2
    assert len(page.all("circle")) == 2 * 3


def test_networks_without_errors_are_in_one_plot_alone(rows):
    rows = [dataclasses.replace(row, psnr=math.inf) for row in rows]
    page = benchmark_report.page(tables.Result({}, rows, []), [])
    parsed = pages.Parsed(page.render())
    assert len(parsed.all("svg")) == 2
    assert len(parsed.all("circle")) == 3


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
        # Each image has 16x16 pixels.
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


def test_a_further_row_for_integers_in_blocks(tmp_path):
    model = in_blocks(models.plain(2, features=32, blocks=2))
    path = tmp_path / "blocks.tflite"
    _export(model, path, precision="int8", sparse=False, tolerance=99.0)
    contest = Contest([path], PROTOCOL, delegate="sparse")
    assert not contest.notes
    plain, fast = contest.measure()
    assert (plain.delegate, fast.delegate) == (None, "sparse")
    assert fast.delegation.nodes > 0
    row = network_row(fast, plain, small_pairs()[:1], 256)
    assert row.name == "dense int8 + delegate"
    assert row.psnr == network_row(plain, plain, small_pairs()[:1], 256).psnr
    found = {
        (layer.blocks, layer.dense_blocks)
        for layer in row.delegation.profile
        if layer.blocks is not None
    }
    assert found == {
        (layer.blocks, layer.all_blocks) for layer in inspect(path).layers
    }
    blocks, dense = max(found)
    ((header, cells),) = tables.profiles([row])
    assert header[-2:] == ["blocks of 4", "pixels"]
    assert f"{blocks:,} of {dense:,}" in [line[-2] for line in cells]


def test_memory_is_that_of_each_file(rows):
    if not pathlib.Path("/proc/self/status").exists():
        pytest.skip("only Linux tells")
    for row in rows[1:]:
        assert 0 < row.timing.memory_bytes < 100e6


def test_another_delegate_has_a_row_of_its_own(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(delegate.library(), "other.so")
    contest = Contest(paths[:1], PROTOCOL, delegate="other.so")
    without, row = contest.measure()
    library = str(tmp_path / "other.so")
    assert (without.delegate, row.delegate) == (None, library)
    assert row.delegation.profile == []
    assert contest.notes == [f"It is unknown how many nodes {library} takes."]


def test_the_library_of_this_package_is_known(paths):
    library = str(delegate.library())
    contest = Contest(paths[:1], PROTOCOL, delegate=library)
    _, row = contest.measure()
    assert row.delegate == "sparse"
    assert row.delegation.nodes > 0


def test_what_there_is_no_memory_for_is_refused(paths):
    with pytest.raises(InputError, match=r"for an image of 9000000x9000000 .*"):
        Contest(paths[:1], Protocol(9_000_000, 9_000_000))


def test_without_photographs_nothing_is_timed(paths):
    with pytest.raises(InputError, match="`data`: is empty"):
        benchmark(Contest(paths[:1], PROTOCOL), [], PROTOCOL)


def test_the_cpu_time_is_that_of_the_thread(paths):
    contender = Contender(paths[0], 64, 64)
    stops = threading.Event()

    def work():
        while not stops.is_set():
            sum(range(1000))

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(5):
        contender.run()
    stops.set()
    worker.join()
    # The CPU time of the process would be more.
    assert contender.timing.cpu_ms <= 1.02 * contender.timing.p50_ms


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
    with pytest.raises(
        InputError, match=r"only takes images of \(4, 6\) pixels"
    ):
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
    """A contender that logs its runs, each of which takes a second."""

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
    # The first round is not counted.
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
    assert entry.timing.latency(small.percent) == entry.timing.p90_ms
    assert entry.timing.runs >= 4
    assert entry.timing.seconds >= 0.01
    assert entry.timing.p90_ms >= entry.timing.p50_ms


def test_the_figures_of_some_times():
    times = [float(n) for n in range(1, 21)]
    timing = summarize(times, [2.0, 3.0], init_ms=5.0, first_ms=6.0)
    assert timing.p50_ms == timing.latency() == 10.5
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
        "|  | init ms | first ms | p50 ms | p90 ms | p95 ms | mean ms |",
        "|  | ratio | FPS | MP/s | memory | delegated |",
        "| dense float32 + delegate | ms | share | non-zeros | pixels |",
        "A note.",
    ):
        assert part in text
    with PIL.Image.open(tmp_path / "result.png") as picture:
        assert picture.width == 1120
        colours = {colour for _, colour in picture.getcolors(1 << 20)}
    # Each of the three files has its colour.
    assert {BLUE, ORANGE, GREEN} <= colours


def test_each_figure_stands_in_its_column():
    timing = Timing(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13e6, 14e6)
    row = Row(
        "net",
        30.126,
        0.98765,
        Weights(1000, 200, 1, 1),
        15_000,
        16_000,
        17_000,
        0.3456,
        1.239,
        21.04,
        22.006,
        "net.tflite",
        timing=timing,
        delegation=Delegation(23),
    )
    found = {}
    for header, (cells,) in tables.tables([row]):
        found |= dict(zip(header, cells, strict=True))
    assert found == {
        "": "net",
        "PSNR": "30.13",
        "SSIM": "0.9877",
        "non-zeros": "200 (20%)",
        "file": "15.0 kB",
        "gzip": "16.0 kB",
        "latency": "0.346 ms",
        "init ms": "1.00",
        "first ms": "2.00",
        "mean ms": "3.00",
        "std ms": "4.00",
        "p50 ms": "7.00",
        "p90 ms": "8.00",
        "p95 ms": "9.00",
        "CPU ms": "10.0",
        "ratio": "1.24",
        "FPS": "21.0",
        "MP/s": "22.01",
        "memory": "13.0 MB",
        "delegated": "23 nodes",
    }


def _centre(picture, colour, panel):
    """The place of a colour's marker in a panel, in pixels."""
    left = np.asarray(picture)[50:370, 560 * panel : 560 * (panel + 1)]
    ys, xs = np.nonzero((left == colour).all(-1))
    return (np.median(xs), np.median(ys)) if len(xs) else None


def _row(file, psnr, nonzeros, latency_ms):
    weights = Weights(100, nonzeros, 1, 1)
    return Row("net", psnr, 1.0, weights, latency_ms=latency_ms, file=file)


def test_markers_are_where_their_figures_are():
    slow, fast = _row("a", 30.0, 90, 40.0), _row("b", 29.0, 10, 4.0)
    drawn = picture([Row("bicubic", 28.0, 1.0), slow, fast])
    # In the first panel, zeros increase to the right and latency upwards.
    slow_x, slow_y = _centre(drawn, BLUE, 0)
    fast_x, fast_y = _centre(drawn, ORANGE, 0)
    assert slow_x < fast_x - 200
    assert slow_y < fast_y - 100
    # In the second panel, latency increases to the right and PSNR upwards.
    slow_x, slow_y = _centre(drawn, BLUE, 1)
    fast_x, fast_y = _centre(drawn, ORANGE, 1)
    assert slow_x > fast_x + 200
    assert slow_y < fast_y - 100


def test_networks_without_error_are_in_the_first_panel_alone():
    bicubic = Row("bicubic", math.inf, 1.0)
    drawn = picture([bicubic, _row("a", math.inf, 30, 4.0)])
    assert _centre(drawn, BLUE, 0)
    assert not _centre(drawn, BLUE, 1)


def test_files_of_one_kind_are_told_apart_by_their_paths(rows):
    def named(*files):
        rows_of = [dataclasses.replace(rows[1], file=file) for file in files]
        return [name.removeprefix("dense float32") for name in labels(rows_of)]

    assert labels(rows[:1]) == ["bicubic"]
    assert named("a.tflite") == [""]
    assert named("a.tflite", "runs/b.tflite") == [" a", " b"]
    assert named("p/1/a.tflite", "q/1/a.tflite") == [" p/1/a", " q/1/a"]
    assert named("a.tflite", "a.tflite", "a.tflite") == [
        " a",
        " a (2)",
        " a (3)",
    ]


def test_a_bar_in_a_name_is_none_of_a_table():
    assert cli.markdown_table(["", "b"], [["a|b", "c"]]).endswith(
        "| a\\|b | c |\n"
    )


def test_a_narrow_range_has_ticks_too(tmp_path):
    """Also, names are not read as formulas, and long ones are shortened."""
    rows = [_row(f"{n}{90 * '/$a'}$\\b", 30.0, n, 20.0 + n) for n in (1, 2)]
    drawn = np.asarray(picture(rows))
    assert drawn.shape[1] == 1120
    # There are numbers below and beside the axes, and nothing above the legend.
    for panel in (drawn[:, :560], drawn[:, 560:]):
        assert (panel[364:378] < 128).any()
        assert (panel[60:360, 25:62] < 128).any()
    assert (drawn[:, -2:] == 255).all()


def test_without_matplotlib_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        InputError, match=r"A picture needs .*'issp-keras\[edge\]'"
    ):
        picture([])
