import csv
import json
import pathlib
import re
import shutil
import subprocess
import sys

import finished
import numpy as np
import PIL.Image
import pytest
from loading import load_benchmark

_BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"


fronts = load_benchmark("fronts")
trained = load_benchmark("trained")


def _point(ms, psnr, name="", is_sparse=False):
    return fronts.Point(name, "float32", "XNNPACK", is_sparse, ms, psnr)


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
    assert found == [(2, -1), (4, 0.5), (10, -0.5)]
    assert fronts.gaps(dense, []) == []


def test_a_speedup_compares_networks_of_the_same_quality():
    dense = [_point(2, 30), _point(10, 31), _point(20, 32), _point(40, 30)]
    sparse = [_point(1, 30), _point(4, 31.5)]
    assert fronts.speedups(dense, sparse, limit_ms=30) == [
        (dense[0], sparse[0], 2),
        (dense[1], sparse[1], 2.5),
        (dense[2], None, 0),
    ]


def test_the_picture_shows_the_fastest_runtime_of_a_network():
    stock = fronts.Point("a", "int8", "XNNPACK", True, 9, 31)
    delegate = fronts.Point("a", "int8", "delegate", True, 2, 31)
    other = fronts.Point("a", "float32", "XNNPACK", True, 20, 32)
    assert fronts.fastest([stock, delegate, other]) == [delegate, other]


def test_a_label_tells_the_shape_and_the_zeros():
    row = _row("a long name, 90% zeros", True, {"XNNPACK": 9.0}, 31)
    [point] = fronts.points([{**row, "network": "plain_32x16"}], "160x90", "1")
    assert point.label == "32x16, 90%"
    row = _row("fsrcnn", False, {"XNNPACK": 9.0}, 31)
    [point] = fronts.points([row], "160x90", "1")
    assert point.label == "fsrcnn"


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


def test_the_claim_compares_the_best_forms():
    rows = [
        _row("small", False, {"XNNPACK": 6.0, "delegate": 4.0}, 31),
        _row("large", True, {"XNNPACK": 9.0, "delegate": 2.0}, 31.5),
    ]
    assert fronts.claim(rows).splitlines() == [
        "x4, up to 30 ms, against dense networks in XNNPACK: the sparse front "
        "is +0.50 to +0.50 dB above the dense front (median +0.50 dB).",
        "- small (int8, 6.0 ms, 30.00 dB): large (int8) is 3.0 times as fast "
        "with at least its PSNR.",
        "",
        "x4, up to 30 ms, against dense networks in their fastest runtime: the "
        "sparse front is +0.50 to +0.50 dB above the dense front (median +0.50 "
        "dB).",
        "- small (int8, 4.0 ms, 30.00 dB): large (int8) is 2.0 times as fast "
        "with at least its PSNR.",
    ]
    *_, first, second = fronts.table(rows).splitlines()
    assert first == (
        "| large | x4 | 90% | 20 |  | 30.50 | 9 kB |  |  | 9.0 ms | 2.0 ms |"
    )
    assert second.startswith("| small | x4 | 0% | 200 |")


def test_published_networks_get_the_speed_of_this_machine():
    form = {"sizes": {"160x90": {"ms": {"1": {"XNNPACK": 103.0}}}}}
    reference = {
        "key": fronts.REFERENCE,
        "scale": 4,
        "forms": {"float32": form},
    }
    found = {of.name: of for of in fronts.published([reference], "160x90", "1")}
    assert found["ECBSR-M4C16"].ms == 1
    assert found["ECBSR-M4C16"].psnr == pytest.approx((30.89 + 27.81) / 2)
    assert found["EDSR-baseline"].ms == 103
    assert fronts.published([], "160x90", "1") == []


def test_bundled_networks_are_not_in_the_fronts():
    rows = [
        _row("small", False, {"XNNPACK": 6.0}, 31),
        _row("large", True, {"delegate": 2.0}, 31.5),
    ]
    bundled = _row("x4_good", True, {"delegate": 1.0}, 35)
    bundled["is_bundled"] = True
    assert fronts.claim([*rows, bundled]) == fronts.claim(rows)
    [point] = fronts.points([bundled], "160x90", "1")
    assert point.label == "x4_good"


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
    fronts.write_page(figures, page, tmp_path / "found.json")
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
    assert page.read_text() == fronts.page_text(figures, page, output)
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
    # No network is lost again.
    for row in figures["networks"]:
        if row["key"] != fronts.REFERENCE:
            of = fronts.file_of(row, page.parent)
            assert of and trained.digest_of(of) == row["digest"], row["name"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a benchmark of two networks."""
    folder = tmp_path_factory.mktemp("frontier")
    finished.write_training(folder / "runs" / "a", "dense", 0)
    finished.write_training(folder / "runs" / "b", "sparse", 0.95)
    unfinished = folder / "runs" / "c"
    unfinished.mkdir()
    (unfinished / "model.keras").touch()
    (folder / "Set5").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 72, 3), np.uint8)
    PIL.Image.fromarray(noise).save(folder / "Set5" / "noise.png")
    _run(folder, "--runs=runs", "--threads=1,2", "--quick", "--repeats=1")
    return folder


def _run(folder, *flags):
    command = [sys.executable, _BENCHMARKS / "frontier.py", *flags]
    command += ["--data_dir=.", "--sizes=48x32", "--output=found.json"]
    command += ["--page=page.md", "--nobundled"]
    if not any("--score_on=" in flag for flag in flags):
        command.append("--score_on=set5")
    subprocess.run(command, cwd=folder, check=True)


@pytest.mark.long
def test_the_benchmark_measures_all_forms(measured):
    found = json.loads((measured / "found.json").read_text())
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
            assert all(ms > 0 for ms in of["ms"]["1"].values())
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
def test_only_scores_of_the_same_weights_are_kept(measured):
    path = measured / "found.json"
    figures = json.loads(path.read_text())
    dense, sparse, _ = figures["networks"]
    assert dense["digest"] != sparse["digest"]
    for row in (dense, sparse):
        row["forms"]["int8"]["scores"]["set5"]["psnr"] = 1.0
    sparse["digest"] = "that of other weights"
    path.write_text(json.dumps(figures))
    (measured / "Other").mkdir()
    shutil.copy(measured / "Set5" / "noise.png", measured / "Other")
    _run(
        measured,
        *("--runs=runs", "--threads=1", "--quick", "--repeats=1"),
        "--score_on=set5,Other",
    )
    dense, sparse, _ = json.loads(path.read_text())["networks"]
    assert dense["forms"]["int8"]["scores"]["set5"]["psnr"] == 1
    assert sparse["forms"]["int8"]["scores"]["set5"]["psnr"] > 1
    # No training was scored on this set.
    for form in (*dense["forms"].values(), *sparse["forms"].values()):
        assert 1 < form["scores"]["Other"]["psnr"] < 20


@pytest.mark.long
def test_the_picture_is_drawn_again_without_networks(measured):
    before = (measured / "found.csv").read_bytes()
    (measured / "found.csv").unlink()
    (measured / "found_x2.png").unlink()
    _run(measured, "--only_draw", "--runs=gone")
    assert (measured / "found.csv").read_bytes() == before
    assert (measured / "found_x2.png").exists()


@pytest.mark.long
def test_a_folder_without_networks_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, _BENCHMARKS / "frontier.py", "--runs=nothing"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "--runs: nothing has no trained network" in done.stderr
