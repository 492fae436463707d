"""Packs the package for a machine without a network."""

import importlib.util
import json
import os
import platform
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from ml_collections import ConfigDict
from without import run_without

from issp_keras import data
from issp_keras.errors import InputError
from issp_keras.extras import EXTRAS
from issp_keras.programs import pack as program
from issp_keras.programs.pack import pack


def _download(command, **arguments):
    """Replaces pip: writes a wheel, and checks the arguments."""
    assert command[1:4] == ["-m", "pip", "download"]
    folder = command[command.index("--dest") + 1]
    wanted = command[command.index("--dest") + 2 :]
    assert any(name.startswith("keras") for name in wanted)
    # The target machine has these packages, which come with JAX.
    assert not any(name.startswith(("jax", "numpy")) for name in wanted)
    subprocess.run(["mkdir", folder], check=True)
    with open(f"{folder}/keras.whl", "wb") as file:
        file.write(bytes(1000))
    return subprocess.CompletedProcess(command, 0, "", "")


def _pack(output, limit=64, download=_download, sources=("photographs",)):
    return pack(
        sources, output, limit, "3.12", ["manylinux_2_28_x86_64"], download
    )


@pytest.fixture
def folder(folder_of_photographs, monkeypatch):
    image = PIL.Image.new("RGB", (40, 41), "teal")
    image.save(folder_of_photographs / "z.jpg", quality=90)
    monkeypatch.chdir(folder_of_photographs.parent)
    return folder_of_photographs.parent


def test_the_photographs_are_the_same_pixels(folder):
    size = _pack(folder / "pack")
    files = [p for p in (folder / "pack").rglob("*") if p.is_file()]
    assert size == sum(path.stat().st_size for path in files)
    assert (folder / "pack/issp_keras/programs/compare.py").exists()
    assert (folder / "pack/issp_keras/configs/recipe_search.py").exists()
    assert (folder / "pack/wheels/keras.whl").exists()
    assert "site" in (folder / "pack/install.sh").read_text()
    before = data.load_pairs("photographs", "train", 2)
    after = data.load_pairs(str(folder / "pack/photographs"), "train", 2)
    assert [p.name for p in before] == [p.name for p in after]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(data.to_rgb(a.hr), data.to_rgb(b.hr))


def test_16_bits_and_hidden_pixels_stay(folder):
    photographs = folder / "photographs"
    levels = np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40
    PIL.Image.fromarray(levels).save(photographs / "deep.png")
    hidden = np.full((40, 40, 4), 90, np.uint8)
    hidden[..., 3] = 0
    PIL.Image.fromarray(hidden).save(photographs / "hidden.png")
    _pack(folder / "pack")
    there = folder / "pack" / "photographs"
    with PIL.Image.open(there / "deep.png") as image:
        np.testing.assert_array_equal(np.asarray(image), levels)
    with PIL.Image.open(there / "hidden.webp") as image:
        np.testing.assert_array_equal(np.asarray(image), hidden)


def test_each_photograph_is_packed(folder):
    photographs = folder / "photographs"
    before = len(list(photographs.iterdir()))
    # Two have one name, and one is too wide for WebP.
    PIL.Image.new("RGB", (40, 42), "teal").save(photographs / "same.png")
    PIL.Image.new("RGB", (42, 40), "teal").save(photographs / "same.bmp")
    PIL.Image.new("L", (16384, 2)).save(photographs / "wide.png")
    _pack(folder / "pack")
    packed = {path.name for path in (folder / "pack/photographs").iterdir()}
    assert len(packed) == before + 3
    assert {"same.webp", "wide.png"} < packed


def test_a_prepared_folder_is_packed_as_it_is(folder):
    pairs = data.load_pairs(str(folder / "photographs"), "train", 2)
    data.prepare([lambda pair=pair: pair for pair in pairs], 2, folder / "raw")
    _pack(folder / "pack", sources=("raw",))
    for path in (folder / "raw").iterdir():
        packed = folder / "pack" / "raw" / path.name
        assert packed.read_bytes() == path.read_bytes()


def test_a_turned_photograph_stays_turned(folder):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # Orientation: 90 degrees.
    image = PIL.Image.new("RGB", (40, 42), "teal")
    image.save(folder / "photographs" / "turned.png", exif=exif)
    _pack(folder / "pack")
    path = folder / "pack" / "photographs" / "turned.webp"
    assert data.read_photograph(path).pixels.shape == (40, 42, 3)


