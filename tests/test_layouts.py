"""Photographs are found in the layouts in common use."""

import pathlib

import numpy as np
import PIL.Image
import pytest

from issp_keras import data
from issp_keras import host
from issp_keras.errors import InputError

RNG = np.random.default_rng(0)


def _make(folder, **sizes):
    for name, size in sizes.items():
        path = folder / name.replace("__", "/").replace("_png", ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = "RGB" if len(size) == 2 else size[2]
        PIL.Image.new(mode, size[:2], 9).save(path)


def _names(pairs, folder):
    return [
        (
            pair.name,
            str(pair.hr.relative_to(folder)),
            pair.lr and str(pair.lr.relative_to(folder)),
        )
        for pair in pairs
    ]


@pytest.mark.parametrize(
    ("files", "start", "expected"),
    [
        (
            ["Set5/HR/a.png", "Set5/LR_bicubic/X4/ax4.png"],
            "Set5",
            ("a", "Set5/HR/a.png", "Set5/LR_bicubic/X4/ax4.png"),
        ),
        (
            ["Set5/HR/a.png", "Set5/LR_bicubic/X4/ax4.png"],
            "Set5/HR",
            ("a", "Set5/HR/a.png", "Set5/LR_bicubic/X4/ax4.png"),
        ),
        (
            ["Set5/HR/a.png", "Set5/LR_bicubic/X2/ax2.png"],
            "Set5",
            ("a", "Set5/HR/a.png", None),
        ),
        (
            ["Set5/GTmod12/a.png", "Set5/LRbicx4/a.png"],
            "Set5",
            ("a", "Set5/GTmod12/a.png", "Set5/LRbicx4/a.png"),
        ),
        (
            [
                "Urban/image_SRF_4/i_SRF_4_HR.png",
                "Urban/image_SRF_4/i_SRF_4_LR.png",
                "Urban/image_SRF_4/i_SRF_4_SRCNN.png",
            ],
            "Urban",
            (
                "i_SRF_4_HR",
                "Urban/image_SRF_4/i_SRF_4_HR.png",
                "Urban/image_SRF_4/i_SRF_4_LR.png",
            ),
        ),
        (
            ["M/HR/a.png", "M/LR_bicubic/X4/a_LRBI_x4.png"],
            "M",
            ("a", "M/HR/a.png", "M/LR_bicubic/X4/a_LRBI_x4.png"),
        ),
        (
            ["D/DIV2K_train_HR/1.png", "D/DIV2K_train_LR_bicubic/X4/1x4.png"],
            "D/DIV2K_train_HR",
            (
                "1",
                "D/DIV2K_train_HR/1.png",
                "D/DIV2K_train_LR_bicubic/X4/1x4.png",
            ),
        ),
        (
            ["F/F_HR/1.png", "F/F_LR_bicubic/X4/1x4.png"],
            "F",
            ("1", "F/F_HR/1.png", "F/F_LR_bicubic/X4/1x4.png"),
        ),
        (["flat/a.png"], "flat", ("a", "flat/a.png", None)),
    ],
)
def test_finds_hr_and_lr_in_each_layout(tmp_path, files, start, expected):
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (8, 8)).save(path)
    found = data.find_pairs(tmp_path / start, 4)
    assert _names(found, tmp_path) == [expected]


def test_reads_lr_files_and_cuts_hr_to_them(tmp_path):
    _make(tmp_path, HR__a_png=(17, 15), LR_bicubic__X4__ax4_png=(4, 3))
    (found,) = data.find_pairs(tmp_path, 4)
    pair = found.read(4)
    assert (pair.lr.shape, pair.hr.shape) == ((3, 4, 3), (12, 16, 3))
    assert pair.scale == 4


def test_makes_lr_where_there_is_none(tmp_path):
    pixels = RNG.integers(0, 256, (13, 10, 3), np.uint8)
    data.write_photograph(tmp_path / "a.png", pixels)
    pair = data.find_pairs(tmp_path, 3)[0].read(3)
    np.testing.assert_array_equal(pair.hr, pixels[:12, :9])
    np.testing.assert_array_equal(
        pair.lr, data.imresize(pixels[:12, :9], 1 / 3)
    )


