"""The console commands, as a user calls them in a shell."""

import csv
import functools
import io
import json
import pathlib
import re
import sys
import time

import keras
import numpy as np
import pages
import PIL.Image
import PIL.ImageCms
import programs
import pytest
import rich.console

from issp_keras import data
from issp_keras.inference import load_network
from issp_keras.models import load_model
from issp_keras.programs import cli
from issp_keras.tflite import export

ROOT = pathlib.Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run():
    """Runs a program as `python -m issp_keras.MODULE` would."""
    with programs.started() as run:
        yield run


def _refused(result):
    """The single sentence that a user gets for bad input."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (sentence,) = [
        line
        for line in result.stderr.splitlines()
        if re.match(r"\w+\.py: ", line)
    ]
    return sentence.split(": ", 1)[1]


@pytest.mark.versions
def test_from_a_keras_file_to_tflite_files_and_a_table(
    run, sparse_model_path, folder_of_photographs, tmp_path
):
    model = tmp_path / "my model.keras"
    model.write_bytes(sparse_model_path.read_bytes())
    (tmp_path / "config.json").write_text('{"sparsity": {"method": "srp"}}')
    photographs = f"--data={folder_of_photographs}"
    for encoding in ("--sparse", "--nosparse"):
        result = run(
            "tflite.programs.export", model, encoding, photographs, cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr
    files = [
        tmp_path / f"my model_float32_{kind}.tflite"
        for kind in ("dense", "sparse")
    ]
    assert str(files[0]) in result.stdout

    result = run(
        "tflite.programs.inspect",
        files[1],
        "--size=16,32",
        "--output=inside.json",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    for text in (
        "body.0.conv1",
        "sparse 0 1 2 [3]",
        "6 of 6 sparse",
        "after gzip",
        "for 32x16 pixels",
        "multiply-adds",
        "XNNPACK on ARM64, ARMv7, x86, WebAssembly runs 0 of 6 layers sparse",
        "Not conv_first, body.0.conv1, body.0.conv2, conv_after_body and 2 more"
        ": its kernel is 3x3 with stride 1",
        '"method": "srp"',
    ):
        assert text in result.stdout
    inside = json.loads((tmp_path / "inside.json").read_text())
    assert inside["weights"]["kernels"] == 6
    assert inside["macs"] > inside["sparse_macs"] > 0
    # Without a size, there are no columns for multiply-adds.
    unsized = run("tflite.programs.inspect", files[1], cwd=tmp_path).stdout
    assert "multiply-adds" not in unsized.partition("To see")[0]
    assert "give the image size: --size=HEIGHT,WIDTH" in unsized

    result = run(
        "tflite.programs.benchmark",
        *files,
        f"--data={folder_of_photographs}",
        "--size=16,24",
        "--rounds=3",
        "--delegate=sparse",
        "--output=table.json,tables/table.png",
        "--report=tables/table.html",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    for word in ("bicubic", "PSNR", "SSIM", "non-zeros", "gzip", "latency"):
        assert word in result.stdout
    for text in (
        "median of 3 runs for an LR image of 24x16 pixels, 1 thread, this host",
        "Ratio: latency divided by the latency of dense float32.",
        "The fastest is ",
        "Wrote tables/table.png.",
        "Wrote tables/table.html.",
    ):
        assert text in result.stdout
    assert (tmp_path / "tables/table.png").is_file()
    page = pages.read(tmp_path / "tables/table.html")
    for text in ("2 TFLite files, compared", "bicubic", "--rounds=3"):
        assert text in page.text
    table = json.loads((tmp_path / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == [
        "bicubic",
        "dense float32",
        "dense float32 + delegate",
        "sparse float32",
        "sparse float32 + delegate",
    ]
    assert table["settings"]["lr_width"] == 24
    assert table["settings"]["machine"]["cores"] > 0


def test_all_variants_and_a_table_of_them(
    run, sparse_model_path, folder_of_photographs, tmp_path
):
    model = tmp_path / "model.keras"
    model.write_bytes(sparse_model_path.read_bytes())
    result = run(
        "tflite.programs.export",
        *(model, "--all", "--input=uint8", "--size=8,8", "--rounds=2"),
        *("--tolerance=0.5", f"--data={folder_of_photographs}"),
        f"--calibration={folder_of_photographs}",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    table = json.loads((tmp_path / "model_variants.json").read_text())
    lines = (tmp_path / "model_variants.md").read_text().splitlines()
    assert "for an LR image of 8x8 pixels, 1 thread, this" in table["note"]
    names = [variant["name"] for variant in table["variants"]]
    assert {"float32 dense", "float32 sparse", "int8 dense"} <= set(names)
    for variant, line in zip(table["variants"], lines[2:], strict=False):
        assert line.startswith(f"| {variant['name']} | {variant['bytes']:,} |")
        assert variant["name"] in result.stdout
        assert pathlib.Path(variant["file"]).stat().st_size == variant["bytes"]
        assert variant["gzip_bytes"] < variant["bytes"]
        assert abs(variant["drop"]) < 0.5
        assert variant["latency_ms"] > 0

    result = run(
        "tflite.programs.export",
        *(model, "--all", "--tolerance=0", "--precision=int8"),
        f"--data={folder_of_photographs}",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "some variants failed" in result.stderr
    assert "expected a drop of at most 0.0 dB" in result.stderr


def test_evaluate_prints_and_writes_what_it_can_score(
    run, sparse_model_path, folder_of_photographs, tmp_path
):
    (folder_of_photographs / "broken.png").write_bytes(b"no photograph")
    result = run(
        "evaluate",
        f"--model={sparse_model_path}",
        f"--data={folder_of_photographs},b100",
        f"--data_dir={_benchmark(tmp_path)}",
        "--output=scores.json",
        "--comparison=picture.png",
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "1 of 5 photographs failed:\n  " in result.stderr
    assert "broken.png: cannot be read" in result.stderr
    table = json.loads((tmp_path / "scores.json").read_text())
    assert (table["scale"], table["border"], table["channels"]) == (2, 2, "y")
    assert "broken.png" in table["failures"][0]
    scores = table["scores"][str(folder_of_photographs)]
    assert list(scores) == ["bicubic", str(sparse_model_path)]
    names = [score["name"] for score in scores["bicubic"]]
    assert names == ["a", "b", "grey", "mean"]
    for number in ("psnr", "ssim", "seconds"):
        of = [score[number] for score in scores["bicubic"]]
        assert of[-1] == pytest.approx(np.mean(of[:-1]))
    assert f"{scores['bicubic'][-1]['psnr']:.2f}" in result.stdout
    assert [s["name"] for s in table["scores"]["b100"]["bicubic"]] == [
        "1",
        "mean",
    ]
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (4 + 2)
    assert float(rows[0]["psnr"]) == scores["bicubic"][0]["psnr"]
    with PIL.Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "RGB"


def test_evaluate_compares_several_networks(
    run, sparse_model_path, folder_of_photographs, tmp_path
):
    export(load_model(sparse_model_path), tmp_path / "m.tflite")
    models = ["m.tflite", str(sparse_model_path)]
    result = run(
        "evaluate",
        *(f"--model={model}" for model in models),
        *(f"--data={folder_of_photographs}", "--output=scores.json"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    of = scores[str(folder_of_photographs)]
    assert list(of) == ["bicubic", *models]
    for model in models:
        assert len(of[model]) == 4
        assert f"{of[model][-1]['psnr']:.2f}" in result.stdout


def test_evaluate_reports_scores_and_places_to_compare(
    run, sparse_model_path, tmp_path
):
    folder = tmp_path / "photos"
    folder.mkdir()
    # Files can have such names.
    names = ["<script>alert(1)<", "b&b"]
    hr = RNG.integers(0, 256, (2, 40, 60, 3), np.uint8)
    for name, pixels in zip(names, hr, strict=True):
        data.write_photograph(folder / f"{name}.png", pixels)
    (folder / "<b>broken.png").write_bytes(b"no photograph")
    result = run(
        "evaluate",
        *(f"--model={sparse_model_path}", "--data=photos"),
        *("--output=scores.json", "--report=new/report.html"),
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "Wrote new/report.html." in result.stdout
    page = pages.read(tmp_path / "new/report.html")
    for text in (*names, "<b>broken.png", "model.keras on 2 photographs"):
        assert text in page.text
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    for way in scores["photos"].values():
        for score in way:
            assert f"{score['psnr']:.2f}" in page.text
    for text in ("evaluate", "--report=new/report.html", "cores", "Keras"):
        assert text in page.text
    # Bicubic, network and original of each. Small photographs are shown whole.
    images = page.images()
    assert len(images) == 6
    originals = {image.tobytes() for image in images[2::3]}
    assert originals == {pixels.tobytes() for pixels in hr}
    network = load_network(sparse_model_path)
    made = {
        network.upscale(data.imresize(pixels, 1 / 2)).tobytes() for pixels in hr
    }
    assert {image.tobytes() for image in images[1::3]} == made
    assert not list(tmp_path.rglob(".partial*"))


def _benchmark(folder):
    """A folder of test sets, in which B100 has one photograph."""
    (folder / "sets" / "BSD100").mkdir(parents=True)
    PIL.Image.new("RGB", (40, 36)).save(folder / "sets" / "BSD100" / "1.png")
    return folder / "sets"


@pytest.mark.versions
def test_upscale_takes_photographs_of_every_kind(run, tmp_path):
    """Upscales files and a folder with the network of the package."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = RNG.integers(0, 256, (13, 9, 4), np.uint8)
    image = PIL.Image.fromarray(noise)
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB"))
    image.convert("RGB").save(folder / "rgb.jpg", icc_profile=profile.tobytes())
    image.save(folder / "clear.png")
    image.convert("RGB").quantize(8).save(folder / "palette.png")
    image.convert("L").save(folder / "grey.png")
    image.convert("L").save(folder / "grey.bmp")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    image.convert("RGB").save(folder / "turned.jpg", exif=exif)
    data.write_photograph(
        folder / "deep.tif", noise[..., :3].astype(np.uint16) * 257
    )
    (folder / "broken.jpg").write_bytes((folder / "rgb.jpg").read_bytes()[:400])
    (folder / "notes.txt").write_text("no photograph")
    one = tmp_path / "one.png"
    PIL.Image.new("RGB", (1, 1)).save(one)
    before = {path: path.read_bytes() for path in [*folder.iterdir(), one]}

    for _ in range(2):  # The second run gives the same results.
        result = run("upscale", "photos", one, "--compare", cwd=tmp_path)
        assert result.returncode == 1
        assert "1 of 9 photographs failed:" in result.stderr
        assert "broken.jpg: cannot be read" in result.stderr
        assert "photos: skipped notes.txt; expected files" in result.stderr
        assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in before} == before
    made = {path.name: path for path in (tmp_path / "photos_x4").iterdir()}
    expected = {
        f"{name}_x4.png"
        for name in ("rgb", "clear", "palette", "turned", "deep")
    } | {"grey.png_x4.png", "grey.bmp_x4.png"}
    pictures = {f"{name[:-4]}_compare.png" for name in expected}
    assert set(made) == expected | pictures
    modes = {}
    for name in expected:
        with PIL.Image.open(made[name]) as image:
            turned = name == "turned_x4.png"
            assert image.size == ((52, 36) if turned else (36, 52))
            modes[name] = image.mode
    assert modes == {
        "rgb_x4.png": "RGB",
        "clear_x4.png": "RGBA",
        "palette_x4.png": "RGB",
        "turned_x4.png": "RGB",
        "deep_x4.png": "RGB",
        "grey.png_x4.png": "L",
        "grey.bmp_x4.png": "L",
    }
    found = data.read_photograph(made["rgb_x4.png"])
    assert found.icc_profile == profile.tobytes()
    deep = data.read_photograph(made["deep_x4.png"]).pixels
    assert deep.dtype == np.uint16
    assert len(np.unique(deep % 257)) > 100  # It has more than 8 bits.
    alpha = data.read_photograph(made["clear_x4.png"]).alpha
    np.testing.assert_array_equal(alpha, data.imresize(noise[..., 3], 4))
    assert (tmp_path / "one_x4.png").exists()
    assert not list(tmp_path.rglob(".partial*"))


