"""Quality against time: the program, its fronts, tables and pictures."""

import csv
import datetime
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import finished
import numpy as np
import PIL.Image
import pytest
from loading import load_benchmark

from issp_keras.errors import InputError
from issp_keras.inference import find_bundled

_ROOT = pathlib.Path(__file__).parent.parent
_BENCHMARKS = _ROOT / "benchmarks"


front_pictures = load_benchmark("front_pictures")
front_tables = load_benchmark("front_tables")
fronts = front_tables.fronts
trained = load_benchmark("trained")


def _point(ms, psnr, key="", precision="float32", door="XNNPACK"):
    return fronts.Point(key, "name", precision, door, False, ms, psnr)


def test_a_front_has_only_points_that_no_other_beats():
    of = [_point(4, 31), _point(2, 30), _point(3, 29), _point(2, 29.5)]
    of += [_point(5, 31), _point(1, 28)]
    best = [(point.ms, point.psnr) for point in fronts.front(of)]
    assert best == [(1, 28), (2, 30), (4, 31)]
    assert fronts.front([]) == []


def test_gaps_begin_where_both_fronts_have_a_network():
    dense = [_point(2, 30), _point(10, 31), _point(40, 33)]
    sparse = [_point(1, 29), _point(4, 30.5)]
    found = fronts.gaps(dense, sparse, limit_ms=30)
    assert [(of.begin_ms, of.end_ms, of.db) for of in found] == [
        (2, 4, -1),
        (4, 10, 0.5),
        (10, 30, -0.5),
    ]
    assert found[0].width == pytest.approx(math.log(2))
    assert fronts.gaps(dense, []) == []
    assert fronts.gaps(dense, sparse, limit_ms=2) == []


def test_the_median_weighs_a_range_by_its_width_on_a_log_scale():
    # The widths are log 2, log 1.25 and log 4. The last is more than half.
    ranges = [fronts.Gap(1, 2, 0.1), fronts.Gap(2, 2.5, 0.2)]
    assert fronts.median([*ranges, fronts.Gap(2.5, 10, 0.3)]) == 0.3
    assert fronts.median(ranges) == 0.1


def test_a_speedup_compares_networks_of_the_same_quality():
    dense = [_point(2, 30), _point(10, 31), _point(20, 32), _point(40, 30)]
    sparse = [_point(1, 30), _point(4, 31.5)]
    assert fronts.speedups(dense, sparse, limit_ms=30) == [
        (dense[0], sparse[0], 2),
        (dense[1], sparse[1], 2.5),
        (dense[2], None, 0),
    ]


def test_the_picture_shows_the_fastest_runtime_of_a_network():
    stock = _point(9, 31, "a", "int8")
    delegate = _point(2, 31, "a", "int8", "delegate")
    other = _point(20, 32, "a")
    assert fronts.fastest([stock, delegate, other]) == [delegate, other]
    # Another seed of a network has the same name, but another key.
    seed = _point(3, 31, "b", "int8")
    assert fronts.fastest([seed, delegate]) == [delegate, seed]


@pytest.mark.parametrize(
    "name, network, is_sparse, label",
    [
        ("plain_32x16, 90% zeros, blocks", "plain_32x16", True, "32x16, 90%"),
        (
            "plain_32x16, 90% zeros, single weights",
            "plain_32x16",
            True,
            "32x16, 90% single",
        ),
        ("fsrcnn, dense", "fsrcnn", False, "FSRCNN"),
    ],
)
def test_a_label_tells_the_shape_and_the_zeros(name, network, is_sparse, label):
    row = {**_row(name, is_sparse, {"XNNPACK": 9.0}, 31), "network": network}
    [point] = fronts.points([row], "160x90", "1")
    assert point.label == label


def test_psnr_is_the_mean_of_the_published_test_sets():
    scores = {"set5": {"psnr": 31}, "set14": {"psnr": 28}, "B100": {"psnr": 1}}
    assert fronts.mean({"scores": scores}) == 29.5
    del scores["set14"]
    assert fronts.mean({"scores": scores}) == 16


def _row(name, is_sparse, ms, psnr):
    form = {
        "scores": {"set5": {"psnr": psnr}, "set14": {"psnr": psnr - 2}},
        "gzip_bytes": 9000,
        "sizes": {"160x90": {"ms": {"1": ms}}},
    }
    return {
        "key": name,
        "name": name,
        "scale": 4,
        "is_sparse": is_sparse,
        "weights": 200,
        "non_zeros": 20 if is_sparse else 200,
        "forms": {"int8": form},
    }


