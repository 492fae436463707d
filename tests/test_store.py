"""The program that copies trained networks into the repository."""

import os
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
    again = _run(tmp_path, "--runs=networks", "--replace")
    assert sorted(again.stdout.splitlines()) == sorted(
        first.stdout.splitlines()
    )
    assert sorted((tmp_path / "networks").iterdir()) == stored


def test_other_weights_are_only_replaced_with_a_flag(tmp_path):
    runs, path = tmp_path / "runs", tmp_path / "networks/x2_small-0/model.keras"
    finished.write_training(runs / "a", "x2_small", 0.95)
    assert _run(tmp_path, "--runs=runs").returncode == 0
    before = path.read_bytes()
    # A training with the same settings and seed, but other weights.
    finished.write_training(runs / "other", "x2_small", 0.5)
    (runs / "other").rename(runs / "a" / "other")
    finished.write_training(runs / "b", "x2_other", 0.9)
    refused = _run(tmp_path, "--runs=runs/a,runs")
    assert refused.returncode == 1
    assert (
        "--runs: networks has other weights of x2_small (x2_small-0), as a "
        "training on another backend or machine gives them; give --replace"
    ) in refused.stderr
    assert path.read_bytes() == before
    # The other one is stored.
    assert "Wrote networks/x2_other-0: x2_other." in refused.stdout
    same = _run(tmp_path, "--runs=runs")
    assert same.returncode == 0, same.stderr
    assert "x2_small is stored already." in same.stdout
    replaced = _run(tmp_path, "--runs=runs/a", "--replace")
    assert replaced.returncode == 0, replaced.stderr
    assert path.read_bytes() != before
    names = {of.name for of in (tmp_path / "networks").iterdir()}
    assert names == {"x2_small-0", "x2_other-0"}


def test_of_a_damaged_network_nothing_is_stored(tmp_path):
    finished.write_training(tmp_path / "runs" / "a", "x2_small", 0.95)
    os.truncate(tmp_path / "runs" / "a" / "model.keras", 5000)
    done = _run(tmp_path, "--runs=runs")
    assert done.returncode == 1
    assert "runs/a/model.keras: is not a whole .keras file" in done.stderr
    assert not (tmp_path / "networks").exists()


def test_a_folder_without_trainings_is_refused(tmp_path):
    done = _run(tmp_path, "--runs=missing")
    assert done.returncode
    assert "--runs: missing has no trained network" in done.stderr
