"""Signals that end a program, while it saves its work."""

import contextlib
import signal

import pytest

from issp_keras import files
from issp_keras.programs import interrupts
from issp_keras.programs.interrupts import Terminated

pytestmark = pytest.mark.one_backend


def _terminate():
    signal.raise_signal(signal.SIGTERM)


def test_without_a_signal_nothing_happens():
    with interrupts.raising(), interrupts.postponing():
        interrupts.check()
        assert not interrupts.is_waiting()


def test_work_can_be_saved_after_a_postponed_signal(tmp_path):
    with pytest.raises(Terminated), interrupts.raising():
        with interrupts.postponing():
            _terminate()
            assert interrupts.is_waiting()
            with files.replacing(tmp_path / "saved") as partial:
                partial.touch()
            interrupts.check()
        pytest.fail("the program goes on")
    assert (tmp_path / "saved").exists()
    assert not interrupts.is_waiting()


def test_the_end_of_the_block_raises_a_postponed_signal():
    with pytest.raises(Terminated), interrupts.raising():
        with interrupts.postponing():
            _terminate()
        pytest.fail("the program goes on")


def test_a_second_signal_is_not_postponed():
    with (
        pytest.raises(Terminated),
        interrupts.raising(),
        interrupts.postponing(),
    ):
        _terminate()
        _terminate()
        pytest.fail("the program goes on")


def test_a_signal_is_not_postponed_for_long(monkeypatch):
    monkeypatch.setattr(interrupts, "POSTPONED_SECONDS", 0.01)
    with (
        pytest.raises(Terminated),
        interrupts.raising(),
        interrupts.postponing(),
    ):
        _terminate()
        signal.pause()
        pytest.fail("the program goes on")


def test_nothing_is_postponed_after_the_block():
    with pytest.raises(Terminated), interrupts.raising():
        with interrupts.postponing():
            pass
        _terminate()
        pytest.fail("the program goes on")


def test_an_error_that_a_signal_became_does_not_hide_it():
    with pytest.raises(Terminated), interrupts.raising():
        try:
            _terminate()
        except Terminated as error:
            # As pybind11 does while a library is imported.
            raise ImportError("initialization failed") from error


def test_an_error_before_a_postponed_signal_is_told():
    with (
        pytest.raises(ImportError),
        interrupts.raising(),
        interrupts.postponing(),
    ):
        _terminate()
        raise ImportError("is not the signal's")


def test_check_raises_a_lost_error_again(tmp_path):
    with pytest.raises(Terminated), interrupts.raising():
        with contextlib.suppress(Terminated):
            _terminate()
        with (
            contextlib.suppress(Terminated),
            files.replacing(tmp_path / "broken") as partial,
        ):
            partial.touch()
        interrupts.check()
        pytest.fail("the program goes on")
    assert not (tmp_path / "broken").exists()