def _paragraphs(rows):
    """The paragraphs of the claim, each in one line."""
    parts = fronts.claim(rows).split("\n\n")
    return [" ".join(part.split()) for part in parts]


def test_the_claim_compares_the_best_forms():
    rows = [
        _row("small", False, {"XNNPACK": 6.0, "delegate": 1.0}, 31),
        _row("large", True, {"XNNPACK": 9.0, "delegate": 2.0}, 31.5),
        {**_row("taught", False, {"XNNPACK": 1.0}, 35), "has_teacher": True},
    ]
    assert _paragraphs(rows) == [
        "**Against dense networks in XNNPACK** (x4, 6 to 30 ms): the gain is "
        "+0.50 to +0.50 dB. Its median is +0.500 dB, on a log scale of the "
        "latency. The goal of +0.15 dB is reached in 100 % of the range. From "
        "2 to 6 ms, there are only sparse networks.",
        "- small (int8, 6.0 ms, 30.00 dB): large (int8), with at least its "
        "PSNR, is 3.00 times as fast.",
        "**Against dense networks in their fastest runtime** (x4, 2 to 30 ms): "
        "the gain is +0.50 to +0.50 dB. Its median is +0.500 dB, on a log "
        "scale of the latency. The goal of +0.15 dB is reached in 100 % of the "
        "range. From 1 to 2 ms, there are only dense networks.",
        "- small (int8, 1.0 ms, 30.00 dB): large (int8), with at least its "
        "PSNR, takes 2.00 times as long.",
    ]
    assert max(map(len, fronts.claim(rows).splitlines())) <= 120
    header, _, small, large = front_tables.table(rows[:2]).splitlines()
    assert header.endswith(
        "| float32 | float32 + delegate | int8 | int8 + delegate |"
    )
    assert large == (
        "| large | x4 | 90% | 20 |  | 30.50 | 9 kB |  |  | 9.0 ms | 2.0 ms |"
    )
    assert small.startswith("| small | x4 | 0% | 200 |")


def test_the_claim_leaves_out_ranges_within_the_noise():
    rows = [
        _row("a", False, {"XNNPACK": 3.0}, 31),
        _row("b", True, {"XNNPACK": 3.0}, 31.1),
        # From 15 to 15.1 ms, the sparse front is 0.9 dB worse.
        _row("c", False, {"XNNPACK": 15.0}, 32),
        _row("d", True, {"XNNPACK": 15.1}, 32.2),
    ]
    # The width of 3..15 ms is log 5. That of 15.1..30 ms is log 1.99, which is
    # 30 % of log 10.
    first, *_ = _paragraphs(rows)
    assert first == (
        "**Against dense networks in XNNPACK** (x4, 3 to 30 ms): the gain is "
        "+0.10 to +0.20 dB. Its median is +0.100 dB, on a log scale of the "
        "latency. The goal of +0.15 dB is reached in 30 % of the range."
    )


def test_published_networks_get_the_speed_of_this_machine(
    monkeypatch, tmp_path
):
    form = {"sizes": {"160x90": {"ms": {"1": {"XNNPACK": 103.0}}}}}
    reference = {
        "key": fronts.REFERENCE,
        "scale": 4,
        "forms": {"float32": form},
    }
    monkeypatch.setattr(fronts, "PUBLISHED", _published(tmp_path))
    found = fronts.published([reference], "160x90", "1")
    assert {of.label: of.ms for of in found} == {
        "A": 10,
        "A, int8": 1,
        "EDSR-baseline": 103,
    }
    # A was scored by this library. The other one compares Y of a grey
    # photograph, which adds 1.32 dB to one of 14.
    psnr = {of.label: of.psnr for of in found}
    assert psnr["A"] == 29.5
    assert psnr["A, int8"] == 29.0
    assert psnr["EDSR-baseline"] == pytest.approx(30 - 1.3219 / 28, abs=1e-5)
    assert fronts.published([], "160x90", "1") == []


