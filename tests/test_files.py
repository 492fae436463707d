import json
import pathlib

import pytest

from issp_keras import files
from issp_keras.errors import InputError


def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as partial:
        partial.write_text("half of the new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_signal_before_the_end_leaves_the_old_folder_alone(
    tmp_path, monkeypatch
):
    path = tmp_path / "folder"
    with files.replacing_folder(path, replace=True) as partial:
        (partial / "old").touch()

    def interrupt():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "before_renaming", [interrupt])
        with (
            pytest.raises(KeyboardInterrupt),
            files.replacing_folder(path, replace=True) as partial,
        ):
            (partial / "new").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "old"]
    with files.replacing_folder(path, replace=True) as partial:
        (partial / "new").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "new"]


def test_an_older_folder_is_neither_left_nor_lost(tmp_path, monkeypatch):
    path, older = tmp_path / "folder", tmp_path / ".older-folder"
    # A process was killed between the two renames.
    older.mkdir()
    with files.replacing_folder(path, replace=True) as partial:
        (partial / "new").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "new"]

    rename = pathlib.Path.rename

    def fail(self, target):
        if self.name.startswith(".partial-"):
            raise OSError("no place")
        return rename(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", fail)
    with (
        pytest.raises(InputError, match="cannot be written: no place"),
        files.replacing_folder(path, replace=True) as partial,
    ):
        (partial / "newer").touch()
    assert list(tmp_path.rglob("*")) == [path, path / "new"]


def test_an_error_of_a_full_disk_names_the_folder():
    error = RuntimeError("/a/b/events; No space left on device")
    with (
        pytest.raises(InputError, match=r"^/a/b: No space left on device\.$"),
        files.blaming_a_full_disk("/a/b"),
    ):
        raise error
    for other in (InputError("a: No space left on device"), ValueError("b")):
        with (
            pytest.raises(ValueError) as raised,
            files.blaming_a_full_disk("/a/b"),
        ):
            raise other
        assert raised.value is other


@pytest.mark.parametrize("path", [".", "/"])
def test_a_path_that_is_no_file_name_is_refused(path):
    with pytest.raises(InputError, match="cannot be written"):
        files.write_json(path, {})


def test_json_has_null_where_a_number_is_not_finite(tmp_path):
    files.write_json(tmp_path / "a.json", {"a": [float("inf"), 1.5], "b": "x"})
    content = json.loads((tmp_path / "a.json").read_text())
    assert content == {"a": [None, 1.5], "b": "x"}


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\r\n1,2\r\n3,")
    assert files.whole_lines(path) == ["a,b\r\n", "1,2\r\n"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder that can be written"):
        files.make_folder(tmp_path / "file" / "folder")