def test_photographs_and_teachers_of_all_trainings_are_packed(folder):
    (folder / "nets").mkdir()
    (folder / "nets" / "large.keras").write_bytes(b"weights")
    (folder / "nets" / "small.keras").write_bytes(b"weights")
    config = ConfigDict(
        {
            "training": {"data": {"train": "photographs, more"}},
            "trainings": {
                "a": {"teacher": {"model": "nets/large.keras"}},
                "b": {"teacher": {"model": "x4_good"}, "pretrained": "x4_fast"},
                "c": {
                    "data": {"train": "others"},
                    "teacher": None,
                    "pretrained": "nets/small.keras",
                },
            },
        }
    )
    photographs = ["photographs", "more", "others"]
    networks = ["nets/large.keras", "nets/small.keras"]
    assert program.sources_of(config) == photographs + networks
    _pack(folder / "pack", sources=("photographs", "nets/large.keras"))
    packed = folder / "pack" / "nets" / "large.keras"
    assert packed.read_bytes() == b"weights"
    config.trainings.a.teacher.model = "nets/gone.keras"
    with pytest.raises(InputError, match=r"nets/gone\.keras: no such file"):
        program.sources_of(config)
    for wrong in (
        {"training": {}},
        {"training": {"data": {"train": ("photographs",)}}, "trainings": {}},
    ):
        with pytest.raises(InputError, match="is not one of issp compare"):
            program.sources_of(ConfigDict(wrong))


@pytest.mark.long
@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None
    or (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="needs JAX, and a machine like that of the wheels",
)
def test_a_pack_trains_where_there_is_only_jax(folder):
    """Runs the commands of the program's docstring, with tiny settings."""
    flags = [
        *("--config=recipe_search:AC/DC", "--config.training.steps=4"),
        "--config.training.data.train=photographs",
    ]
    version = ".".join(map(str, sys.version_info[:2]))
    command = [sys.executable, "-m", "issp_keras.programs.pack", *flags]
    command += ["--output=pack", f"--python_version={version}"]
    subprocess.run(command, cwd=folder, check=True)
    there = folder / "pack"
    paths = os.pathsep.join(
        [os.path.dirname(sys.executable), os.environ["PATH"]]
    )
    subprocess.run(
        ["sh", "install.sh"],
        cwd=there,
        env=os.environ | {"PATH": paths},
        check=True,
    )
    done = run_without(
        [name for name, (_, of) in EXTRAS.items() if of not in ("jax", "sr")],
        "import runpy\n"
        "runpy.run_module('issp_keras.programs.compare', run_name='__main__')",
        *(*flags, "--workdir=runs/search", "--config.score_on=()"),
        *("--config.training.data.on_device=True", "--minutes=9"),
        *("--config.training.data.held_out=", "--config.training.steps=4"),
        "--config.training.steps_per_epoch=2",
        "--config.training.steps_per_execution=2",
        "--config.training.data.patch_size=8",
        "--config.training.sparsity.end_step=2",
        cwd=there,
        KERAS_BACKEND="jax",
        PYTHONPATH=os.pathsep.join(["site", "."]),
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((there / "runs/search/results.json").read_text())
    assert (result["name"], result["backend"]) == ("AC/DC", "jax")


def test_nothing_is_left_of_a_pack_that_is_too_large(folder):
    with pytest.raises(InputError, match=r"--limit: the pack has .* MiB"):
        _pack(folder / "pack", limit=0.001)
    assert sorted(p.name for p in folder.iterdir()) == ["photographs"]


def test_refuses_to_pack_what_is_installed(folder, monkeypatch):
    monkeypatch.setattr(program, "_ROOT", folder)
    with pytest.raises(InputError, match="expected the repository"):
        _pack(folder / "pack")


def test_refuses_what_it_cannot_pack(folder):
    def fails(command, **arguments):
        error = "no index\nERROR: No matching distribution found for keras"
        return subprocess.CompletedProcess(command, 1, "", error)

    with pytest.raises(InputError, match="wheels: ERROR: No matching"):
        _pack(folder / "pack", download=fails)
    with pytest.raises(InputError, match="cannot be packed, expected"):
        _pack(folder / "pack", sources=(str(folder / "photographs"),))
    with pytest.raises(InputError, match="nowhere: no such folder"):
        _pack(folder / "pack", sources=("nowhere",))
    (folder / "pack").mkdir()
    with pytest.raises(InputError, match="pack: exists"):
        _pack(folder / "pack")


def test_help_lists_its_flags_and_keeps_the_lines_of_its_examples():
    done = subprocess.run(
        [sys.executable, "-m", "issp_keras.programs.pack", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for flag in ("--config", "--output", "--limit", "--platforms"):
        assert f"  {flag}=" in done.stdout
    assert "compare \\\n      --config=recipe_search" in done.stdout
