"""Photographs that are prepared for training, which may exceed the memory."""

import json
import threading

import numpy as np
import pytest

from issp_keras import data
from issp_keras.data import prepared
from issp_keras.errors import InputError

pytestmark = pytest.mark.versions

RNG = np.random.default_rng(0)


def _pairs(shapes=((20, 30, 3), (26, 18), (8, 8, 3))):
    return [
        data.make_pair(
            data.Photograph(str(i), RNG.integers(0, 256, shape, np.uint8)), 2
        )
        for i, shape in enumerate(shapes)
    ]


def _prepare(pairs, folder):
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, folder)


def test_what_is_prepared_is_what_was_read(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "_STRIP", 4)
    # 2400 and 2340 bytes, then 240.
    monkeypatch.setattr(prepared, "_SHARD_BYTES", 4750)
    pairs = _pairs()
    _prepare(pairs, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "00000.bin",
        "00001.bin",
        "index.json",
    ]
    found = data.open_prepared(tmp_path / "new", 2)
    for pair, expected in zip(found, pairs, strict=True):
        assert (pair.name, pair.scale) == (expected.name, 2)
        for found, exact in ((pair.lr, expected.lr), (pair.hr, expected.hr)):
            exact = data.to_rgb(exact)
            assert found.shape == exact.shape
            np.testing.assert_array_equal(found[:, :], exact)
            part = slice(1, 3), slice(2, 4)
            np.testing.assert_array_equal(found[part], exact[part])


@pytest.mark.parametrize("strip", [1, 3, 32])
def test_patches_are_the_same_prepared_or_in_memory(
    tmp_path, monkeypatch, strip
):
    monkeypatch.setattr(prepared, "_STRIP", strip)
    pairs = _pairs()
    _prepare(pairs, tmp_path / "new")
    found = data.RandomPatches(data.open_prepared(tmp_path / "new", 2), 4, 5, 1)
    expected = data.RandomPatches(pairs, 4, 5, 1)
    for step in range(4):
        for a, b in zip(found.batch(step), expected.batch(step), strict=True):
            np.testing.assert_array_equal(a, b)


def test_few_photographs_are_in_memory_at_once(tmp_path):
    pair = _pairs([(8, 8, 3)])[0]
    started = []
    done = []
    most = 0
    lock = threading.Lock()

    def read():
        nonlocal most
        with lock:
            started.append(1)
            most = max(most, len(started) - len(done))
        return pair

    data.prepare([read] * 50, 2, tmp_path / "new", done.append)
    assert len(done) == 50
    assert most <= 9


def test_a_photograph_that_cannot_be_read_leaves_nothing(tmp_path):
    def read():
        raise InputError("a.png: cannot be read.")

    pair = _pairs([(8, 8, 3)])[0]
    with pytest.raises(InputError, match=r"a\.png"):
        data.prepare([lambda: pair, read], 2, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_killed_preparation_is_begun_again(tmp_path):
    partial = tmp_path / ".partial-new"
    partial.mkdir()
    (partial / "00000.bin").write_bytes(b"half a photograph")
    pairs = _pairs()
    _prepare(pairs, tmp_path / "new")
    found = data.open_prepared(tmp_path / "new", 2)
    np.testing.assert_array_equal(found[0].hr[:, :], pairs[0].hr)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_folder_that_exists_is_not_written_to(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(InputError, match="new: exists, expected the name"):
        _prepare(_pairs(), tmp_path / "new")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no index", "is not an index"),
        ("[]", "is not an index"),
        (json.dumps({"format": "another"}), "has the format 'another'"),
        (
            json.dumps(
                {
                    "format": "issp_keras pairs 1",
                    "scale": 2,
                    "photographs": [["a", 0]],
                }
            ),
            "is not an index",
        ),
    ],
)
def test_a_broken_index_is_refused(tmp_path, content, message):
    _prepare(_pairs(), tmp_path / "new")
    (tmp_path / "new" / "index.json").write_text(content)
    with pytest.raises(InputError, match=message):
        data.open_prepared(tmp_path / "new", 2)


def test_another_scale_and_lost_shards_are_refused(tmp_path):
    _prepare(_pairs(), tmp_path / "new")
    with pytest.raises(InputError, match="prepared for x2, expected x4"):
        data.open_prepared(tmp_path / "new", 4)
    shard = tmp_path / "new" / "00000.bin"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"00000\.bin: ends before 2"):
        data.open_prepared(tmp_path / "new", 2)
    shard.unlink()
    with pytest.raises(InputError, match=r"00000\.bin: cannot be read"):
        data.open_prepared(tmp_path / "new", 2)
