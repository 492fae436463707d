"""The pages of programs, beyond the tests of the programs."""

import dataclasses

import numpy as np
import pages
import pytest

from issp_keras import data
from issp_keras.programs import evaluate_report
from issp_keras.programs.upscale_page import Comparisons
from issp_keras.report import images
from issp_keras.scores import Score

RNG = np.random.default_rng(0)


def _noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def _score(name, psnr):
    return Score(name, psnr, 0.9, 0.01)


def _see(crops, name, hr, difference):
    """Adds a photograph whose two results differ by `difference` levels."""
    old = np.full(hr.shape, 100, np.uint8)
    new = old.copy()
    new[230:238, 280:288] += np.uint8(difference)
    crops.see(
        "set5",
        data.Pair(name, hr[::2, ::2], hr),
        {
            "bicubic": (_score(name, 30.0), old),
            "m.keras": (_score(name, 30.5), new),
        },
    )


def _evaluation(scores, crops, **changes):
    settings = {
        "model": "folder/m.keras",
        "scale": 2,
        "border": 2,
        "channels": "y",
        "self_ensemble": False,
    }
    page = evaluate_report.page(
        {**settings, **changes}, scores, [], crops, [("Command", "c")]
    )
    return pages.Parsed(page.render())


def test_the_largest_differences_are_shown_first():
    crops = evaluate_report.Crops()
    hr = _noise(250, 300, 3)
    for difference in range(1, 30):
        _see(crops, f"photograph {difference}", hr, difference)
    page = _evaluation({}, crops)
    titles = [of["alt"] for of in page.all("img")][::3]
    assert titles == [
        f"set5: photograph {i}: bicubic, 30.00 dB" for i in range(29, 5, -1)
    ]
    assert "m.keras on 29 photographs" in page.text
    assert "the 24 photographs with the largest difference" in page.text
    # The crop is where they differ, on a grid of quarter crops.
    np.testing.assert_array_equal(page.images()[2], hr[48:240, 96:288])


def test_the_most_crops_fit_into_a_page():
    crops = evaluate_report.Crops()
    for _ in range(24):
        crops.see(
            "set5",
            data.Pair("p", _noise(96, 96, 3), _noise(192, 192, 3)),
            {
                way: (_score("p", 30.0), _noise(192, 192, 3))
                for way in ("bicubic", "network")
            },
        )
    assert sum(map(len, crops.sliders())) < 12_000_000


def test_a_gain_is_that_over_bicubic():
    ways = {
        "bicubic": [_score("a", 30.0), _score("mean", 30.0)],
        "m.keras": [_score("a", 29.5), _score("mean", 29.5)],
    }
    page = _evaluation(
        {"data/Kodak24/HR": ways, "nothing read": {"bicubic": [], "m": []}},
        evaluate_report.Crops(),
        self_ensemble=True,
    )
    for text in ("29.50 dB", "-0.50 dB over bicubic", "Kodak24/HR", "8 flips"):
        assert text in page.text
    assert "nothing read" not in page.text


def test_two_perfect_results_have_no_gain():
    ways = {
        way: [_score(name, np.inf) for name in ("a", "mean")]
        for way in ("bicubic", "m.keras")
    }
    page = _evaluation({"set5": ways}, evaluate_report.Crops())
    assert "nan" not in page.text


def _photograph(*shape, **more):
    return data.Photograph("p", _noise(*shape), **more)


def _compared(photographs, scale=2):
    comparisons = Comparisons(len(photographs), scale)
    for i, photograph in enumerate(photographs):
        result = photograph.pixels.repeat(scale, axis=0)
        comparisons.see(
            f"folder/{i}.png", photograph, result.repeat(scale, axis=1)
        )
    return comparisons.page("m.keras", [], [])


def test_of_a_large_photograph_the_middle_is_shown(monkeypatch):
    monkeypatch.setattr(images, "MOST_PIXELS", 20 * 40)
    photograph = _photograph(30, 60, 3)
    page = pages.Parsed(_compared([photograph]).render())
    lr = photograph.pixels[10:20, 20:40]
    before, after = page.images()
    np.testing.assert_array_equal(before, data.imresize(lr, 2))
    np.testing.assert_array_equal(after[::2, ::2], lr)
    assert "the middle of the photograph, at full resolution, 40 x 20" in (
        page.text
    )
    assert "0.png, 2 times larger" in page.text


def test_of_many_photographs_the_first_have_pictures():
    photographs = [_photograph(8, 9, 3)] * 31
    page = pages.Parsed(_compared(photographs).render())
    assert len(page.all("img")) == 2 * 30
    assert "1 more, without pictures here" in page.text
    assert "folder/30.png" in page.text


@pytest.mark.long
def test_pages_stay_small(tmp_path):
    """Noise compresses worst."""
    page = _compared([_photograph(350, 400, 3)] * 8)
    page.write(tmp_path / "page.html")
    found = pages.read(tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 8_000_000
    assert len(found.all("img")) == 16


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3)])
def test_deep_and_grey_photographs_are_shown_in_8_bits(shape):
    photograph = _photograph(*shape, icc_profile=b"profile")
    deep = dataclasses.replace(
        photograph, pixels=photograph.pixels.astype(np.uint16) * 257
    )
    _, after = pages.Parsed(_compared([deep]).render()).images()
    np.testing.assert_array_equal(
        after[::2, ::2], data.to_rgb(photograph.pixels)
    )