def test_lr_of_another_size_is_refused(tmp_path):
    _make(tmp_path, HR__a_png=(17, 15), LR_bicubic__X4__ax4_png=(5, 3))
    with pytest.raises(InputError, match=r"ax4\.png: is 5x3.*expected 4x3"):
        data.find_pairs(tmp_path, 4)[0].read(4)


def test_grey_hr_and_rgb_lr_are_both_rgb(tmp_path):
    _make(tmp_path, HR__a_png=(8, 8, "L"), LR_bicubic__X4__ax4_png=(2, 2))
    pair = data.find_pairs(tmp_path, 4)[0].read(4)
    assert pair.hr.shape == (8, 8, 3)


def test_lr_for_some_photographs_only_is_refused(tmp_path):
    _make(
        tmp_path,
        HR__a_png=(8, 8),
        HR__b_png=(8, 8),
        LR_bicubic__X4__ax4_png=(2, 2),
    )
    with pytest.raises(InputError, match=r"X4: has no LR file for b\.png"):
        data.find_pairs(tmp_path, 4)


def test_lr_goes_with_the_photograph_of_its_name(tmp_path, monkeypatch):
    """Also if a photograph's own name ends in x4, and in the current folder."""
    _make(
        tmp_path,
        HR__fo_png=(8, 8),
        HR__fox4_png=(8, 8),
        LR_bicubic__X4__fox4_png=(2, 2),
        LR_bicubic__X4__fox4x4_png=(2, 2),
    )
    monkeypatch.chdir(tmp_path / "HR")
    for folder in (tmp_path, ".", pathlib.Path()):
        found = data.find_pairs(folder, 4)
        assert [(pair.name, pair.lr.name) for pair in found] == [
            ("fo", "fox4.png"),
            ("fox4", "fox4x4.png"),
        ]


def test_lr_that_may_go_with_two_photographs_is_refused(tmp_path):
    _make(
        tmp_path,
        GTmod12__fo_png=(8, 8),
        GTmod12__fox4_png=(8, 8),
        LRbicx4__fo_png=(2, 2),
        LRbicx4__fox4_png=(2, 2),
    )
    with pytest.raises(InputError, match=r"fox4\.png: matches 2"):
        data.find_pairs(tmp_path, 4)


def test_hidden_and_other_files_are_passed_by(tmp_path):
    _make(tmp_path, a_png=(8, 8))
    for name in (".partial-b.png", "._a.png", "notes.txt"):
        (tmp_path / name).write_text("no photograph")
    assert [pair.name for pair in data.find_pairs(tmp_path, 2)] == ["a"]


@pytest.mark.parametrize("name", ["B100", "BSD100", "bsds100", "b100"])
def test_test_sets_are_found_by_name(tmp_path, name):
    _make(tmp_path / name, a_png=(8, 8))
    (found,) = data.find_source("b100", "held_out", 2, str(tmp_path))
    assert found.hr == tmp_path / name / "a.png"


def test_a_missing_test_set_is_answered_with_the_layouts(tmp_path):
    with pytest.raises(InputError, match=r"has no folder set5(?s:.)*LRbicx4"):
        data.find_source("set5", "held_out", 2, str(tmp_path))
    with pytest.raises(InputError, match="nowhere: has no folder set5"):
        data.find_source("set5", "held_out", 2, str(tmp_path / "nowhere"))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder.*urban100"):
        data.find_source(str(tmp_path / "nowhere"), "train", 2)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no photograph.*\.png"):
        data.find_source(str(tmp_path), "train", 2)
    (tmp_path / "image_SRF_2").mkdir()
    PIL.Image.new("L", (8, 8)).save(tmp_path / "image_SRF_2" / "a_LR.png")
    with pytest.raises(InputError, match="with a name ending in _HR"):
        data.find_source(str(tmp_path), "train", 2)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_the_embedded_photographs_are_there(split):
    pairs = data.load_pairs("embedded", split, 4, 200)
    assert len(pairs) >= 3
    assert all(pair.hr.dtype == np.uint8 for pair in pairs)


def test_no_embedded_photograph_is_in_both_splits():
    train, held_out = (
        {pair.name for pair in data.find_source("embedded", split, 2)}
        for split in ("train", "held_out")
    )
    assert not train & held_out


