"""Opens pages in a browser."""

import browsers
import numpy as np
import pytest

from issp_keras import report

RNG = np.random.default_rng(0)


def _encoded(*shape):
    return report.encode(RNG.integers(0, 256, shape, np.uint8))


def _crops():
    names = "bicubic", "network", "original"
    return {name: _encoded(192, 192, 3) for name in names}


def _large():
    return {name: _encoded(300, 900, 3) for name in ("bicubic", "network")}


def _page(path, *blocks):
    points = [
        report.Point(1, "dense", 10.0, 30.0),
        report.Point(2, "sparse + delegate", 4.0, 30.1, 1, True),
    ]
    x = report.axis_for("latency in ms", [4.0, 10.0], is_log=True)
    y = report.axis_for("PSNR in dB", [30.0, 30.1])
    rows = [
        ["a rather long name of a file, as users have them", "1,024", "9.5 ms"],
        ["bicubic", "", ""],
        ["sparse", "64", "10.2 ms"],
        ["int8", "512", "7 ms"],
    ]
    page = report.Page(
        kind="issp_keras · test",
        title="<script>alert(1)</script>, a_name_without_any_space_in_it.keras",
        lead="A sentence.",
        figures=[report.Figure("30.10 dB", "PSNR", "sparse")] * 3,
        sections=[
            report.Section("Table", [report.table(["", "size", "time"], rows)]),
            report.Section("Plot", [report.scatter("Plot", points, x, y)]),
            report.Section("Pictures", list(blocks)),
        ],
        facts=[("Command", "issp-evaluate --model=" + "x" * 200)],
    )
    page.write(path)
    return path


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """What a browser finds in a page with crops of three ways."""
    folder = tmp_path_factory.mktemp("browser")
    slider = report.slider("Crop", _crops(), enlarge=2)
    page = _page(folder / "page.html", slider)
    return browsers.opened(page, "report", folder), folder


@pytest.fixture(scope="module")
def zoomed(tmp_path_factory):
    """The same for two large pictures with zoom buttons."""
    folder = tmp_path_factory.mktemp("browser")
    slider = report.slider("Photograph", _large(), zooms=True)
    page = _page(folder / "page.html", slider)
    return browsers.opened(page, "report", folder)


def test_nothing_is_asked_for_and_nothing_fails(opened, zoomed):
    for result in (opened[0], zoomed):
        assert result["errors"] == []
        assert result["requests"] == []


def test_keys_sort_a_table_both_ways(opened):
    up, down = opened[0]["found"]["sorted"]
    assert up["ariaSort"] == "ascending"
    assert up["values"] == ["7", "9.5", "10.2", None]
    assert down["ariaSort"] == "descending"
    assert down["values"] == ["10.2", "9.5", "7", None]


def test_keys_and_clicks_move_the_line(opened, zoomed):
    for result in (opened[0], zoomed):
        middle, right, start, clicked = result["found"]["slider"]
        values = [of["value"] for of in (middle, right, start)]
        assert values == [100, 120, 0]
        clips = [of["clip"] for of in (middle, right, start)]
        assert clips == [f"inset(0px 0px 0px {x}%)" for x in (50, 60, 0)]
        assert len({of["seen"] for of in (middle, right, start)}) == 3
        assert clicked["value"] == pytest.approx(50, abs=1)


def test_the_reader_chooses_the_pictures(opened):
    chosen = opened[0]["found"]["chosen"]
    assert chosen == ["none", "left", "right"]


def test_buttons_show_pixels_larger(zoomed):
    found = zoomed["found"]["zoom"]
    widths = {name: of["width"] for name, of in found.items()}
    assert widths == {"1": 900, "2": 1800, "4": 3600, "fit": widths["fit"]}
    assert widths["fit"] <= 900
    # The line is always in the middle of the visible part.
    for of in found.values():
        assert of["line"] == pytest.approx(of["middle"], abs=1)


def test_a_pull_moves_a_large_picture_and_the_grip_its_line(zoomed):
    before, pulled, gripped = zoomed["found"]["pull"]
    assert pulled == {"left": before["left"] - 30, "value": 100}
    assert gripped["left"] == pulled["left"]
    assert gripped["value"] == pytest.approx(150, abs=1)


def test_a_finger_moves_the_line_or_the_page(opened):
    before, sideways, down = opened[0]["found"]["touch"]
    assert sideways["value"] == pytest.approx(140, abs=2)
    assert sideways["top"] == before["top"]
    assert down["value"] == sideways["value"]
    assert down["top"] > sideways["top"]


def test_a_page_is_as_wide_as_the_screen(opened, zoomed):
    for result in (opened[0], zoomed):
        assert result["found"]["wide"] == {"phone": 0, "desk": 0}


def test_a_dark_page_is_dark(opened):
    red, green, blue = map(
        int, opened[0]["found"]["dark"].removeprefix("rgb(")[:-1].split(",")
    )
    assert max(red, green, blue) < 40


def test_in_print_pictures_stand_beside_each_other(opened, zoomed):
    for result, count in ((opened[0], 3), (zoomed, 2)):
        assert result["found"]["print"] == {
            "range": 0,
            "clips": ["none"] * count,
            "seen": True,
            "beside": True,
        }


def test_screenshots_have_the_width_of_the_screen(opened):
    import PIL.Image

    for name, width in {"phone": 390, "desk": 1280}.items():
        with PIL.Image.open(opened[1] / f"{name}.png") as image:
            assert image.width == width