def _published(folder):
    """A list of a network that was measured in int8, and of EDSR-baseline."""
    path = folder / "published.csv"
    path.write_text(
        "network,architecture,year,weights,Set5,Set14,grey as,"
        "times as fast as EDSR-baseline,int8 Set5,int8 Set14,"
        "int8 times as fast as EDSR-baseline,int8 runtime,source\n"
        "A,a,2021,16768,31,28,levels,10.3,30.5,27.5,103,delegate,A (2021)\n"
        "EDSR-baseline,edsr,2017,1517571,32,28,Y,1,,,,,EDSR (2017)\n"
    )
    return path


def test_a_published_network_has_the_time_that_was_measured_here():
    form = {"sizes": {"160x90": {"ms": {"1": {"XNNPACK": 103.0}}}}}
    reference = {
        "key": fronts.REFERENCE,
        "scale": 4,
        "forms": {"float32": form},
    }
    row = _row("ecbsr", False, {"XNNPACK": 7.0}, 31)
    row["forms"]["float32"] = row["forms"].pop("int8")
    row["network"] = "ecbsr_m4c16"
    of = fronts.published([row, reference], "160x90", "1")
    times = {point.label: point.ms for point in of}
    assert times["ECBSR-M4C16"] == 7
    assert times["PlainUSR-S"] == 103 / 25
    # The network x2 is another one.
    row["scale"] = 2
    [first, *_] = fronts.published([row, reference], "160x90", "1")
    assert (first.name, first.ms) == ("ECBSR-M4C16", 103 / 84.7)


def test_bundled_networks_are_not_in_the_fronts():
    rows = [
        _row("small", False, {"XNNPACK": 6.0}, 31),
        _row("large", True, {"delegate": 2.0}, 31.5),
    ]
    bundled = _row("x4_good", True, {"delegate": 1.0}, 35)
    bundled["is_bundled"] = True
    assert fronts.claim([*rows, bundled]) == fronts.claim(rows)
    [point] = fronts.points([bundled], "160x90", "1")
    # The name that the commands take.
    assert point.label == "x4_good_int8"


def test_a_page_lists_networks_with_links(tmp_path):
    rows = [
        {**_row("small", False, {"XNNPACK": 6.0}, 31), "steps": 20000},
        {**_row("gone", True, {"delegate": 2.0}, 31.5), "steps": 20000},
        {**_row("x4_fast", True, {"delegate": 1.0}, 32), "is_bundled": True},
    ]
    page = tmp_path / "networks" / "README.md"
    (tmp_path / "networks" / "small").mkdir(parents=True)
    (tmp_path / "networks" / "small" / "model.keras").touch()
    figures = {"machine": "a CPU", "networks": rows}
    front_tables.write_page(
        figures, page, tmp_path / "found.json", [tmp_path / "networks"]
    )
    text = page.read_text()
    assert "| [small](small/model.keras) | x4 | 0% | 200 |" in text
    assert "| gone | x4 | 90% | 20 |" in text
    assert "20,000 steps" in text and "one\ncore (a CPU)" in text
    assert "](../found.png)" in text
    assert "1.0 ms" in text.partition("## x4, trained alike")[0]
    [link] = re.findall(r"\[`x4_fast`\]\(([^)]+)\)", text)
    assert (page.parent / link).resolve().exists()


def test_the_page_of_the_stored_networks_is_up_to_date():
    output = _BENCHMARKS / "frontier_cpu.json"
    page = _BENCHMARKS / "networks" / "README.md"
    figures = json.loads(output.read_text())
    stored = [page.parent]
    assert page.read_text() == front_tables.page_text(
        figures, page, output, stored
    )
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
    # No network is lost again.
    for row in figures["networks"]:
        if row["key"] != fronts.REFERENCE:
            of = front_tables.file_of(row, stored)
            assert of and trained.digest_of(of) == row["digest"], row["name"]


def _bundled(name, psnr, scale):
    row = _row(name, True, {"XNNPACK": 5.26, "delegate": 2.46}, psnr)
    row["forms"]["float32"] = {
        "scores": row["forms"]["int8"]["scores"],
        "gzip_bytes": 99000,
        "sizes": {"160x90": {"ms": {"1": {"XNNPACK": 15.0}}}},
    }
    return {**row, "is_bundled": True, "scale": scale}


