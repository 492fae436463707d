"""`issp_keras.load`, which does from Python what `issp` does in a shell."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest
from networks import small_pairs

import issp_keras
import issp_keras.tflite
from issp_keras.data import to_pil
from issp_keras.data import write_photograph
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.inference import DEFAULT
from issp_keras.inference import load_network
from issp_keras.tflite import delegate

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (17, 22, 3), np.uint8)
GREY = RGB[..., 0]


@pytest.fixture(scope="module")
def network(sparse_model_path):
    return issp_keras.load(sparse_model_path)


@pytest.fixture(scope="module")
def tflite_path(network, photographs, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "small.tflite"
    return network.export(path, data=photographs).path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of two small photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    for i, pair in enumerate(small_pairs()[:2]):
        write_photograph(folder / f"{i}.png", pair.hr)
    return folder


# The public surface.


def test_dir_shows_the_public_surface_and_nothing_else():
    assert dir(issp_keras) == [
        "ISSPCallback",
        "ISSPSchedule",
        "SimulatedInt8",
        "SparseTraining",
        "SparsitySummaries",
        "load",
        "models",
        "networks",
        "summary",
    ]
    assert dir(issp_keras.tflite) == [
        "Exported",
        "Inspection",
        "Reference",
        "Weights",
        "delegate",
        "encode_sparse",
        "export",
        "export_all",
        "inspect",
    ]
    for module in (issp_keras, issp_keras.tflite):
        assert all(hasattr(module, name) for name in dir(module))


def test_networks_lists_what_can_be_loaded():
    table = issp_keras.networks()
    assert table[0]["name"] == DEFAULT
    _, *lines = str(table).splitlines()
    for row, line in zip(table, lines[: len(table)], strict=True):
        assert pathlib.Path(row["path"]).exists()
        assert line.split()[:2] == [row["name"], f"x{row['scale']}"]
    assert all(len(line) <= 80 for line in lines[: len(table)])
    assert "Licence of the photographs: research only" in str(table)
    network = issp_keras.load(DEFAULT)
    assert network.scale == table[0]["scale"] == 4
    assert repr(network) == f"LoadedNetwork('{DEFAULT}')"


# Images.


def test_upscales_an_array_as_the_shell_does(network, sparse_model_path):
    made = network.upscale(RGB)
    np.testing.assert_array_equal(
        made, load_network(sparse_model_path).upscale(RGB)
    )
    assert made.dtype == np.uint8
    assert made.shape == (34, 44, 3)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint16"])
def test_an_array_keeps_its_dtype(network, dtype):
    white = 65535 if dtype == "uint16" else 1
    image = (RGB / 255 * white).astype(dtype)
    made = network.upscale(image)
    assert made.dtype == dtype
    levels = network.upscale(RGB) / 255
    clipped = np.clip(made / np.float64(white), 0, 1)
    np.testing.assert_allclose(clipped, levels, atol=0.5 / 255 + 1e-3)


def test_a_grey_array_stays_grey(network):
    made = network.upscale(GREY)
    assert made.shape == (34, 44)
    np.testing.assert_array_equal(
        network.upscale(GREY[..., None])[..., 0], made
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", "RGB"),
        ("L", "L"),
        ("1", "L"),
        ("P", "RGB"),
        ("RGBA", "RGBA"),
        ("LA", "LA"),
        ("CMYK", "RGB"),
    ],
)
def test_an_image_of_pillow_stays_one(network, mode, expected):
    image = PIL.Image.fromarray(RGB).convert(mode)
    made = network.upscale(image)
    assert (made.mode, made.size) == (expected, (44, 34))


def test_an_image_of_pillow_has_the_pixels_of_its_array(network):
    image = PIL.Image.fromarray(RGB)
    image.info["icc_profile"] = b"a profile"
    made = network.upscale(image)
    np.testing.assert_array_equal(np.asarray(made), network.upscale(RGB))
    assert made.info["icc_profile"] == b"a profile"


def test_transparency_is_kept(network):
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:, :11] = 0
    image = PIL.Image.fromarray(np.dstack([RGB, alpha]))
    made = np.asarray(network.upscale(image))[..., 3]
    assert (made[:, :16] == 0).all()
    assert (made[:, 28:] == 255).all()


def test_grey_of_16_bits_stays_so(network):
    deep = GREY.astype(np.uint16) * 257
    image = PIL.Image.fromarray(deep)
    made = network.upscale(image)
    assert made.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(made), network.upscale(deep))


def test_an_image_is_turned_upright(network, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(RGB).save(tmp_path / "turned.png", exif=exif)
    with PIL.Image.open(tmp_path / "turned.png") as image:
        made = network.upscale(image)
    assert made.size == (34, 44)
    np.testing.assert_array_equal(
        np.asarray(made), network.upscale(np.rot90(RGB, -1))
    )


def test_grey_of_16_bits_is_turned_upright(network, tmp_path):
    deep = GREY.astype(np.uint16) * 257
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(deep).save(tmp_path / "turned.png", exif=exif)
    with PIL.Image.open(tmp_path / "turned.png") as image:
        made = network.upscale(image)
    np.testing.assert_array_equal(
        np.asarray(made), network.upscale(np.rot90(deep, -1))
    )


def test_tells_how_far_it_is(network, sparse_model_path):
    told = []
    tiled = issp_keras.load(sparse_model_path, tile=64)
    tiled.upscale(
        np.zeros((100, 30, 3), np.uint8), lambda *done: told.append(done)
    )
    assert len(told) > 1
    assert told[-1] == (len(told), len(told))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("photo.jpg", r"path 'photo\.jpg'.*PIL\.Image\.open"),
        (RGB[None], r"shape \(1, 17, 22, 3\) and uint8, expected"),
        (RGB.astype(int), r"int64, expected"),
        (RGB.astype("float32"), r"floats from 0 to 255, expected 0 to 1"),
        (np.full((4, 4, 3), np.nan), "from nan"),
        (RGB[:0], "has no pixels"),
        (None, "is NoneType, expected"),
        (PIL.Image.new("F", (4, 4)), "the mode F"),
    ],
)
def test_refuses_what_is_no_image(network, image, message):
    with pytest.raises(ArgumentError, match=f"`image`: .*{message}"):
        network.upscale(image)


# Files.


def test_a_tflite_file_does_the_same(network, tflite_path):
    made = issp_keras.load(tflite_path, threads=2).upscale(RGB)
    difference = np.abs(made.astype(int) - network.upscale(RGB))
    assert difference.max() <= 1


def test_a_tflite_file_needs_no_keras(tflite_path):
    program = (
        "import sys, numpy, issp_keras\n"
        f"network = issp_keras.load({str(tflite_path)!r})\n"
        "image = numpy.zeros((8, 8, 3), numpy.uint8)\n"
        "assert network.upscale(image).shape == (16, 16, 3)\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": -1}, "`threads`: is -1, expected"),
        ({"threads": 100_000}, "is 100000, .* from 1 to 256"),
        ({"threads": 1.5}, r"`threads`: is 1\.5, expected"),
        ({"tile": 3}, "`tile`: is 3, expected 0, or a multiple of 16"),
        ({"delegate": "no.so"}, r"`delegate`: no\.so: no such file"),
    ],
)
def test_refuses_options_that_are_none(tflite_path, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        issp_keras.load(tflite_path, **arguments)


def test_refuses_threads_that_are_none_for_any_network():
    with pytest.raises(ArgumentError, match="`threads`: is 0, expected"):
        issp_keras.load(DEFAULT, threads=0)


def test_refuses_what_is_no_network():
    with pytest.raises(
        InputError, match=r"x9_fast: no .*one of x4_good, .*_int8"
    ):
        issp_keras.load("x9_fast")


def test_a_keras_network_gives_its_model(network, tflite_path):
    assert isinstance(network.model, keras.Model)
    with pytest.raises(InputError, match=r"`model` needs a \.keras network"):
        _ = issp_keras.load(tflite_path).model


def test_exports_beside_the_network(
    sparse_model_path, photographs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "folder" / "model.keras"
    path.parent.mkdir()
    path.write_bytes(sparse_model_path.read_bytes())
    network = issp_keras.load(path)
    exported = network.export(precision="float16", data=[photographs])
    assert exported.path == path.with_name("model_float16_sparse.tflite")
    assert str(exported).startswith(f"Wrote {exported.path}: ")
    assert "inspection" not in repr(exported)
    # The file is not written into the package.
    named = issp_keras.load("x4_fast").export(data=photographs)
    assert named.path == pathlib.Path("x4_fast_float32_sparse.tflite")
    assert named.path.exists()


def test_exports_int8_on_photographs_of_the_users(
    network, photographs, tmp_path
):
    exported = network.export(
        tmp_path / "int8.tflite",
        "int8",
        data=photographs,
        calibration=photographs,
        tolerance=20.0,
    )
    assert exported.precision == "int8"
    assert exported.path.stat().st_size == exported.inspection.bytes


def test_refuses_to_export_a_file(tflite_path):
    with pytest.raises(InputError, match=r"is a \.tflite file, but `export`"):
        issp_keras.load(tflite_path).export()


def test_evaluates_beside_bicubic_and_others(network, tflite_path, photographs):
    other = issp_keras.load(tflite_path)
    scores = network.evaluate(photographs, other)
    assert [row["way"] for row in scores[:3]] == [
        "bicubic",
        network.name,
        str(tflite_path),
    ]
    *_, bicubic, mean, of_file = scores
    assert {row["photograph"] for row in scores} == {"0", "1", "mean"}
    assert mean["psnr"] == pytest.approx(
        np.mean([r["psnr"] for r in scores[:-3] if r["way"] == network.name])
    )
    assert of_file["psnr"] == pytest.approx(mean["psnr"], abs=0.01)
    assert bicubic["data"] == str(photographs)
    assert "without a border of 2 pixels" in scores.notes[0]


def test_an_evaluation_names_what_cannot_be_read(
    network, photographs, tmp_path
):
    (tmp_path / "broken.png").write_text("no image")
    with pytest.raises(InputError, match=r"broken\.png: cannot be read"):
        network.evaluate(tmp_path)
    scores = network.evaluate([str(photographs), str(tmp_path)])
    assert "broken.png" in scores.notes[-1]
    assert len(scores) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": "hue"}, "`channels`: is 'hue', expected one of y, rgb"),
        ({"data": []}, "`data`: is empty"),
    ],
)
def test_refuses_an_evaluation_of_nothing(network, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        network.evaluate(**arguments)
    with pytest.raises(ArgumentError, match="name a network twice"):
        network.evaluate("embedded", network)


def test_networks_of_other_scales_do_not_compare(network):
    message = "magnifies 4 times, expected 2"
    # Names are loaded.
    for other in (issp_keras.load("x4_fast"), "x4_fast"):
        with pytest.raises(ArgumentError, match=message):
            network.evaluate("embedded", other)


def test_compares_with_the_path_of_a_network(
    tflite_path, photographs, tmp_path
):
    other = tmp_path / "other.tflite"
    other.write_bytes(tflite_path.read_bytes())
    network = issp_keras.load(tflite_path)
    table = network.evaluate(photographs, other)
    assert {row["way"] for row in table} == {
        "bicubic",
        str(tflite_path),
        str(other),
    }
    table = network.benchmark(other, size=(8, 8), rounds=1, data=photographs)
    assert len(table) == 3


def test_networks_with_the_same_file_name_are_measured_each(
    photographs, tmp_path
):
    for folder, features in (("a", 4), ("b", 8)):
        (tmp_path / folder).mkdir()
        model = issp_keras.models.plain(2, features=features, blocks=1)
        model.save(tmp_path / folder / "model.keras")
    network = issp_keras.load(tmp_path / "a" / "model.keras")
    table = network.benchmark(
        tmp_path / "b" / "model.keras",
        size=(8, 8),
        rounds=1,
        data=photographs,
    )
    _, *rows = table
    assert [row["label"] for row in rows] == [
        "dense float32 a/model",
        "dense float32 b/model",
    ]
    assert rows[0]["bytes"] < rows[1]["bytes"]


def test_networks_that_run_differently_are_not_compared(tflite_path):
    network = issp_keras.load(tflite_path)
    other = issp_keras.load(tflite_path, threads=2)
    message = "`others`: have other `threads`, expected 1 for all"
    with pytest.raises(ArgumentError, match=message):
        network.benchmark(other)
    a = issp_keras.load(tflite_path, delegate="sparse")
    b = issp_keras.load(tflite_path, delegate=str(delegate.library()))
    message = "`others`: have the delegates .* and sparse, expected one deleg"
    with pytest.raises(ArgumentError, match=message):
        a.benchmark(b)


def test_a_folder_does_not_hide_a_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x4_fast").mkdir()
    assert issp_keras.load("x4_fast").scale == 4


def test_exports_only_to_tflite_files(network, tmp_path):
    with pytest.raises(ArgumentError, match=r"^`path`: is .*a\.xyz, expected"):
        network.export(tmp_path / "a.xyz")


def test_benchmarks_a_file_with_a_delegate(tflite_path, photographs):
    network = issp_keras.load(tflite_path, delegate="sparse")
    table = network.benchmark(size=(16, 24), rounds=1, data=photographs)
    assert [row["delegate"] for row in table] == [None, None, "sparse"]
    assert table[0]["name"] == "bicubic"
    assert table[1]["sparsity"] > 0.8
    assert table[2]["latency_ms"] > 0
    assert table[2]["ratio"] == pytest.approx(
        table[2]["latency_ms"] / table[1]["latency_ms"]
    )
    assert "sparse float32 + delegate" in str(table)
    assert "24x16 pixels" in table.notes[0]


def test_benchmarks_a_keras_network_as_a_file(network, photographs):
    table = network.benchmark(size=(16, 24), rounds=1, data=photographs)
    assert [row["label"] for row in table] == ["bicubic", "sparse float32"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 128}, "`size`: is 128, expected"),
        ({"size": (128, 0)}, r"`size`: is \(128, 0\), expected"),
        ({"rounds": 0}, "`rounds`: is 0, expected"),
        ({"protocol": "none"}, "`protocol`: is 'none', expected one of mlperf"),
    ],
)
def test_refuses_a_benchmark_of_nothing(tflite_path, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        issp_keras.load(tflite_path).benchmark(**arguments)


# Arguments of the library beneath.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": -1}, r"`threads`: is no option .*expected num_threads, "),
        ({"num_threads": -1}, r"`num_threads`: is '-1', expected a whole"),
        ({"kernels": "none"}, r"`kernels`: is 'none', expected the name"),
    ],
)
def test_a_wrong_option_of_the_delegate_is_named(options, message):
    with pytest.raises(ArgumentError, match=message) as raised:
        delegate.load(**options)
    assert raised.value.argument in options
    assert "\n" not in str(raised.value)


def test_rgb_of_16_bits_becomes_an_image_of_8():
    deep = RGB.astype(np.uint16) * 257
    image = to_pil(issp_keras.data.Photograph("deep", deep))
    np.testing.assert_array_equal(np.asarray(image), RGB)
