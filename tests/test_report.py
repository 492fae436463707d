"""Pages for a browser."""

import base64
import hashlib
import re

import numpy as np
import pages
import PIL.ImageCms
import pytest

from issp_keras import report
from issp_keras.errors import InputError
from issp_keras.report.tables import leading_number

RNG = np.random.default_rng(0)
EVIL = "<script>alert('1')</script>&\"x\".png"


def _noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def _page(*blocks, **changes):
    settings = {
        "kind": "kind",
        "title": "Title",
        "lead": "A lead.",
        "figures": [report.Figure("1 dB", "label", "note")],
        "sections": [report.Section("Section", list(blocks))],
        "facts": [("Command", "issp-evaluate")],
    }
    return report.Page(**{**settings, **changes})


def _slider(count=2, **options):
    pictures = [_noise(6, 5, 3) for _ in range(count)]
    encoded = {f"picture {i}": report.encode(p) for i, p in enumerate(pictures)}
    return pictures, report.slider("Title", encoded, **options)


def test_all_text_is_escaped():
    element = report.element(
        "p",
        EVIL,
        report.element("b", 1),
        None,
        title=EVIL,
        hidden=True,
        id=None,
    )
    parsed = pages.Parsed(element)
    assert parsed.elements == [
        ("p", {"title": EVIL, "hidden": None}),
        ("b", {}),
    ]
    assert parsed.text == f"{EVIL}1"


def test_attributes_have_the_names_of_html():
    element = report.element("i", class_="a", data_value=2, viewBox="0")
    assert element == '<i class="a" data-value="2" viewBox="0"></i>'


def test_evil_names_stay_text_everywhere(tmp_path):
    image = report.encode(_noise(2, 2))
    point = report.Point(1, EVIL, 1.0, 2.0)
    axis = report.axis_for(EVIL, [1.0, 2.0])
    page = _page(
        EVIL,
        report.table([EVIL], [[EVIL]]),
        report.slider(EVIL, dict.fromkeys([EVIL, "b", "c"], image), note=EVIL),
        report.scatter(EVIL, [point], axis, axis),
        report.key([point]),
        report.dots(EVIL, [report.Dot(EVIL, [1.0], EVIL)], axis),
        kind=EVIL,
        title=EVIL,
        lead=EVIL,
        figures=[report.Figure(EVIL, EVIL, EVIL)],
        facts=[(EVIL, EVIL)],
    )
    page.write(tmp_path / "page.html")
    parsed = pages.read(tmp_path / "page.html")
    assert parsed.text.count(EVIL) > 15


