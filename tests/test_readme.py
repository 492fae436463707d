"""Everything that the README shows works."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest

from issp_keras import models

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _commands():
    return [
        line
        for block in _blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line and not line.startswith("#")
    ]


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_runs_as_it_stands(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if ".pth" in block:
        models.to_torch(models.swinir(4), "SwinIR-light-x4.pth")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(30)])
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    names = {"model": model, "x": rng.normal(size=(1600, 4))}
    names["y"] = rng.normal(size=(1600, 30))
    exec(compile(block, "README.md", "exec"), names)
    if (tmp_path / "sparse.keras").exists():
        kernel = keras.models.load_model("sparse.keras").layers[0].kernel
        assert np.count_nonzero(kernel.numpy() == 0) == 114


def test_make_targets_are_run_by_ci():
    ci = (ROOT / ".ci/run").read_text()
    targets = [c for c in _commands() if c.startswith("make ")]
    assert {"make quickstart", "make test"} <= set(targets)
    for target in targets:
        assert target in ci


@pytest.mark.skipif(
    not (ROOT / "runs/quickstart/results.json").exists(),
    reason="`make quickstart` has not run here",
)
def test_commands_run_as_they_stand_after_quickstart(tmp_path):
    shutil.copytree(ROOT / "runs", tmp_path / "runs")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    PIL.Image.new("RGB", (61, 45), "teal").save(tmp_path / "photo.jpg")
    folder = tmp_path / "photographs"
    folder.mkdir()
    PIL.Image.new("RGB", (61, 45), "teal").save(folder / "teal.png")
    models.to_torch(models.swinir(4), tmp_path / "SwinIR-light-x4.pth")
    commands = [c for c in _commands() if c.startswith("issp-")]
    assert len({shlex.split(c)[0] for c in commands}) == 6
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            check=True,
        )
    with PIL.Image.open(tmp_path / "photo_x2.png") as image:
        assert image.size == (122, 90)


def test_every_other_command_is_one_of_git():
    for command in _commands():
        assert command.startswith(("make ", "issp-", "git clone ", "cd "))


def test_files_that_are_named_exist():
    for name in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / name).exists(), name