def test_loads_a_folder_in_order(folder_of_photographs):
    pairs = data.load_pairs(str(folder_of_photographs), "train", 2)
    assert [(pair.name, pair.hr.shape) for pair in pairs] == [
        ("a", (48, 60, 3)),
        ("b", (40, 36, 3)),
        ("grey", (40, 44)),
    ]


def test_photographs_smaller_than_a_patch_are_skipped_and_counted(
    folder_of_photographs, caplog
):
    source = str(folder_of_photographs)
    pairs = data.load_pairs(source, "train", 2, 41)
    assert [pair.name for pair in pairs] == ["a"]
    assert "skipped 2 of 3 photographs" in caplog.text
    with pytest.raises(InputError, match="no photograph of at least 61x61"):
        data.load_pairs(source, "train", 2, 61)
    folder = folder_of_photographs.parent / "prepared"
    every_pair = data.load_pairs(source, "train", 2)
    data.prepare([lambda pair=pair: pair for pair in every_pair], 2, folder)
    pairs = data.load_pairs(f"{folder},{source}", "train", 2, 41)
    assert [pair.name for pair in pairs] == ["a", "a"]
    # It has no LR pixel.
    PIL.Image.new("RGB", (64, 1)).save(folder_of_photographs / "line.png")
    pairs = data.load_pairs(source, "train", 2)
    assert [pair.name for pair in pairs] == ["a", "b", "grey"]
    assert "skipped 1 of 4 photographs, which are smaller than 2x2" in (
        caplog.text
    )


def test_a_held_out_photograph_that_is_too_small_is_refused(
    folder_of_photographs,
):
    source = str(folder_of_photographs)
    with pytest.raises(InputError, match=r"b\.png: is 37x41.*least 41x41"):
        data.load_pairs(source, "held_out", 2, 41)
    folder = folder_of_photographs.parent / "prepared"
    pairs = data.load_pairs(source, "train", 2)
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, folder)
    with pytest.raises(InputError, match=r"prepared: b is 36x40.*least 41x41"):
        data.load_pairs(str(folder), "held_out", 2, 41)


def test_a_truncated_photograph_is_refused(folder_of_photographs):
    path = folder_of_photographs / "a.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a\.png: cannot be read"):
        data.load_pairs(str(folder_of_photographs), "train", 2)


def test_more_than_memory_holds_is_refused(folder_of_photographs, monkeypatch):
    monkeypatch.setattr(host, "memory", lambda: 2 * 3 * 48 * 60)
    with pytest.raises(InputError, match=r"3 photographs.*issp-prepare"):
        data.load_pairs(str(folder_of_photographs), "train", 2)


def test_prepared_photographs_can_be_held_out(folder_of_photographs):
    folder = folder_of_photographs.parent / "prepared"
    expected = data.load_pairs(str(folder_of_photographs), "held_out", 2)
    data.prepare([lambda pair=pair: pair for pair in expected], 2, folder)
    found = data.load_pairs(str(folder), "held_out", 2)
    for pair, exact in zip(found, expected, strict=True):
        np.testing.assert_array_equal(pair.hr, data.to_rgb(exact.hr))
        np.testing.assert_array_equal(pair.lr, data.to_rgb(exact.lr))


def test_prepared_photographs_held_out_must_fit_into_memory(
    folder_of_photographs, monkeypatch
):
    folder = folder_of_photographs.parent / "prepared"
    pairs = data.load_pairs(str(folder_of_photographs), "train", 2)
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, folder)
    monkeypatch.setattr(host, "memory", lambda: 2 * 3 * 48 * 60)
    assert len(data.load_pairs(str(folder), "train", 2)) == 3
    with pytest.raises(InputError, match=r"3 photographs.*fewer photographs"):
        data.load_pairs(str(folder), "held_out", 2)


def test_set5_and_set14_are_found_where_they_are(shared_data):
    for name, count in {"set5": 5, "set14": 14}.items():
        pairs = data.find_source(name, "held_out", 3, str(shared_data))
        assert len(pairs) == count
        assert all(isinstance(pair.lr, pathlib.Path) for pair in pairs)
