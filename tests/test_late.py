"""Modules that are imported with another one."""

import importlib
import sys

import pytest

from issp_keras.late import import_with


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules that can be imported: `late_first` and `late_second`."""
    for name in ("late_first", "late_second"):
        (tmp_path / f"{name}.py").write_text("value = 3\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield
    sys.meta_path[:] = before
    for name in ("late_first", "late_second"):
        sys.modules.pop(name, None)


def test_a_module_is_imported_after_the_other(modules):
    before = list(sys.meta_path)
    import_with("late_first", "late_second")
    assert "late_second" not in sys.modules
    assert importlib.import_module("late_first").value == 3
    assert sys.modules["late_second"].value == 3
    assert sys.meta_path == before


def test_a_module_is_imported_now_if_the_other_is_there(modules):
    importlib.import_module("late_first")
    import_with("late_first", "late_second")
    assert "late_second" in sys.modules


def test_without_the_other_module_nothing_changes(modules):
    import_with("late_nowhere", "late_second")
    with pytest.raises(ModuleNotFoundError, match="late_nowhere"):
        importlib.import_module("late_nowhere")
    assert "late_second" not in sys.modules
