"""Compares the engine with TFLite on files that the tests export.

The Android app calls the engine from Java, and is tested here too.
"""

import pathlib
import shutil
import subprocess

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
import test_android
from ai_edge_litert import interpreter as litert
from loading import load_benchmark
from native import DELEGATE
from native import need
from native import run
from networks import TINY
from networks import small_pairs

from issp_keras.callbacks import prunable_kernels
from issp_keras.inference import load_network
from issp_keras.tflite import Reference
from issp_keras.tflite import export

_ROOT = pathlib.Path(__file__).parents[1]
_TOLERANCE = 1e-5
# If windows are as high as the image, the network of their positions has to
# run for each size. The engine cannot do that.
_ANY_SIZE = [name for name in TINY if name != "cat_axial"]


_engine = load_benchmark("engine_library")


@pytest.fixture(scope="module")
def library(optimized):
    return optimized / "libissp_engine.so"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function that exports a network with zeros only once."""
    folder = tmp_path_factory.mktemp("exported")

    def file(name, precision="float32", *size, sparse=True, input="float32"):
        shape = "x".join(map(str, size))
        path = folder / f"{name}_{precision}_{input}_{sparse}_{shape}.tflite"
        if path.exists():
            return path
        model = TINY[name]()
        rng = np.random.default_rng(0)
        for kernel in prunable_kernels(model):
            values = kernel + 0.05 * rng.standard_normal(kernel.shape)
            kernel.assign(values * (rng.random(kernel.shape) < 0.3))
        reference = Reference(model, small_pairs(_scale(model)))
        kwargs = {"input": input, "tolerance": 99, "reference": reference}
        export(model, path, precision, sparse, *size, **kwargs)
        return path

    return file


def _scale(model):
    return model(np.zeros((1, 8, 8, 3), np.float32)).shape[1] // 8


def _expected(path, images):
    interpreter = litert.Interpreter(str(path), num_threads=1)
    (taken,) = interpreter.get_input_details()
    if -1 in taken["shape_signature"]:
        interpreter.resize_tensor_input(taken["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], images)
    interpreter.invoke()
    (made,) = interpreter.get_output_details()
    return interpreter.get_tensor(made["index"])


def _images(*shape):
    return np.random.default_rng(7).random((1, *shape, 3), np.float32)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("name", _ANY_SIZE)
def test_files_of_any_size_make_what_tflite_makes(
    name, precision, library, exported
):
    path = exported(name, precision)
    engine = _engine.Engine(library, path)
    assert engine.input == (0, 0, 3)
    for size in ((16, 24), (9, 13), (1, 1)):
        images = _images(*size)
        made = engine.run(images)
        np.testing.assert_allclose(
            made, _expected(path, images), atol=_TOLERANCE
        )
    engine.close()


@pytest.mark.parametrize("name", TINY)
def test_files_of_one_size_make_what_tflite_makes(name, library, exported):
    path = exported(name, "float32", 9, 13)
    engine = _engine.Engine(library, path, threads=2)
    assert engine.input == (9, 13, 3)
    images = _images(9, 13)
    expected = _expected(path, images)
    np.testing.assert_allclose(engine.run(images), expected, atol=_TOLERANCE)
    with pytest.raises(
        _engine.EngineError, match="only takes 13x9 pixels, not 9x13"
    ):
        engine.run(_images(13, 9))


@pytest.mark.parametrize("input", ["float32", "uint8"])
@pytest.mark.parametrize("sparse", [False, True])
def test_files_in_int8_make_the_bits_of_tflite(
    sparse, input, library, exported
):
    path = exported("plain", "int8", sparse=sparse, input=input)
    engine = _engine.Engine(library, path)
    images = _images(17, 21)
    if input == "uint8":
        images = (255 * images).astype(np.uint8)
    np.testing.assert_array_equal(engine.run(images), _expected(path, images))


@pytest.mark.parametrize("name, precision", [("plain", "int8"), ("edsr", "")])
def test_a_photograph_in_tiles_is_that_of_the_python_library(
    name, precision, library, exported
):
    path = exported(name, precision or "float32")
    pixels = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    expected = load_network(path).upscale(pixels)
    for tile in (0, 32):
        made = _engine.Engine(library, path).upscale(pixels, tile=tile)
        assert made.shape == expected.shape
        assert np.abs(made.astype(int) - expected).max() <= 1


def test_files_that_are_none_are_named_in_a_sentence(
    library, exported, tmp_path
):
    for content, problem in (
        (b"", "this is no .tflite file"),
        (b"\0" * 64, "this is no .tflite file"),
        (exported("plain").read_bytes()[:999], "is damaged"),
    ):
        with pytest.raises(_engine.EngineError, match=problem):
            _engine.Engine(library, content)
    with pytest.raises(_engine.EngineError, match="cannot be opened"):
        _engine.Engine(library, tmp_path / "none.tflite")


def test_a_graph_that_cannot_be_resolved_names_the_operator(library, exported):
    with pytest.raises(_engine.EngineError, match="what PACK makes does not"):
        _engine.Engine(library, exported("cat_axial"))


def test_a_network_is_described(library, exported):
    engine = _engine.Engine(library, exported("edsr"))
    engine.run(_images(8, 8))
    found = engine.describe()
    assert found["threads"] == 1
    layers = found["part"]["layers"]
    assert sum(layer["kind"] == "convolution" for layer in layers) > 3


@pytest.mark.parametrize("suffix", ["ppm", "png"])
def test_the_example_in_c_upscales_a_photograph(
    suffix, optimized, exported, tmp_path
):
    path = exported("edsr")
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    photograph = tmp_path / f"photograph.{suffix}"
    PIL.Image.fromarray(pixels).save(photograph)
    larger = tmp_path / f"larger.{suffix}"
    example = optimized / "issp_upscale"
    if suffix == "png":
        done = subprocess.run(
            [example, path, photograph, larger], capture_output=True, text=True
        )
        if "knows PPM files alone" in done.stderr:
            pytest.skip("the example was built without libpng")
    run(example, path, photograph, larger, "2")
    made = np.asarray(PIL.Image.open(larger)).astype(int)
    expected = load_network(path).upscale(pixels)
    assert np.abs(made - expected).max() <= 1


def test_the_example_in_c_tells_what_is_wrong(optimized, exported, tmp_path):
    example = optimized / "issp_upscale"
    text = tmp_path / "text.ppm"
    text.write_text("This is no photograph.")
    photograph = tmp_path / "photograph.ppm"
    PIL.Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(photograph)
    network = exported("edsr")
    result = tmp_path / "result.ppm"
    for arguments, problem in (
        ([], "usage: "),
        ([text, photograph, result], "no .tflite file"),
        ([network, tmp_path / "none.ppm", result], "cannot be opened"),
        ([network, text, result], "no PPM file"),
        ([network, photograph, tmp_path / "none" / "x.ppm"], "be written"),
    ):
        done = subprocess.run(
            [example, *arguments], capture_output=True, text=True
        )
        assert done.returncode in (1, 2)
        assert problem in done.stderr
    assert not result.exists()


def test_the_engine_calls_nothing_that_android_24_lacks(library):
    names = test_android.names_from_elsewhere(library)
    assert "free" in names
    assert not test_android.not_in_api_24(names)


@pytest.fixture(scope="module")
def java(library, tmp_path_factory):
    """A function that runs the Android app's Java files in a desktop's Java."""
    need("javac", "java", "c++")
    home = pathlib.Path(shutil.which("javac")).resolve().parents[1]
    headers = [home / "include", *(home / "include").glob("*/")]
    if not (home / "include" / "jni.h").is_file():
        pytest.skip("this JDK has no jni.h")
    app = test_android.APP / "src" / "main"
    folder = tmp_path_factory.mktemp("java")
    run(
        *("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror"),
        *("-shared", "-fPIC", "-o", folder / "libissp_network.so"),
        *(f"-I{of}" for of in [*headers, DELEGATE / "engine"]),
        *(app / "cpp" / "network.cc", library),
        f"-Wl,--version-script={app / 'cpp' / 'exports.map'}",
        f"-Wl,-rpath,{library.parent}",
    )
    run(
        *("javac", "-Xlint:all", "-Werror", "--release", "11", "-d", folder),
        *(app / "java" / "issp" / "upscale").glob("*.java"),
        _ROOT / "tests" / "java" / "Desktop.java",
    )
    flags = ["-Xcheck:jni", f"-Djava.library.path={folder}", "-cp", folder]
    command = ["java", *flags, "issp.upscale.Desktop"]

    def lines(*arguments):
        return run(*command, *arguments).splitlines()

    return lines


def _save(path, *shape):
    pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    return pixels


def _pixels(path):
    with PIL.Image.open(path) as image:
        return np.asarray(image)


def test_the_android_app_makes_what_the_engine_makes(
    library, exported, java, tmp_path
):
    path = exported("edsr")
    photograph, result = tmp_path / "small.png", tmp_path / "larger.png"
    pixels = _save(photograph, 230, 401, 3)
    assert java(path, 0, 1, photograph, result) == ["done"]
    made = _engine.Engine(library, path).upscale(pixels, tile=192)
    np.testing.assert_array_equal(_pixels(result), made)
    whole = _expected(path, np.float32(pixels[None]) / 255)[0]
    assert np.abs(made - np.float64(whole) * 255).max() <= 0.5 + 1e-2


def test_the_android_app_turns_photographs_as_exif_says(
    library, exported, java, tmp_path
):
    path = exported("edsr")
    photograph = tmp_path / "stored.png"
    stored = PIL.Image.fromarray(_save(photograph, 21, 34, 3))
    results = {exif: tmp_path / f"{exif}.png" for exif in range(1, 9)}
    words = [
        word
        for exif, result in results.items()
        for word in (exif, photograph, result)
    ]
    assert java(path, 0, *words) == ["done"] * 8
    engine = _engine.Engine(library, path)
    for exif, result in results.items():
        stored.getexif()[PIL.ExifTags.Base.Orientation] = exif
        upright = np.asarray(PIL.ImageOps.exif_transpose(stored))
        np.testing.assert_array_equal(_pixels(result), engine.upscale(upright))


def test_the_android_app_keeps_alpha(library, exported, java, tmp_path):
    path = exported("edsr")
    photograph, result = tmp_path / "clear.png", tmp_path / "larger.png"
    pixels = _save(photograph, 20, 31, 4)
    assert java(path, 0, 1, photograph, result) == ["done"]
    made = _engine.Engine(library, path).upscale(pixels)
    np.testing.assert_array_equal(_pixels(result), made)


def test_the_android_app_can_be_cancelled(exported, java, tmp_path):
    photograph, result = tmp_path / "wide.png", tmp_path / "larger.png"
    _save(photograph, 20, 800, 3)
    assert java(exported("edsr"), 2, 1, photograph, result) == ["cancelled"]


def test_the_android_app_tells_what_is_wrong(exported, java, tmp_path):
    text = tmp_path / "text.tflite"
    text.write_text("no network")
    refused = "The network cannot be used: "
    assert java(text, 0) == [f"{refused}this is no .tflite file."]
    too_small = f"{refused}a buffer is smaller than a tile."
    assert java(exported("edsr"), 0) == [
        f"{refused}there is no such tile.",
        f"{refused}a photograph has at least one pixel.",
        f"{refused}there is no such tile.",
        *[too_small] * 4,
        f"{refused}a pixel has 3 or 4 channels.",
        "The network is closed.",
    ]