_FIGURES = {
    "networks": [
        _row("slow", False, {"XNNPACK": 6.0, "delegate": 4.0}, 31),
        _row("fast", False, {"XNNPACK": 2.0}, 30),
        _row("sparse", True, {"XNNPACK": 9.0, "delegate": 5.0}, 31.5),
        {**_row("sparse x2", True, {"delegate": 3.0}, 35), "scale": 2},
        _bundled("x2_fast", 34, 2),
        _bundled("x4_fast", 31, 4),
        _bundled("x4_good", 31.5, 4),
    ]
}
_TABLES = {
    "bundled": [
        "| network | magnification | zeros | PSNR Set5 / Set14 (int8) "
        "| int8 + delegate | int8 file |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| [`{name}`](issp_keras/inference/networks/{name}_int8.tflite) "
            f"| {name[:2]} | 90% | {psnr} | 2.5 ms "
            f"| {find_bundled(name).int8.stat().st_size / 1000:.0f} kB |"
            for name, psnr in {
                "x4_good": "31.50 / 29.50",
                "x4_fast": "31.00 / 29.00",
                "x2_fast": "34.00 / 32.00",
            }.items()
        ),
    ],
    "bundled_times": [
        "| network | float32, XNNPACK | float32, sparse delegate "
        "| int8, XNNPACK | int8, sparse delegate |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| `x4_good` | 15.0 ms |  | 5.3 ms | 2.5 ms |",
        "| `x4_fast` | 15.0 ms |  | 5.3 ms | 2.5 ms |",
        "| `x2_fast` | 15.0 ms |  | 5.3 ms | 2.5 ms |",
    ],
    "alike_x4": [
        "| network | non-zeros | float32: dB | ms | int8: dB "
        "| XNNPACK, ms | delegate, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| sparse | 20 |  |  | 30.50 | 9.0 | 5.0 |",
        "| fast | 200 |  |  | 29.00 | 2.0 |  |",
        "| slow | 200 |  |  | 30.00 | 6.0 | 4.0 |",
    ],
    "alike_x2": [
        "| network | non-zeros | float32: dB | ms | int8: dB "
        "| XNNPACK, ms | delegate, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| sparse x2 | 20 |  |  | 34.00 |  | 3.0 |",
    ],
}


def test_a_region_compares_a_bundled_network_with_its_rival(
    monkeypatch, tmp_path
):
    path = _published(tmp_path)
    path.write_text(path.read_text().replace("A,a,", "ECBSR-M4C16,ecbsr,"))
    monkeypatch.setattr(fronts, "PUBLISHED", path)
    rival = _row("rival", False, {"delegate": 2.0}, 31)
    rival["network"] = "ecbsr_m4c16"
    rival["forms"]["float32"] = {
        "sizes": {"160x90": {"ms": {"1": {"XNNPACK": 8.0}}}}
    }
    text = "<!-- frontier: bundled_goal -->\n<!-- end -->\n"
    rows = [*_FIGURES["networks"], rival]
    filled = front_tables.REGIONS.fill(text, rows, "page.md")
    found = " ".join(filled.split("-->")[1].split("<!--")[0].split())
    assert found == (
        "The small dense network ECBSR-M4C16 takes 8.0 ms in float32 with "
        "XNNPACK. We wanted `x4_fast` to take a third of this time, with 30.9 "
        "dB on Set5. In float32, it has 31.00 dB and takes 15.0 ms. In int8, "
        "it has 31.00 dB and takes 2.46 ms, which is 0.31 times the time of "
        "ECBSR-M4C16. The sparse delegate also computes ECBSR-M4C16 in int8, "
        "in 2.00 ms. With released weights, ECBSR-M4C16 has 31.00 dB "
        "on Set5 in float32 and 30.50 dB in int8."
    )
    # Without the rival, there is nothing to compare with.
    rows = _FIGURES["networks"]
    filled = front_tables.REGIONS.fill(text, rows, "page.md")
    assert "ECBSR" not in filled


def test_a_region_says_what_the_networks_show():
    dense = {**_row("dense x2", False, {"XNNPACK": 4.0}, 34), "scale": 2}
    networks = [*_FIGURES["networks"], dense]
    for scale in (4, 2):
        text = f"<!-- frontier: claim_x{scale} -->\n<!-- end -->\n"
        filled = front_tables.REGIONS.fill(text, networks, "page.md")
        claim = filled.splitlines()[2]
        assert claim.startswith("**Against dense networks in XNNPACK**")
        assert f"(x{scale}, " in claim


