"""Opens the demo page in a browser."""

import browsers
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import test_web

from issp_keras.inference import load_network
from issp_keras.tflite import export
from issp_keras.web import build_page
from issp_keras.web import engine

RNG = np.random.default_rng(0)
_SEEN_THROUGH = 128
_HALF = 240  # Where the half with alpha begins in the photograph.
# At least as many pixels as the network sees far.
_AROUND = 8


def _write_photographs(folder):
    pixels = RNG.integers(0, 256, (300, 480, 4), np.uint8)
    pixels[:, :_HALF, 3] = 255
    pixels[:, _HALF:, 3] = _SEEN_THROUGH
    for name in ("drop", "four"):
        PIL.Image.fromarray(pixels).save(folder / f"{name}.png")
    # The image is smooth, because JPEG decoders differ in noise.
    ramp = np.add.outer(np.arange(24), np.arange(40))
    ramp = np.stack([3 * ramp, 200 - 2 * ramp, 90 + ramp], -1)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # Orientation: a quarter turn.
    PIL.Image.fromarray(ramp.astype(np.uint8)).save(
        folder / "turned.jpg", quality=98, subsampling=0, exif=exif
    )
    for name, shape in {"wide": (30, 2100), "large": (900, 1100)}.items():
        image = RNG.integers(0, 256, (*shape, 3), np.uint8)
        PIL.Image.fromarray(image).save(folder / f"{name}.png")
    (folder / "text.txt").write_text("no picture")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What a browser finds in the page, the folder, and the network."""
    test_web.need_compiler()
    folder = tmp_path_factory.mktemp("demo")
    _write_photographs(folder)
    file = folder / "network.tflite"
    export(test_web.varied("edsr", zeros=0.7), file, tolerance=99)
    four = folder / "four.tflite"
    export(test_web.varied("edsr", zeros=0.7, scale=4), four, tolerance=99)
    networks = {"Tiny": file, "Again": file, "Four": four}
    wasm = engine.build_wasm(folder / "wasm")
    page = build_page(folder / "demo.html", networks, wasm)
    result = browsers.opened(page, "demo", folder)
    return result, folder, load_network(file)


def _saved(demo, name):
    result, folder, _ = demo
    with PIL.Image.open(folder / result["found"]["saved"][name]) as image:
        return np.asarray(image).astype(int)


def test_nothing_is_asked_for_and_nothing_fails(demo):
    assert demo[0]["errors"] == []
    assert demo[0]["requests"] == []


def test_what_is_saved_is_what_the_interpreter_makes(demo):
    _, folder, network = demo
    with PIL.Image.open(folder / "drop.png") as image:
        pixels = np.asarray(image)
    made = _saved(demo, "drop")
    expected = network.upscale(np.ascontiguousarray(pixels[..., :3]))
    assert expected.std() > 20
    # A canvas keeps exact colours only for opaque pixels.
    opaque = slice(0, 2 * (_HALF - _AROUND))
    difference = made[:, opaque, :3] - expected[:, opaque]
    assert np.abs(difference).max() <= 1
    assert (made[:, : 2 * _HALF - 2, 3] == 255).all()
    assert (made[:, 2 * _HALF + 2 :, 3] == _SEEN_THROUGH).all()


def test_smaller_sizes_are_means_of_the_largest(demo):
    assert demo[0]["found"]["sizes"] == ["x4", "x3", "x2"]
    saved = demo[0]["found"]["saved"]
    assert [saved[name] for name in ("four", "third", "half")] == [
        f"four_x{scale}.png" for scale in (4, 3, 2)
    ]
    four = _saved(demo, "four")[:, : 4 * _HALF - 4, :3]
    height, width = four.shape[0] // 2, four.shape[1] // 2
    means = four.reshape(height, 2, width, 2, 3).mean((1, 3))
    half = _saved(demo, "half")[:, :width, :3]
    assert np.abs(half - means).max() <= 0.5
    assert _saved(demo, "third").shape == (900, 1440, 4)


def test_a_photograph_is_turned_as_its_camera_says(demo):
    _, folder, network = demo
    with PIL.Image.open(folder / "turned.jpg") as image:
        pixels = np.asarray(PIL.ImageOps.exif_transpose(image))
    made = _saved(demo, "turned")
    assert made.shape == (80, 48, 3)
    assert np.abs(made - network.upscale(pixels)).max() <= 1


def test_files_are_named_after_the_photograph(demo):
    saved = demo[0]["found"]["saved"]
    assert saved["drop"] == "drop_x2.png"
    assert saved["again"] == "large_x2.png"


def test_every_pixel_is_saved_where_fewer_are_seen(demo):
    _, folder, network = demo
    with PIL.Image.open(folder / "wide.png") as image:
        expected = network.upscale(np.asarray(image))
    assert np.abs(_saved(demo, "wide") - expected).max() <= 1
    note = demo[0]["found"]["reduced"]
    assert note.startswith("You see 2,100 × 30 of 4,200 × 60 pixels")  # noqa: RUF001


def test_it_says_how_fast_it_was(demo):
    done = demo[0]["found"]["done"]
    assert done.startswith("960 × 600 pixels in ")  # noqa: RUF001
    assert done.endswith(" megapixels a second")


def test_keys_and_clicks_move_the_line(demo):
    middle, right, start, end, clicked = demo[0]["found"]["slider"]
    assert middle["value"] == 50
    assert right["value"] > 50
    assert (start["value"], end["value"]) == (0, 100)
    assert start["clip"] == "inset(0px)"
    assert len({of["clip"] for of in (middle, right, start, end)}) == 4
    assert clicked["value"] == pytest.approx(25, abs=1)


def test_buttons_keys_and_the_wheel_zoom(demo):
    zoom = demo[0]["found"]["zoom"]
    assert zoom["plus"] == pytest.approx(1.25 * zoom["fit"], rel=1e-4)
    assert zoom["minus"] == zoom["fit"]
    assert (zoom["1"], zoom["2"]) == (1, 2)
    assert zoom["panned"] == 20
    assert zoom["fit"] <= zoom["wheel"] < 8
    assert zoom["end"] == zoom["fit"]


def test_it_can_be_cancelled_and_goes_on(demo):
    cancel = demo[0]["found"]["cancel"]
    assert cancel["status"] == "Cancelled."
    assert not cancel["saves"]
    assert cancel["again"].startswith("2,200 × 1,800 pixels in")  # noqa: RUF001


def test_a_text_is_no_picture(demo):
    problem = demo[0]["found"]["problem"]
    assert problem == "text.txt is no picture that this browser can read."
    assert demo[0]["found"]["hidden"]


def test_the_page_is_as_wide_as_the_screen(demo):
    assert set(demo[0]["found"]["wide"].values()) == {0}


def test_a_dark_page_is_dark(demo):
    color = demo[0]["found"]["dark"].removeprefix("rgb(")[:-1]
    assert max(map(int, color.split(","))) < 40