def test_upscale_does_what_its_flags_say(run, sparse_model_path, tmp_path):
    """Upscales a real photograph that is larger than a tile."""
    skimage = pathlib.Path(pytest.importorskip("skimage").__file__).parent
    photo = data.read_photograph(skimage / "data" / "chelsea.png")
    pixels = photo.pixels[:70, :100]
    data.write_photograph(tmp_path / "photo.png", pixels)
    model = f"--model={sparse_model_path}"
    results = []
    for flags, options in (
        (["--self_ensemble", "--tile=64"], {"self_ensemble": True, "tile": 64}),
        (["--tile=64"], {"tile": 64}),
        (["--tile=0"], {"tile": 0}),
    ):
        result = run(
            "upscale",
            *(model, "photo.png", "--output=large.png", *flags),
            cwd=tmp_path,
        )
        assert result.returncode == 0, result.stderr
        found = data.read_photograph(tmp_path / "large.png").pixels
        expected = load_network(sparse_model_path, **options).upscale(pixels)
        # The order of the sum of 8 turns changes the rounding of a few pixels.
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert np.mean(found != expected) < 1e-3
        results.append(found)
    assert (results[0] != results[1]).mean() > 0.01


def test_upscale_compares_all_photographs_on_one_page(run, tmp_path):
    noise = RNG.integers(0, 256, (13, 9, 3), np.uint8)
    evil = tmp_path / "<script>alert(1)<.png"
    data.write_photograph(evil, noise)
    data.write_photograph(tmp_path / "grey.png", noise[..., 0])
    (tmp_path / "broken.png").write_bytes(b"no photograph")
    result = run(
        "upscale",
        *(evil, "grey.png", "broken.png", "--compare=new/page.html"),
        *("--output=large",),
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "Wrote new/page.html." in result.stdout
    page = pages.read(tmp_path / "new/page.html")
    for text in (evil.name, "2 photographs, 4 times larger", "36 x 52 pixels"):
        assert text in page.text
    assert "broken.png: cannot be read" in page.text
    before, after, *grey = page.images()
    np.testing.assert_array_equal(before, data.imresize(noise, 4))
    made = data.read_photograph(tmp_path / "large" / "<script>alert(1)<_x4.png")
    np.testing.assert_array_equal(after, made.pixels)
    assert len(grey) == 2
    assert not list((tmp_path / "large").glob("*_compare.png"))


def test_upscale_writes_to_files_and_folders(
    run, sparse_model_path, tmp_path, folder_of_photographs
):
    model = f"--model={sparse_model_path}"
    photo = folder_of_photographs / "a.png"
    result = run("upscale", model, photo, "--output=large.jpg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "large.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (120, 96))
    result = run(
        "upscale",
        *(model, folder_of_photographs, photo, "--output=new"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "a_x2.png",
        "b_x2.png",
        "grey_x2.png",
    }


def test_links_that_form_a_loop_do_not_end_a_batch(
    run, sparse_model_path, tmp_path
):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "c.png"):
        PIL.Image.new("RGB", (12, 9)).save(folder / name)
    (folder / "b.png").symlink_to("b.png")
    (folder / "in").symlink_to(".")
    (folder / "d.png").symlink_to(".")
    model = f"--model={sparse_model_path}"
    result = run("upscale", model, "in", cwd=tmp_path)
    assert result.returncode == 1
    # TensorFlow may print a line before, if a GPU is missing.
    assert result.stderr.splitlines()[-3:] == [
        "upscale.py: 2 of 4 photographs failed:",
        "  in/b.png: no such file.",
        "  in/d.png: is a folder, expected a photograph.",
    ]
    written = {path.name for path in (tmp_path / "in_x2").iterdir()}
    assert written == {"a_x2.png", "c_x2.png"}


def test_evaluate_gives_set5_the_score_of_the_papers(
    run, shared_data, sparse_model_path, tmp_path
):
    """The score of bicubic interpolation, beside a `.tflite` network."""
    export(load_model(sparse_model_path), tmp_path / "model.tflite")
    result = run(
        "evaluate",
        *("--model=model.tflite", "--data=set5", f"--data_dir={shared_data}"),
        "--output=scores.json",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert scores["set5"]["bicubic"][-1]["psnr"] == pytest.approx(
        33.66, abs=0.02
    )
    assert len(scores["set5"]["model.tflite"]) == 6


def test_progress_is_shown_on_a_terminal(monkeypatch, capsys):
    screen = io.StringIO()
    console = functools.partial(
        rich.console.Console, file=screen, force_terminal=True
    )
    monkeypatch.setattr(rich.console, "Console", lambda stderr: console())
    with cli.progress_bar("Photographs", 4) as progress:
        progress(1.5)
        print("Wrote a.png.")
        time.sleep(0.2)
    assert capsys.readouterr().out == "Wrote a.png.\n"
    assert "Photographs" in screen.getvalue()
    assert "38%" in screen.getvalue()


def test_folders_are_prepared_for_training(
    run, folder_of_photographs, tmp_path
):
    result = run(
        "prepare",
        *(folder_of_photographs, "embedded", "ready", "--scale=2"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "Wrote ready: 12 photographs, x2." in result.stdout
    pairs = data.open_prepared(tmp_path / "ready", 2)
    assert [pair.name for pair in pairs][:4] == ["a", "b", "grey", "astronaut"]


def test_a_test_set_is_prepared(run, folder_of_photographs, tmp_path):
    folder_of_photographs.rename(folder_of_photographs.with_name("set5"))
    flag = f"--data_dir={folder_of_photographs.parent}"
    result = run("prepare", "set5", "p", "--scale=2", flag, cwd=tmp_path)
    assert result.stdout == "Wrote p: 3 photographs, x2.\n", result.stderr


def test_what_cannot_be_read_is_left_out_and_named(
    run, folder_of_photographs, tmp_path
):
    (folder_of_photographs / "aa.png").write_bytes(b"no photograph")
    result = run(
        "prepare", folder_of_photographs, "ready", "--scale=2", cwd=tmp_path
    )
    assert result.returncode == 1
    assert result.stdout == "Wrote ready: 3 photographs, x2.\n"
    assert "1 of 4 photographs failed:\n  " in result.stderr
    assert "aa.png: cannot be read" in result.stderr
    pairs = data.open_prepared(tmp_path / "ready", 2)
    assert [pair.name for pair in pairs] == ["a", "b", "grey"]


@pytest.mark.versions
def test_a_data_set_of_tfds_is_prepared_for_training(run, tmp_path):
    import tensorflow_datasets as tfds

    image = tfds.features.Image(shape=(None, None, 3))
    hr = RNG.integers(0, 256, (3, 13, 9, 3), np.uint8)
    rows = [{"lr": image[:12:2, :8:2], "hr": image} for image in hr]
    for name, keys in {"pairs": ("lr", "hr"), "alone": ("hr",)}.items():
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            data_dir=tmp_path / "sets",
            features=tfds.features.FeaturesDict(dict.fromkeys(keys, image)),
            split_datasets={
                "train": [
                    (i, {key: row[key] for key in keys})
                    for i, row in enumerate(rows)
                ]
            },
            disable_shuffling=True,
        )
    sets = f"--data_dir={tmp_path / 'sets'}"
    result = run("prepare", "tfds:pairs", "p", "--scale=2", sets, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Wrote p: 3 photographs, x2." in result.stdout
    for pair, row in zip(
        data.open_prepared(tmp_path / "p", 2), rows, strict=True
    ):
        np.testing.assert_array_equal(pair.lr[:, :], row["lr"])
        np.testing.assert_array_equal(pair.hr[:, :], row["hr"][:12, :8])
    for name, scale, message in (
        ("pairs", 3, "number 0 has LR of 4x6 and HR of 9x13 pixels"),
        ("alone", 2, "tfds:alone: number 0: "),
    ):
        result = run(
            "prepare",
            *(f"tfds:{name}", "q", f"--scale={scale}", sets),
            cwd=tmp_path,
        )
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "q").exists()


def test_what_is_to_be_put_in_by_hand_is_listed(run, tmp_path):
    result = run(
        "prepare",
        *("--scale=2", "tfds:df2k/bicubic_x2", "new", "--data_dir=sets"),
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "Flickr2K/Flickr2K_HR/000001.png" in result.stderr


def test_a_checkpoint_becomes_a_model_that_upscales(run, tmp_path):
    checkpoint = GOLDEN / "edsr_x4_f8_b2.pth"
    result = run(
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
    result = run("upscale", "--model=model.keras", "photo.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with PIL.Image.open(tmp_path / "photo_x4.png") as image:
        assert image.size == (28, 20)


def test_a_program_that_is_interrupted_says_so(monkeypatch, capsys):
    def main(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["issp-benchmark"])
    with pytest.raises(SystemExit) as stopped:
        cli.run(main)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "issp-benchmark: interrupted.\n"


# Files that are created if a test names them.
_FILES = {"a.png", "b.png", "d/a.png", "e/a.png", "a.html"}
_FILES |= {"a_x2.png", "a_x2_compare.png"}

BAD_INPUT = [
    ("upscale", ["--model=x2.keras", "no.png"], "no.png: no such file."),
    ("upscale", ["--model=m.keras", "."], ".: holds no photograph"),
    ("upscale", ["--model=m.keras"], "expected one or more photographs"),
    ("upscale", ["--model=m.keras", "a.png"], "m.keras: is not a Keras"),
    (
        "upscale",
        ["--model=x2.keras", "--tile=65", "no.png"],
        "--tile: is 65, expected 0, or a",
    ),
    (
        "upscale",
        ["--model=x2.keras", "--delegate=d.so", "n.png"],
        "--delegate: d.so: is for",
    ),
    (
        "upscale",
        ["--model=x2.keras", "a_x2.png", "a.png"],
        "a_x2.png: the result of a.png would overwrite this",
    ),
    (
        "upscale",
        ["--model=x2.keras", "--compare", "a.png", "a_x2_compare.png"],
        "a_x2_compare.png: the result of a.png would overwrite this",
    ),
    (
        "upscale",
        ["--model=m.keras", "a.png", "--compare=a.jpg"],
        "--compare: is a.jpg, expected a file ending in .html.",
    ),
    (
        "upscale",
        ["--model=m.keras", "a.html", "--compare=./a.html"],
        "--compare: ./a.html: is a photograph to upscale, expected another",
    ),
    (
        "upscale",
        ["--model=x2.keras", "d/a.png", "e/a.png", "--output=o"],
        "o/a.png_x2.png: the result of e/a.png would overwrite this",
    ),
    (
        "upscale",
        ["--model=x2.keras", "a.png", "--output=a.gif"],
        "--output: is a.gif, expected a folder or a file ending in",
    ),
    ("upscale", [""], "expected photographs. Received: an empty name"),
    (
        "evaluate",
        ["--model=x2.keras", "--data="],
        "--data: is empty, expected photographs",
    ),
    (
        "upscale",
        ["--model=x2.keras", "a.png", "b.png", "--output=c.png"],
        "--output: is c.png, a file, but there are 2",
    ),
    (
        "evaluate",
        ["--model=m.keras", "--output=t.csv"],
        "--output: is t.csv, expected the name of a JSON",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--data=set5"],
        "--data_dir: data: has no folder set5",
    ),
    ("evaluate", ["--model=x2.keras", "--data=no,set5"], "no: no such folder"),
    ("evaluate", ["--model=x2.keras", "--data=embedded,"], "expected a folder"),
    (
        "evaluate",
        ["--model=x2.keras", "--comparison=a.gif"],
        "--comparison: is a.gif, expected a file ending in",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--output=."],
        "--output: is ., expected a file ending in .json.",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--output=a.jpg"],
        "--output: is a.jpg, expected a file ending in .json.",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--output=here/"],
        "--output: is here, expected a file ending in .json.",
    ),
    *(
        (
            program,
            [*arguments, "--report=r.txt"],
            "--report: is r.txt, expected a file ending in .html.",
        )
        for program, arguments in {
            "compare": ["--config=compare_methods", "--workdir=run"],
            "evaluate": ["--model=m.keras"],
            "tflite.programs.benchmark": ["m.tflite"],
        }.items()
    ),
    (
        "evaluate",
        ["--model=m.keras", "--report=m.py/r.html"],
        "--report: m.py: is not a folder that can be written to",
    ),
    ("prepare", ["--scale=2", "here"], "expected one or more folders"),
    ("prepare", ["--scale=2", "no", "new"], "no: no such folder"),
    ("prepare", ["--scale=2", "embedded", "."], ".: exists, expected"),
    ("prepare", ["--scale=2", "tfds:no_such", "new"], "tfds:no_such: "),
    (
        "import_checkpoint",
        [GOLDEN / "rcan_x3_f8_g2_b2.pth", "n.keras", "--windows=2"],
        "--windows: rcan() got an unexpected",
    ),
    ("import_checkpoint", ["m.keras", "n.h5"], "n.h5: expected a name"),
    ("import_checkpoint", ["m.keras", "m.py/n.keras"], "m.py: is not a folder"),
    ("evaluate", ["--model=m.keras"], "m.keras: is not a Keras model"),
    (
        "evaluate",
        [f"--model={GOLDEN / 'rcan_x3_f8_g2_b2.pth'}"],
        f"{GOLDEN / 'rcan_x3_f8_g2_b2.pth'}: is a checkpoint of PyTorch, ",
    ),
    (
        "programs.commands.models",
        ["--output=m.py/n.json"],
        "--output: m.py: is not a folder",
    ),
    ("tflite.programs.export", ["m.keras"], "m.keras: is not a Keras model"),
    (
        "tflite.programs.export",
        ["x2.keras", "--all", "--output=a.tflite"],
        "--output: names one file",
    ),
    (
        "tflite.programs.export",
        ["x2.keras", "--data="],
        "--data: is empty, expected photographs",
    ),
    (
        "tflite.programs.export",
        ["x2.keras", "--calibration=no"],
        "no: no such folder",
    ),
    (
        "tflite.programs.export",
        ["x2.keras", "--all", "--size=8"],
        "--size: is '8'",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--model=x2.keras"],
        "--model: names a network twice",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--model=x4_fast"],
        "--model: x4_fast magnifies 4 times, expected 2 as x2.keras.",
    ),
    (
        "evaluate",
        ["--model=x2.keras", "--model=m.tflite", "--report=r.html"],
        "--report: shows one network, but there are 2; expected one --model.",
    ),
    (
        "tflite.programs.inspect",
        ["m.keras"],
        "m.keras: is not a TFLite model, expected one",
    ),
    ("tflite.programs.inspect", ["m.keras", "--size=0,9"], "--size: is '0,9'"),
    (
        "tflite.programs.inspect",
        ["m.tflite", "--output=m.tflite"],
        "--output: is m.tflite, expected a file ending in .json.",
    ),
    (
        "tflite.programs.export",
        ["x2.keras", "--height=100000", "--width=100000"],
        "`height` and `width`: expected at most 16,777,216 pixels.",
    ),
    ("tflite.programs.benchmark", [], "expected one or more .tflite files"),
    ("tflite.programs.benchmark", ["--size=8", "m.keras"], "--size: is '8'"),
    (
        "tflite.programs.benchmark",
        ["."],
        ".: is a folder, expected a .tflite file",
    ),
    (
        "tflite.programs.benchmark",
        [
            "m.tflite",
            "--protocol=mlperf-mobile",
            "--target=adb",
            "--benchmark_model=m.py",
        ],
        "--protocol: is mlperf-mobile, which needs a 90th percentile, but benc",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--output=a.json,b.txt"],
        "--output: is b.txt, expected files ending in .json, .csv, .md, .png",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--protocol=mlperf-mobile", "--rounds=3"],
        "--rounds: is given, but --protocol=mlperf-mobile",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--target=phone"],
        "--target: is phone, expected host, adb or adb:SERIAL.",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--target=adb"],
        "--benchmark_model: is not given, expected the path of TFLite's",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--target=adb", "--benchmark_model=no"],
        "--benchmark_model: no: no such file.",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--target=adb:1", "--delegate=sparse"],
        "--delegate: is sparse, but --target=adb needs --android_delegate",
    ),
    (
        "tflite.programs.benchmark",
        ["m.tflite", "--android_delegate=d.so"],
        "--android_delegate: d.so: is for --target=adb.",
    ),
    ("evaluate", ["--model=m.keras", "more"], "expected only flags"),
    (
        "tflite.programs.export",
        ["x2.keras", "--height=8"],
        "--height and --width",
    ),
    (
        "train",
        [
            f"--config={ROOT / 'configs/edsr_small.py'}",
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
        ["--config=quikstart", "--workdir=run"],
        "--config: quikstart: no such file, expected a file or one of the "
        "configs of issp_keras: block_comparison, bundled, bundled_int8, "
        "cat_r, compare_methods, dense_rivals, edsr_large, ",
    ),
    (
        "train",
        ["--config=swinir_light.py:scal=2", "--workdir=run"],
        "--config: swinir_light.py: scal=2: is not a setting of this config, "
        "expected scale=4, sparsity=0.95.",
    ),
    *(
        (
            "train",
            [*config, "--workdir=run", "--config.learning_rate=-1.0"],
            "--config.learning_rate: is -1.0, expected a positive number.",
        )
        for config in (
            ["--config=quickstart"],
            ["--config", "swinir_light:scale=2"],
        )
    ),
    (
        "upscale",
        ["--scale=5", "a.html"],
        "--scale: is 5, but the networks that come with issp_keras magnify 2 "
        "or 3 or 4 times; give another --model.",
    ),
    (
        "tflite.programs.export",
        ["x2.keras", "--upsampling=transposed_conv"],
        "--upsampling: is 'transposed_conv', which needs a file of a fixed "
        "size. Expected --height and --width.",
    ),
    (
        "train",
        ["--config=recipe", "--workdir=run"],
        "--config.data.train: data/T91: no such folder",
    ),
    (
        "train",
        ["--config=quickstart:scale=4", "--workdir=run"],
        f"--config: is {ROOT / 'configs' / 'quickstart.py'}:scale=4: expected "
        "no colon, since this config takes no setting.",
    ),
    (
        "train",
        ["--config=m.py", "--workdir=run"],
        "--config: m.py, line 1: invalid syntax",
    ),
]


@pytest.mark.parametrize(("module", "arguments", "message"), BAD_INPUT)
def test_bad_input_gets_one_sentence(
    run, sparse_model_path, tmp_path, module, arguments, message
):
    (tmp_path / "m.keras").write_text("no model")
    (tmp_path / "m.tflite").write_text("no model")
    (tmp_path / "m.py").write_text("no config")
    for name in _FILES.intersection(arguments):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no photograph")
    (tmp_path / "x2.keras").write_bytes(sparse_model_path.read_bytes())
    before = set(tmp_path.iterdir())
    result = run(module, *arguments, cwd=tmp_path)
    assert _refused(result).startswith(message)
    assert set(tmp_path.iterdir()) == before