@pytest.mark.parametrize("name", _TABLES)
def test_a_region_of_a_document_is_filled(name, tmp_path):
    path, other = tmp_path / "page.md", tmp_path / "other.md"
    begin = f"First.\n\n<!-- frontier: {name} -->"
    path.write_text(f"{begin}\nold\n<!-- end -->\n\nLast.\n")
    other.write_text("A line `<!-- frontier: name -->` begins no region.\n")
    write, rows = front_tables.REGIONS.write, _FIGURES["networks"]
    assert write(rows, [path, other]) == [path]
    table = "\n".join(_TABLES[name])
    expected = f"{begin}\n\n{table}\n\n<!-- end -->\n\nLast.\n"
    assert path.read_text() == expected
    # A second time, nothing changes.
    assert write(rows, [path, other]) == []


@pytest.mark.parametrize(
    "region, problem",
    [
        (
            "<!-- frontier: all -->\n<!-- end -->",
            "a region 'all', expected one of",
        ),
        ("<!-- frontier: bundled -->\n", "'bundled' has no end, expected the"),
        (
            "<!-- frontier: bundled -->\n<!-- frontier: alike_x4 -->\n"
            "<!-- end -->",
            "'bundled' has no end",
        ),
    ],
)
def test_a_wrong_region_is_named(region, problem, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(region)
    with pytest.raises(InputError, match=problem) as error:
        front_tables.REGIONS.check([path])
    assert str(error.value).startswith(f"{path}: ")
    assert path.read_text() == region


@pytest.mark.parametrize(
    "document",
    ["README.md", "docs/guides/bundled.md", "docs/benchmarks/training.md"],
)
def test_the_tables_of_the_documents_are_up_to_date(document):
    figures = json.loads((_BENCHMARKS / "frontier_cpu.json").read_text())
    text = (_ROOT / document).read_text()
    filled = front_tables.REGIONS.fill(text, figures["networks"], document)
    assert text == filled


def test_a_csv_file_has_a_line_for_each_measurement(tmp_path):
    row = _row("a", False, {"XNNPACK": 6.0, "delegate": 4.0}, 31)
    row["forms"]["int8"]["bytes"] = 20000
    of = row["forms"]["int8"]["sizes"]["160x90"]
    of.update(multiply_adds=7, sparse_multiply_adds=5)
    of["ms"]["2"] = {"XNNPACK": 3.0}
    of["memory_bytes"] = {"XNNPACK": 800, "delegate": 600}
    figures = {"machine": "a CPU", "networks": [row]}
    front_tables.write_csv(figures, tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [
        (of["threads"], of["runtime"], of["ms"], of["memory_bytes"])
        for of in lines
    ] == [
        ("1", "XNNPACK", "6.0", "800"),
        ("1", "delegate", "4.0", "600"),
        # The memory was measured with one thread.
        ("2", "XNNPACK", "3.0", ""),
    ]
    assert {of["machine"] for of in lines} == {"a CPU"}


@pytest.mark.parametrize(
    "rows",
    [
        _FIGURES["networks"],
        [_row("one", False, {"XNNPACK": 6.0}, 31)],
        [_row("one", True, {"XNNPACK": 200.0}, 31)],
        [{**_row("one", True, {}, 31), "network": "not measured"}],
    ],
)
def test_a_picture_is_drawn_of_any_networks(rows, tmp_path):
    front_pictures.draw(rows, 4, tmp_path / "found.png")
    with PIL.Image.open(tmp_path / "found.png") as picture:
        assert picture.width > 1000


def test_a_picture_names_what_lies_outside():
    rows = [
        _row("slow", False, {"XNNPACK": 100.0}, 31),
        _row("bad", False, {"XNNPACK": 6.0}, 20),
        _row("fast", False, {"XNNPACK": 2.0}, 30),
        _row("good", True, {"XNNPACK": 3.0}, 31),
    ]
    picture = front_pictures.Picture(rows)
    assert picture.x == (pytest.approx(1.6), 60)
    assert picture.note() == (
        "Not in the picture: bad in int8 (6.0 ms, 19.00 dB), slow in int8 "
        "(100.0 ms, 30.00 dB)."
    )
    assert len(picture.lines) == 2
    # One network has no front.
    assert front_pictures.Picture(rows[:1]).lines == []


def test_labels_do_not_cover_each_other_or_points():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [
        _row(f"network {i}", i % 2 == 1, {"XNNPACK": 2.0 + i}, 30 + i / 9)
        for i in range(8)
    ]
    figure = Figure((9, 6), 100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    picture = front_pictures.Picture(rows)
    front_pictures.prepare(axes, picture, "")
    front_pictures.draw_labels(axes, picture)
    boxes = [of.get_window_extent() for of in axes.texts]
    assert len(boxes) == len(rows)
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        for of in picture.own:
            assert not box.contains(*axes.transData.transform((of.ms, of.psnr)))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a benchmark of two networks."""
    folder = tmp_path_factory.mktemp("frontier")
    finished.write_training(folder / "runs" / "a", "dense", 0)
    finished.write_training(folder / "runs" / "b", "sparse", 0.95)
    unfinished = folder / "runs" / "c"
    unfinished.mkdir()
    (unfinished / "model.keras").touch()
    # A killed program leaves it.
    shutil.copytree(folder / "runs" / "a", folder / "runs" / ".partial-a")
    (folder / "Set5").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 72, 3), np.uint8)
    PIL.Image.fromarray(noise).save(folder / "Set5" / "noise.png")
    # The second network fails after the first one was scored.
    second = folder / "runs" / "b" / "model.keras"
    whole = second.read_bytes()
    with zipfile.ZipFile(second) as content:
        weights = content.read("model.weights.h5")
    with zipfile.ZipFile(second, "w") as content:
        content.writestr("model.weights.h5", weights)
    done = _run(folder, "--threads=1,2")
    assert done.returncode == 1
    assert "b/model.keras: is not a Keras model" in done.stderr
    assert not (folder / "found.json").exists()
    _change_scores(folder / "found.partial.json", 2.5)
    second.write_bytes(whole)
    (folder / "page.md").write_text(
        "<!-- frontier: alike_x4 -->\n<!-- end -->\n"
    )
    done = _run(folder, "--threads=1,2", "--documents=page.md", "--page=")
    assert done.returncode == 0, done.stderr
    assert "Wrote page.md." in done.stdout
    return folder


def _run(folder, *flags):
    command = [sys.executable, _BENCHMARKS / "frontier.py", "--runs=runs"]
    command += ["--quick", "--repeats=1", "--data_dir=.", "--sizes=48x32"]
    command += ["--output=found.json", "--nobundled", "--score_on=set5"]
    return subprocess.run(
        [*command, *flags], cwd=folder, capture_output=True, text=True
    )


def _change_scores(path, psnr):
    """Changes the scores in int8, which shows whether they are kept."""
    content = json.loads(path.read_text())
    for row in content["networks"]:
        if "int8" in row["forms"]:
            row["forms"]["int8"]["scores"]["set5"]["psnr"] = psnr
    path.write_text(json.dumps(content))


def _scores(folder, name="set5"):
    dense, sparse, _ = json.loads((folder / "found.json").read_text())[
        "networks"
    ]
    return [
        of["forms"]["int8"]["scores"][name]["psnr"] for of in (dense, sparse)
    ]


@pytest.mark.long
def test_the_benchmark_measures_all_forms(measured):
    found = json.loads((measured / "found.json").read_text())
    today = datetime.datetime.now(datetime.UTC).date()
    day = datetime.date.fromisoformat(found["date"])
    assert today - datetime.timedelta(1) <= day <= today
    assert found["commit"] is None or len(found["commit"]) == 40
    assert re.match(r"2\.\d", found["ai_edge_litert"])
    assert found["kernels"] in front_tables.page_text(
        found, measured / "page.md", measured / "found.json", []
    )
    dense, sparse, reference = found["networks"]
    assert (dense["is_sparse"], sparse["is_sparse"]) == (False, True)
    assert reference["key"] == fronts.REFERENCE
    for row in (dense, sparse):
        assert row["forms"]["float32"]["scores"]["set5"]["psnr"] == 20
        # It is measured, not copied.
        assert row["forms"]["int8"]["scores"]["set5"]["psnr"] != 20
        for form in row["forms"].values():
            of = form["sizes"]["48x32"]
            assert form["bytes"] > form["gzip_bytes"] > 0
            assert set(of["ms"]) == {"1", "2"}
            for doors in of["ms"].values():
                assert all(ms > 0 for ms in doors.values())
            assert "path" not in of
    macs = sparse["forms"]["float32"]["sizes"]["48x32"]
    assert macs["sparse_multiply_adds"] < 0.1 * macs["multiply_adds"]
    doors = sparse["forms"]["float32"]["sizes"]["48x32"]["ms"]["2"]
    assert set(doors) == {"XNNPACK", "delegate"}
    with (measured / "found.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["name"] for line in lines} == {
        "dense",
        "sparse",
        fronts.REFERENCE,
    }
    with PIL.Image.open(measured / "found_x2.png") as picture:
        assert picture.width > 1000


@pytest.mark.long
def test_a_failure_loses_no_scores(measured):
    kept, new = _scores(measured)
    assert kept == 2.5 != new
    assert not (measured / "found.partial.json").exists()


@pytest.fixture
def copied(measured, tmp_path):
    """A copy of the folder, to change."""
    return shutil.copytree(measured, tmp_path / "copied")


@pytest.mark.long
def test_only_scores_of_the_same_weights_are_kept(copied):
    path = copied / "found.json"
    _change_scores(path, 1.0)
    figures = json.loads(path.read_text())
    dense, sparse, _ = figures["networks"]
    assert dense["digest"] != sparse["digest"]
    sparse["digest"] = "that of other weights"
    path.write_text(json.dumps(figures))
    (copied / "Other").mkdir()
    shutil.copy(copied / "Set5" / "noise.png", copied / "Other")
    done = _run(copied, "--threads=1", "--score_on=set5,Other", "--replace")
    assert done.returncode == 0, done.stderr
    kept, new = _scores(copied)
    assert kept == 1 < new
    # No training was scored on this set.
    assert all(1 < of < 20 for of in _scores(copied, "Other"))
    # The flag takes them all again.
    done = _run(copied, "--threads=1", "--rescore", "--replace")
    assert done.returncode == 0, done.stderr
    assert _scores(copied)[0] > 2.5


@pytest.mark.long
def test_the_picture_is_drawn_again_without_networks(copied):
    before = (copied / "found.csv").read_bytes()
    (copied / "found.csv").unlink()
    (copied / "found_x2.png").unlink()
    done = _run(copied, "--only_draw", "--runs=gone", "--page=all.md")
    assert done.returncode == 0, done.stderr
    assert (copied / "found.csv").read_bytes() == before
    assert (copied / "found_x2.png").exists()
    assert "## x2, trained alike" in (copied / "all.md").read_text()


# Imports take seconds, so one process imports them, and forks for each call.
_CALLS = """
import contextlib, io, json, os, runpy, sys

sys.path.insert(0, os.path.dirname(sys.argv[1]))
import keras
import issp_keras.tflite.benchmarking.contest
from issp_keras import models, tflite

found = []
for folder, flags in json.loads(sys.argv[2]):
    read, write = os.pipe()
    if not os.fork():
        os.dup2(write, 2)
        os.chdir(folder)
        sys.argv = [sys.argv[1], *flags]
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        os._exit(9)
    os.close(write)
    with open(read) as errors:
        said = errors.read()
    found.append([os.waitstatus_to_exitcode(os.wait()[1]), said])
print(json.dumps(found))
"""

_REFUSED = {
    "--sizes=foo": "--sizes: is foo, expected LR width and height",
    "--sizes=0x5": "--sizes: is 0x5, expected LR width and height",
    "--sizes=": "--sizes: is empty, expected sizes such as 160x90.",
    "--threads=x": "--threads: is 'x', expected a whole number from 1",
    "--threads=0": "--threads: is 0, expected a whole number from 1",
    "--score_on=gone": "gone: no such folder",
    "--documents=gone.md": "gone.md: no such file.",
    "--output=found.txt": "--output: is found.txt, expected a file ending",
    "--output=gone.json --only_draw": "--only_draw: gone.json: no such file",
    "--output=empty.json --only_draw": "empty.json is not a JSON file that",
    "--output=unscored.json --only_draw": "unscored.json is not a JSON file",
    "--page=page.txt": "--page: is page.txt, expected a file ending in .md",
    "--output=broken.json": "broken.json: cannot be read as JSON",
    "--runs=nothing": "--runs: nothing has no trained network",
    "--runs=no_steps": "no_steps/a/result.json: has no entry steps, expected",
    "--runs=no_network": "no_network/a/config.json: has no entry network,",
    "--runs=empty": "empty/a/model.keras: is not a whole .keras file",
    "--runs=cut_off": "cut_off/a/model.keras: is not a whole .keras file",
    "--runs=half": "the networks (--runs, --bundled) sparse; name another",
    "--sizes=24x16": "lose: the sizes (--sizes) 48x32; name another file",
    "--threads=1": "the numbers of threads (--threads) 2; name another",
    "--score_on=Other": "lose: the test sets (--score_on) set5; name another",
    "--output=other.json": "other.json was measured on another machine",
    "--output=slow.json": "(machine: ",
    f"--output={_BENCHMARKS}/frontier_cpu.json --quick": "--quick: would rep",
}


@pytest.fixture(scope="module")
def refused(measured, tmp_path_factory):
    """What calls with wrong flags say, by the flags."""
    folder = tmp_path_factory.mktemp("refused") / "folder"
    shutil.copytree(measured, folder)
    for name in ("no_steps", "no_network", "empty", "cut_off", "half"):
        shutil.copytree(folder / "runs" / "a", folder / name / "a")
    for name, file, entry in (
        ("no_steps", "result.json", "steps"),
        ("no_network", "config.json", "network"),
    ):
        path = folder / name / "a" / file
        content = json.loads(path.read_text())
        del content[entry]
        path.write_text(json.dumps(content))
    os.truncate(folder / "empty" / "a" / "model.keras", 0)
    os.truncate(folder / "cut_off" / "a" / "model.keras", 5000)
    (folder / "empty.json").write_text("{}")
    (folder / "broken.json").write_text("{")
    unscored = {"networks": [{"forms": {"int8": {"scores": {}}}}]}
    (folder / "unscored.json").write_text(json.dumps(unscored))
    figures = json.loads((folder / "found.json").read_text())
    figures["machine"] = "an abacus"
    (folder / "other.json").write_text(json.dumps(figures))
    figures = json.loads((folder / "found.json").read_text())
    figures["kernels"] = "slow kernels"
    (folder / "slow.json").write_text(json.dumps(figures))
    shutil.copytree(folder / "Set5", folder / "Other")
    usual = ["--runs=runs", "--sizes=48x32", "--threads=1,2", "--score_on=set5"]
    usual += ["--quick", "--data_dir=.", "--output=found.json", "--nobundled"]
    before = {of: of.read_bytes() for of in folder.rglob("*") if of.is_file()}
    calls = [(str(folder), [*usual, *of.split()]) for of in _REFUSED]
    program = str(_BENCHMARKS / "frontier.py")
    done = subprocess.run(
        [sys.executable, "-c", _CALLS, program, json.dumps(calls)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # They change nothing.
    for path in folder.rglob("*"):
        assert path.is_dir() or path.read_bytes() == before[path]
    return dict(zip(_REFUSED, json.loads(done.stdout)))


@pytest.mark.long
@pytest.mark.parametrize("flags", _REFUSED)
def test_a_wrong_call_is_refused_in_a_sentence(refused, flags):
    status, said = refused[flags]
    assert status == 1
    assert "Traceback" not in said
    [sentence] = [of for of in said.splitlines() if "frontier.py: " in of]
    assert _REFUSED[flags] in sentence


_BROKEN = """
import os, sys
import frontier
from issp_keras.errors import InputError
try:
    frontier.in_processes([(of, None) for of in sys.argv[1:]], (48, 32), 2, 1)
except InputError as error:
    print(error)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("No process is left.")
"""


@pytest.mark.long
def test_a_file_that_cannot_be_timed_is_named(tmp_path):
    whole = find_bundled("x2_fast").tflite
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(whole.read_bytes()[:5000])
    done = subprocess.run(
        [sys.executable, "-c", _BROKEN, whole, broken],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_BENCHMARKS)},
    )
    first, last = done.stdout.splitlines()
    assert first.startswith(f"{broken}: cannot be timed with 2 threads: is not")
    assert last == "No process is left."


def test_a_child_runs_a_file_once_for_each_line():
    done = subprocess.run(
        [
            *(sys.executable, _BENCHMARKS / "frontier.py", "--child"),
            *(find_bundled("x2_fast").tflite, "24", "16", "2"),
        ],
        input="\n\n",
        capture_output=True,
        text=True,
    )
    first, second = map(float, done.stdout.split())
    assert first > 0 and second > 0