def test_a_page_stands_alone_and_is_guarded(tmp_path):
    page = _page("A sentence.")
    page.write(tmp_path / "page.html")
    parsed = pages.read(tmp_path / "page.html")
    for text in ("Title", "A lead.", "1 dB", "A sentence.", "issp-evaluate"):
        assert text in parsed.text
    (policy,) = [
        meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta
    ]
    content = (tmp_path / "page.html").read_text()
    script = re.search("<script>(.*?)</script>", content, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest.decode()}'" in policy
    assert "prefers-color-scheme: dark" in content
    assert "@media print" in content
    assert not re.search(r"https?://|@import|url\(", content)


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(AttributeError):
        _page(figures=["no figure"]).write(path)
    assert path.read_text() == "old"
    # A file name that is not valid UTF-8.
    _page("caf\udce9.png").write(path)
    assert "caf?.png" in pages.read(path).text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("page.txt", "is page.txt, expected a file ending in .html."),
        ("", "is , expected a file ending in .html."),
        ("folder.html", "folder.html: is a folder, expected a file."),
        ("file/page.html", "file: is not a folder that can be written to"),
    ],
)
def test_a_bad_path_is_refused(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        report.check_path(path)
    assert str(caught.value).startswith(message)


def test_a_good_path_gets_its_folder(tmp_path):
    report.check_path(str(tmp_path / "new" / "page.HTML"))
    assert (tmp_path / "new").is_dir()


def test_columns_are_sorted_by_number_or_as_text():
    table = pages.Parsed(
        report.table(
            ["", "set", "PSNR", "non-zeros"],
            [
                ["2 blocks", "b100", "30.61 ± 0.02 / 0.86", "14,704 (9 %)"],
                ["10 blocks", "", "diverged", ""],
                ["none", "set5", "inf", "7"],
            ],
        )
    )
    kinds = [header["data-kind"] for header in table.all("th", scope="col")]
    assert kinds == ["text", "text", "number", "number"]
    values = [cell.get("data-value") for cell in table.all("td")]
    assert values == [
        *(None, "30.61", "14704"),
        *(None, None, None),
        *(None, "Infinity", "7"),
    ]
    assert len(table.all("button", type="button")) == 4
    assert len(table.all("th", scope="row")) == 3
    assert table.text.startswith("name")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,024 (10 %)", 1024),
        ("+0.52", 0.52),
        ("-3 dB", -3),
        ("2, 1 diverged", 2),
        ("1234.5", 1234.5),
        ("48x48", 48),
        ("inf", float("inf")),
        ("diverged", None),
        ("", None),
    ],
)
def test_the_number_of_a_cell_is_what_it_begins_with(text, number):
    assert leading_number(text) == number


def test_a_long_table_says_what_is_left_out():
    table = pages.Parsed(report.table(["a"], [["1"]] * 2001))
    assert len(table.all("tr")) == 2001
    assert "These are the first 2,000 of 2,001 rows." in table.text


