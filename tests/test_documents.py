"""All examples in the README and on the site work."""

import importlib.metadata
import importlib.util
import itertools
import pathlib
import re
import shlex
import shutil

import keras
import numpy as np
import PIL.Image
import programs
import pytest
from networks import HAS_LITERT
from networks import write_tflite

from issp_keras import models

HAS_ZIG = importlib.util.find_spec("ziglang") is not None
ROOT = pathlib.Path(__file__).parent.parent
# In the order of the site. mkdocs.yml must list each page.
_PAGES = re.findall(
    r"^ +- .*?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M
)
DOCUMENTS = {
    name: (ROOT / name).read_text()
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{of}" for of in _PAGES),
    ]
}


def _blocks(language):
    """The code blocks of all documents, without repetitions."""
    found = [
        block
        for text in DOCUMENTS.values()
        for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    ]
    return list(dict.fromkeys(found))


def _commands_of(block):
    return [
        line
        for line in block.replace("\\\n", " ").splitlines()
        if line and not line.startswith("#")
    ]


def _commands():
    return [c for block in _blocks("sh") for c in _commands_of(block)]


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_runs_as_it_stands(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "litert" in block and not HAS_LITERT:
        pytest.skip("this Keras does not export for LiteRT")
    if ".pth" in block:
        models.to_torch(models.swinir(4), "SwinIR-light-x4.pth")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(30)])
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    if "delegate.load" in block:
        write_tflite(model, tmp_path / "sparse.tflite")
    names = {"model": model, "x": rng.normal(size=(1600, 4))}
    names["y"] = rng.normal(size=(1600, 30))
    exec(compile(block, "a document", "exec"), names)
    if (tmp_path / "sparse.keras").exists():
        kernel = keras.models.load_model("sparse.keras").layers[0].kernel
        assert np.count_nonzero(kernel.numpy() == 0) == 114


def test_make_targets_are_run_by_ci():
    words = (ROOT / ".ci/run").read_text().split()
    targets = [c for c in _commands() if c.startswith("make ")]
    assert {"make quickstart", "make test"} <= set(targets)
    for target in targets:
        assert target.removeprefix("make ") in words


_SHORT = {
    "steps": 2,
    "steps_per_epoch": 2,
    "data.batch_size": 1,
    "sparsity.end_step": 1,
}
# Flags that shorten trainings of minutes, or of days on a GPU.
_MOMENTS = {
    "--workdir=runs/mine": _SHORT,
    "--config=recipe:": _SHORT,
    "--workdir=runs/int8": {**_SHORT, "simulated_int8.begin_step": 1},
    "--config=edsr_large": {
        **_SHORT,
        "network.features": 4,
        "network.blocks": 1,
    },
    "configs/recipe_search.py": {
        "training.steps_per_epoch": 1,
        "training.data.batch_size": 1,
    },
}


@pytest.mark.long
@pytest.mark.skipif(
    not (ROOT / "runs/quickstart/results.json").exists(),
    reason="`make quickstart` has not run here",
)
def test_commands_run_as_they_stand_after_quickstart(tmp_path, monkeypatch):
    # This browser opens a page and shows nothing.
    monkeypatch.setenv("BROWSER", "true")
    shutil.copytree(ROOT / "runs", tmp_path / "runs")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for name, size in {
        "photo.jpg": (61, 45),
        "photographs/teal.png": (96, 96),
        "held_out/teal.png": (96, 96),
        "DF2K/HR/1.png": (258, 261),
        "data/Set5/HR/baby.png": (40, 33),
        "data/Set14/HR/comic.png": (40, 33),
        "data/Kodak24/1.png": (40, 33),
        "data/T91/1.png": (96, 96),
        "data/BSD200/1.png": (96, 96),
        "data/DIV2K_quarter/1.png": (96, 96),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", size, "teal").save(tmp_path / name)
    models.to_torch(models.swinir(4), tmp_path / "SwinIR-light-x4.pth")
    blocks = [
        [c for c in _commands_of(block) if c.startswith("issp-")]
        for block in _blocks("sh")
    ]
    assert len({shlex.split(c)[0] for block in blocks for c in block}) == 10
    scripts = importlib.metadata.entry_points(group="console_scripts")
    with programs.started() as run:
        for command in itertools.chain(*blocks):
            name, *words = shlex.split(command)
            if name == "issp-demo" and not HAS_ZIG:
                continue
            for part, entries in _MOMENTS.items():
                if part in command:
                    words += [f"--config.{n}={v}" for n, v in entries.items()]
            if name == "issp-compare":
                words.append("--minutes=0")
            assert scripts[name].value == "issp_keras.programs.issp:run"
            words.insert(0, name.removeprefix("issp-"))
            done = run("issp", *words, cwd=tmp_path)
            assert done.returncode == 0, f"{command}: {done.stderr}"
    with PIL.Image.open(tmp_path / "photo_x4.png") as image:
        assert image.size == (244, 180)
    assert (tmp_path / "photo_x4_compare.png").exists()


def test_a_workdir_belongs_to_one_config():
    configs = {}
    for command in _commands():
        if "--config=" in command and "--workdir=" in command:
            flags = dict(f.split("=", 1) for f in command.split() if "=" in f)
            workdir = (command.split()[0], flags["--workdir"])
            configs.setdefault(workdir, set()).add(flags["--config"])
    assert ("issp-train", "runs/recipe") in configs
    assert all(len(of) == 1 for of in configs.values()), configs


def test_every_other_command_is_one_of_git():
    for command in _commands():
        assert command.startswith(("make ", "issp-", "git clone ", "cd "))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name):
    folder = (ROOT / name).parent
    for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", DOCUMENTS[name]):
        assert (folder / path).exists(), path


def test_every_page_is_on_the_site():
    pages = {
        str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")
    }
    assert pages == {name for name in DOCUMENTS if name.startswith("docs/")}


def test_the_readme_is_short():
    assert len(DOCUMENTS["README.md"].splitlines()) <= 150
