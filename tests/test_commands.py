"""The console commands, as a user at a shell meets them."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest

ROOT = pathlib.Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
RNG = np.random.default_rng(0)


def _run(module, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", f"issp_keras.{module}", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def _refused(result):
    """The one sentence that a user gets for bad input."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (sentence,) = [
        line
        for line in result.stderr.splitlines()
        if line.startswith(("train.py", "upscale.py", "evaluate.py"))
        or line.startswith(("export.py", "benchmark.py", "import_checkpoint"))
    ]
    return sentence.split(": ", 1)[1]


def test_from_a_keras_file_to_tflite_files_and_a_table(
    sparse_model_path, folder_of_photographs, tmp_path
):
    model = tmp_path / "my model.keras"
    model.write_bytes(sparse_model_path.read_bytes())
    result = _run("tflite.export", model, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    files = [
        tmp_path / f"my model_{kind}.tflite" for kind in ("dense", "sparse")
    ]
    assert all(str(file) in result.stdout for file in files)

    result = _run(
        "tflite.benchmark",
        *files,
        f"--data={folder_of_photographs}",
        "--size=16,24",
        "--rounds=3",
        "--output=table.json",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    for word in ("bicubic", "PSNR", "SSIM", "non-zeros", "gzip", "latency"):
        assert word in result.stdout
    table = json.loads((tmp_path / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == [
        "bicubic",
        "dense TFLite",
        "sparse TFLite",
    ]
    assert table["settings"]["lr_width"] == 24


def test_evaluate_prints_and_writes_scores_and_a_picture(
    sparse_model_path, folder_of_photographs, tmp_path
):
    result = _run(
        "evaluate",
        f"--model={sparse_model_path}",
        f"--data={folder_of_photographs}",
        "--output=scores.json",
        "--comparison=picture.png",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert list(scores) == ["bicubic", str(sparse_model_path)]
    names = [score["name"] for score in scores["bicubic"]]
    assert names == ["a", "b", "grey", "mean"]
    assert f"{scores['bicubic'][-1]['psnr']:.2f}" in result.stdout
    with PIL.Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "RGB"


@pytest.mark.parametrize("shape", [(13, 1, 3), (31, 47)])
def test_upscale_writes_beside_the_photograph(
    sparse_model_path, tmp_path, shape
):
    pixels = RNG.integers(0, 256, shape, np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "photo.png")
    result = _run(
        "upscale", f"--model={sparse_model_path}", "photo.png", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "photo_x2.png") as image:
        assert image.size == (2 * shape[1], 2 * shape[0])
        assert image.mode == ("RGB" if len(shape) == 3 else "L")


def test_a_checkpoint_becomes_a_model_that_upscales(tmp_path):
    checkpoint = GOLDEN / "edsr_x4_f8_b2.pth"
    result = _run(
        "import_checkpoint",
        *(checkpoint, "model.keras", "--residual_scale=0.1"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "Wrote model.keras: edsr with 8," in result.stdout
    golden = np.load(checkpoint.with_suffix(".npz"))
    model = keras.models.load_model(tmp_path / "model.keras")
    output = model(golden["input_0"])
    np.testing.assert_allclose(output, golden["output_0"], atol=1e-5)
    PIL.Image.new("RGB", (7, 5)).save(tmp_path / "photo.png")
    result = _run("upscale", "--model=model.keras", "photo.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "photo_x4.png") as image:
        assert image.size == (28, 20)


def test_upscale_never_overwrites_the_photograph(sparse_model_path, tmp_path):
    photo = tmp_path / "photo.png"
    PIL.Image.new("RGB", (9, 9)).save(photo)
    before = photo.read_bytes()
    result = _run(
        "upscale",
        f"--model={sparse_model_path}",
        "--output=photo.png",
        photo,
        cwd=tmp_path,
    )
    assert "names the photograph itself" in _refused(result)
    assert photo.read_bytes() == before


BAD_INPUT = [
    ("upscale", ["--model=m.keras", "no.png"], "no.png: no such file."),
    ("upscale", ["--model=m.keras"], "expected one argument"),
    (
        "import_checkpoint",
        [GOLDEN / "rcan_x3_f8_g2_b2.pth", "n.keras", "--windows=2"],
        "--windows: rcan() got an unexpected",
    ),
    ("import_checkpoint", ["m.keras", "n.h5"], "n.h5: expected a name"),
    ("evaluate", ["--model=m.keras"], "m.keras: is not a Keras model"),
    ("tflite.export", ["m.keras"], "m.keras: is not a Keras model"),
    ("tflite.benchmark", [], "expected one or more .tflite files"),
    ("tflite.benchmark", ["--size=8", "m.keras"], "--size: is '8'"),
    ("evaluate", ["--model=m.keras", "more"], "expected flags alone"),
    ("tflite.export", ["m.keras", "--height=8"], "m.keras: is not a"),
    (
        "train",
        [
            f"--config={ROOT / 'configs/quickstart.py'}",
            "--workdir=run",
            "--config.sparsity.target_sparsity=1.0",
        ],
        "--config.sparsity: `target_sparsity` must be",
    ),
    (
        "train",
        ["--config=no.py", "--workdir=run"],
        "--config: no.py: no such",
    ),
    (
        "train",
        ["--config=m.py", "--workdir=run"],
        "--config: invalid syntax",
    ),
]

# Programs take seconds to import, and but a moment to refuse: a process that
# has imported them all becomes each of them, once.
REFUSALS = """
import json, os, pathlib, runpy, sys
import issp_keras.compare, issp_keras.evaluate, issp_keras.import_checkpoint
import issp_keras.tflite.benchmark, issp_keras.tflite.export
import issp_keras.train, issp_keras.upscale

for folder, module, arguments in json.loads(sys.argv[1]):
    folder = pathlib.Path(folder)
    child = os.fork()
    if not child:
        for stream, name in ((1, "stdout"), (2, "stderr")):
            flags = os.O_WRONLY | os.O_CREAT
            os.dup2(os.open(folder.with_suffix("." + name), flags), stream)
        os.chdir(folder)
        del sys.modules[module]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    folder.with_suffix(".code").write_text(str(code))
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What each program answers to bad input, and the folder it ran in."""
    root = tmp_path_factory.mktemp("refusals")
    calls = []
    for i, (module, arguments, _) in enumerate(BAD_INPUT):
        folder = root / str(i)
        folder.mkdir()
        (folder / "m.keras").write_text("no model")
        (folder / "m.py").write_text("no config")
        name = f"issp_keras.{module}"
        calls.append((str(folder), name, [str(a) for a in arguments]))
    program = [sys.executable, "-c", REFUSALS, json.dumps(calls)]
    subprocess.run(program, check=True)
    return {
        message: (
            subprocess.CompletedProcess(
                arguments,
                int((root / f"{i}.code").read_text()),
                (root / f"{i}.stdout").read_text(),
                (root / f"{i}.stderr").read_text(),
            ),
            root / str(i),
        )
        for i, (_, arguments, message) in enumerate(BAD_INPUT)
    }


@pytest.mark.parametrize("message", [message for *_, message in BAD_INPUT])
def test_bad_input_gets_one_sentence(refusals, message):
    result, folder = refusals[message]
    assert _refused(result).startswith(message)
    assert {path.name for path in folder.iterdir()} == {"m.keras", "m.py"}