def test_images_lose_nothing():
    grey, colour = _noise(7, 9), _noise(30, 4, 3)
    found = [
        pages.Parsed(report.encode(pixels).element("alt")).images()[0]
        for pixels in (grey, colour, colour[::2, ::-1])
    ]
    np.testing.assert_array_equal(found[0], np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(found[1], colour)
    np.testing.assert_array_equal(found[2], colour[::2, ::-1])


def test_images_keep_their_colour_profile():
    profile = PIL.ImageCms.ImageCmsProfile(
        PIL.ImageCms.createProfile("sRGB")
    ).tobytes()
    assert profile in report.encode(_noise(2, 2, 3), profile).data


def test_as_much_of_the_middle_is_shown_as_has_room():
    pictures = [_noise(60, 90, 3), _noise(60, 90, 3)]
    whole = report.encode_within(pictures, 100_000)
    assert [(image.width, image.height) for image in whole] == [(90, 60)] * 2
    cut = report.encode_within(pictures, 10_000)
    assert 5_000 < sum(len(image.data) for image in cut) <= 10_000
    height, width = cut[0].height, cut[0].width
    assert width / height == pytest.approx(1.5, abs=0.1)
    (found,) = pages.Parsed(cut[1].element("")).images()
    top, left = (60 - height) // 2, (90 - width) // 2
    np.testing.assert_array_equal(
        found, pictures[1][top : top + height, left : left + width]
    )


def test_no_more_pixels_are_shown_than_browsers_like():
    assert report.bounded_size(1000, 1500) == (1000, 1500)
    height, width = report.bounded_size(8000, 12000)
    assert height * width <= 4_000_000
    assert width / height == pytest.approx(1.5, abs=0.01)
    assert report.bounded_size(2, 100_000) == (2, 16_383)


def test_a_slider_has_both_pictures_and_a_range():
    pictures, slider = _slider(note="A note.", enlarge=2)
    parsed = pages.Parsed(slider)
    for expected, found in zip(pictures, parsed.images(), strict=True):
        np.testing.assert_array_equal(found, expected)
    (hand,) = parsed.all("input", type="range")
    assert hand["aria-label"].startswith("Title: where picture 0 ends")
    sides = [
        of["data-side"] for of in parsed.all("div", **{"class": "picture"})
    ]
    assert sides == ["left", "right"]
    assert not parsed.all("select") and not parsed.all("button")
    (figure,) = parsed.all("figure")
    assert figure["style"] == "--width:5;--height:6;--enlarge:2;--count:2"
    assert "A note." in parsed.text


def test_of_three_pictures_the_reader_chooses_two():
    _, slider = _slider(count=3, zooms=True)
    parsed = pages.Parsed(slider)
    assert len(parsed.all("select")) == 2
    chosen = [of["value"] for of in parsed.all("option") if "selected" in of]
    assert chosen == ["0", "1"]
    zooms = [of["data-zoom"] for of in parsed.all("button")]
    assert zooms == ["fit", "1", "2", "4"]


def test_ticks_are_round():
    assert report.Axis("", 29.93, 30.17).ticks() == [
        29.95,
        30.0,
        30.05,
        30.1,
        30.15,
    ]
    assert report.Axis("", -6, 106).ticks() == [0, 50, 100]
    assert report.Axis("", 3, 120, True).ticks() == [5, 10, 20, 50, 100]
    # Powers of ten would give only one tick.
    assert report.Axis("", 6.1, 12.3, True).ticks() == [8, 10, 12]


def test_an_axis_has_room_for_its_values():
    axis = report.axis_for("", [30.0, 30.01], least=0.2)
    assert axis.high - axis.low == pytest.approx(0.2)
    assert axis.place(30.005) == pytest.approx(0.5)
    for values in ([7.0], [0.0], [], [1.0, 100.0]):
        axis = report.axis_for("", values)
        assert all(0 < axis.place(value) < 1 for value in values)
        assert len(axis.ticks()) > 1
    axis = report.axis_for("", [1.0, 100.0], is_log=True)
    assert axis.place(10.0) == pytest.approx(0.5)


def test_points_of_one_file_are_joined_and_named():
    points = [
        report.Point(1, "dense", 10.0, 30.0, 0),
        report.Point(2, "dense + delegate", 5.0, 30.0, 0, True),
        report.Point(3, "int8", 4.0, 29.9, 1),
    ]
    x = report.axis_for("latency in ms", [4.0, 10.0], is_log=True)
    y = report.axis_for("PSNR in dB", [29.9, 30.0])
    plot = pages.Parsed(report.scatter("Quality", points, x, y))
    (svg,) = plot.all("svg")
    assert (svg["role"], svg["aria-label"]) == ("img", "Quality")
    lines = [of["points"].split() for of in plot.all("polyline")]
    assert [len(line) for line in lines] == [2, 1]
    # A faster file is further to the left. SVG's y grows downwards.
    (right, low), (left, _) = (map(float, of.split(",")) for of in lines[0])
    assert left < right
    assert low < float(lines[1][0].split(",")[1])
    assert len(plot.all("circle")) == 2 and len(plot.all("path")) == 1
    for text in ("latency in ms", "PSNR in dB", "2 dense + delegate"):
        assert text in plot.text
    assert "3int8" in pages.Parsed(report.key(points)).text


def test_what_diverged_has_a_cross_and_no_dot():
    lines = [
        report.Dot("ISS-P", [29.9, 30.1], "30.00 dB"),
        report.Dot("too fast", [], "diverged"),
    ]
    axis = report.axis_for("PSNR in dB", [29.9, 30.1])
    plot = pages.Parsed(report.dots("Set5", lines, axis))
    (dot,) = plot.all("circle")
    (spread,) = plot.all("line", **{"class": "spread"})
    assert float(spread["x1"]) < float(dot["cx"]) < float(spread["x2"])
    assert float(dot["cx"]) == pytest.approx(240, abs=0.1)
    assert len(plot.all("path", **{"class": "lost"})) == 1
    for text in ("ISS-P", "30.00 dB", "too fast", "diverged"):
        assert text in plot.text
