"""The program that copies trained networks into the repository."""

import pathlib
import subprocess
import sys

import finished
import numpy as np
import pytest

from issp_keras.models import load_model

_STORE = pathlib.Path(__file__).parent.parent / "benchmarks" / "store.py"

pytestmark = pytest.mark.long


def _run(folder, *flags):
    return subprocess.run(
        [sys.executable, _STORE, "--output=networks", *flags],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_a_stored_network_is_a_finished_training(tmp_path):
    finished.write_training(tmp_path / "runs" / "a", "x2_small", 0.95)
    finished.write_training(tmp_path / "runs" / "b", "x2_other", 0.9)
    first = _run(tmp_path, "--runs=runs")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("Wrote networks/") == 2
    stored = sorted((tmp_path / "networks").iterdir())
    assert len(stored) == 2
    for folder in stored:
        names = {path.name for path in folder.iterdir()}
        assert names == {"model.keras", "config.json", "result.json"}
    before = tmp_path / "runs" / "a"
    after = next(
        folder
        for folder in stored
        if "x2_small" in (folder / "result.json").read_text()
    )
    for name in ("config.json", "result.json"):
        assert (before / name).read_bytes() == (after / name).read_bytes()
    a, b = (folder / "model.keras" for folder in (before, after))
    assert b.stat().st_size < a.stat().st_size / 2
    image = np.random.default_rng(0).random((1, 9, 8, 3), np.float32)
    np.testing.assert_array_equal(load_model(a)(image), load_model(b)(image))
    # What is stored is a folder of trainings, and can be stored again.
    again = _run(tmp_path, "--runs=networks")
    assert sorted(again.stdout.splitlines()) == sorted(
        first.stdout.splitlines()
    )


def test_a_folder_without_trainings_is_refused(tmp_path):
    done = _run(tmp_path, "--runs=missing")
    assert done.returncode
    assert "--runs: missing has no trained network" in done.stderr
