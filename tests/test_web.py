"""The engine in WebAssembly and the package in web/, in Node."""

import gzip
import importlib.util
import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from networks import TINY

from issp_keras.errors import InputError
from issp_keras.inference import load_network
from issp_keras.tflite import export
from issp_keras.web import compiler
from issp_keras.web import cpp_tests
from issp_keras.web import engine
from issp_keras.web import page

ROOT = pathlib.Path(__file__).parents[1]
SIZE = (69, 77)
# A network and options of `export`, by name.
EXPORTS = {
    "float32": ("sparse", {}),
    "float16": ("sparse", {"precision": "float16"}),
    "int8": ("sparse", {"precision": "int8"}),
    "fixed": ("sparse", {"height": 24, "width": 32}),
    "swinir": ("swinir", {"sparse": False}),
}


def need_compiler():
    """Skips a test if WebAssembly cannot be compiled or run."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    if shutil.which("node") is None:
        pytest.skip("there is no Node")


@pytest.fixture(scope="module")
def wasm(tmp_path_factory):
    need_compiler()
    return engine.build_wasm(tmp_path_factory.mktemp("wasm"))


@pytest.fixture(scope="module")
def found(wasm, tmp_path_factory):
    """The results of web_package.mjs, a Node program that uses the package."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copy(wasm["simd"], folder)
    made = {"sparse": varied("edsr", zeros=0.7), "swinir": varied("swinir")}
    height, width = SIZE
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 4), np.uint8)
    (folder / "photograph.rgba").write_bytes(pixels.tobytes())
    photograph = {"pixels": "photograph.rgba", "height": height, "width": width}
    jobs = {}
    for name, (model, options) in EXPORTS.items():
        path = folder / f"{name}.tflite"
        export(made[model], path, tolerance=99, **options)
        jobs[name] = {"network": path.name, **photograph, "options": {}}
    # The network sees only a few pixels far, so tiles equal the whole image.
    jobs["tiles"] = {**jobs["float32"], "options": {"tile": 24, "overlap": 6}}
    known = {
        "wasm": wasm["simd"].name,
        "network": "float32.tflite",
        "photograph": photograph,
        "jobs": jobs,
    }
    (folder / "jobs.json").write_text(json.dumps(known))
    program = ROOT / "tests" / "web_package.mjs"
    done = subprocess.run(
        ["node", program, folder], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout), folder, pixels


def varied(name, zeros=0.0, **options):
    """A tiny network with zeros, whose output is not flat."""
    rng = np.random.default_rng(0)
    model = TINY[name](**options)
    for weight in model.trainable_variables:
        value = weight.numpy() + 0.2 * rng.standard_normal(weight.shape)
        if weight.path.endswith("kernel"):
            value *= rng.random(weight.shape) >= zeros
        weight.assign(value)
    return model


def test_tests_of_cpp_pass_in_webassembly(tmp_path):
    need_compiler()
    programs = cpp_tests.build_tests(tmp_path)
    assert set(programs) == set(cpp_tests.TESTS)
    for name, path in programs.items():
        text = cpp_tests.run_test(path, scale=0.02)
        assert text.rstrip().endswith(" 0 failures"), f"{name}: {text}"


def test_nothing_is_compiled_twice(wasm, monkeypatch):
    commands = []
    monkeypatch.setattr(compiler, "run", commands.append)
    for kind in engine.KINDS:
        engine.compile_kind(engine.sources(), kind)
    assert commands == []


def test_both_builds_are_small(wasm):
    # A phone has to load a build before it can begin.
    is_optimized = compiler.optimizer() is not None
    most = 300_000 if is_optimized else 400_000
    for path in wasm.values():
        assert path.stat().st_size < most
        if is_optimized:
            assert len(gzip.compress(path.read_bytes())) < 110_000


def test_without_a_compiler_a_sentence_says_what_is_missing(
    monkeypatch, tmp_path
):
    compiler._compiler.cache_clear()
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda of: None)
    with pytest.raises(InputError, match="pip install ziglang"):
        engine.build_wasm(tmp_path)
    compiler._compiler.cache_clear()


def test_a_page_needs_networks(tmp_path):
    path = tmp_path / "demo.html"
    with pytest.raises(InputError, match="expected at least one network"):
        page.build_page(path, {}, {})
    (tmp_path / "text.tflite").write_text("no network")
    with pytest.raises(InputError, match=r"text.tflite: expected a .tflite"):
        page.build_page(path, {"Text": tmp_path / "text.tflite"}, {})
    with pytest.raises(InputError, match=r"no.tflite: cannot be read"):
        page.build_page(path, {"None": tmp_path / "no.tflite"}, {})
    assert not path.exists()


@pytest.mark.parametrize("name", [*EXPORTS, "tiles"])
def test_upscales_as_the_interpreter_does(found, name):
    result, folder, pixels = found
    job = result["jobs"][name]
    assert job["scale"] == 2
    assert job["size"] == [2 * side for side in SIZE]
    data = np.fromfile(folder / f"{name}.rgba", np.uint8)
    made = data.reshape(2 * SIZE[0], 2 * SIZE[1], 4).astype(int)
    file = "float32" if name == "tiles" else name
    network = load_network(folder / f"{file}.tflite")
    expected = network.upscale(np.ascontiguousarray(pixels[..., :3]))
    assert expected.std() > 20
    assert np.abs(made[..., :3] - expected).max() <= 1
    assert np.array_equal(made[0, 0, 3], pixels[0, 0, 3])


def test_a_smaller_result_is_the_mean_of_squares():
    # 4 x 4 pixels become 3 x 3. Each is the mean of 4/3 x 4/3 pixels.
    code = """
        import { reduce } from "./web/src/reduce.js";
        const pixels = new Uint8ClampedArray(4 * 4 * 4);
        for (let i = 0; i < 16; ++i) {
          pixels.set([15 * i, 100, 0, i === 15 ? 0 : 255], 4 * i);
        }
        console.log([...reduce(pixels, 4, 4, 3)].join());
        console.log([...reduce(pixels, 4, 4, 2)].join());
    """
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    three, two = (
        np.reshape([int(of) for of in line.split(",")], (side, side, 4))
        for line, side in zip(done.stdout.split(), (3, 2), strict=True)
    )
    # Red is 15 * (4 * row + column), so means of rows and columns are enough.
    at = np.array([0.25, 1.5, 2.75])
    red = np.rint(15 * (4 * at[:, None] + at))
    assert np.array_equal(three[..., 0].ravel()[:8], red.ravel()[:8])
    assert (three[..., 1] == 100).all()
    assert two[..., 0].tolist()[0] == [38, 68]
    # The last pixel is transparent. It is a quarter of the area.
    assert two[1, 1, 0] == round(15 * (10 + 11 + 14) / 3)
    assert two[1, 1].tolist()[1:] == [100, 0, 191]


def test_networks_say_what_they_take(found):
    jobs = found[0]["jobs"]
    sizes = {name: job["input"]["height"] for name, job in jobs.items()}
    assert sizes == {**dict.fromkeys(jobs, 0), "fixed": 24}
    assert jobs["float32"]["input"]["channels"] == 3
    assert len({job["version"] for job in jobs.values()}) == 1


def test_progress_is_told_after_each_tile(found):
    progress = found[0]["jobs"]["tiles"]["progress"]
    tiles = len(progress) - 1
    assert tiles > 4
    assert progress == [[done, tiles] for done in range(tiles + 1)]


def test_a_signal_ends_it_between_tiles_and_the_network_goes_on(found):
    cancel = found[0]["cancel"]
    assert cancel["cancelled"]["name"] == "AbortError"
    assert cancel["done"] == 2
    assert cancel["never"]["name"] == "AbortError"
    assert found[0]["inTurns"]


def test_bands_make_the_whole(found):
    assert found[0]["inBands"]


def test_it_describes_how_it_computes(found):
    assert found[0]["described"] == ["kernels", "threads", "part"]


@pytest.mark.parametrize(
    ("name", "words"),
    {
        "huge": "no memory for an image of 30000x30000 pixels",
        "vast": "computed: ",
        "count": "needs Float32Array of",
        "image": "four bytes for each pixel",
        "scale": "`scale` is 3, expected a whole number from 1 to 2",
        "empty": "cannot be opened: ",
        "text": "cannot be opened: ",
        "half": "cannot be opened: ",
        "kind": "bytes of a `.tflite` file",
        "wasm": "cannot be read from /no/such/file.wasm",
    }.items(),
)
def test_what_cannot_be_done_is_a_sentence(found, name, words):
    problem = found[0]["refuse"]["problems"][name]
    assert problem["name"] == "EngineError"
    assert words in problem["message"]
    assert problem["message"].endswith(".")


def test_a_network_goes_on_after_what_cannot_be_done(found):
    assert found[0]["refuse"]["size"] == [2 * SIZE[0], 2 * SIZE[1], 3]


def test_a_closed_network_says_so(found):
    for job in found[0]["jobs"].values():
        assert job["closed"]["message"] == "The network is closed."


def test_a_trap_is_one_sentence_and_the_engine_is_not_used_again():
    program = """
        import { Engine } from "./web/src/engine.js";
        // A module that has what is called at first, which traps.
        const bytes = new Uint8Array([
          0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0,
          7, 15, 1, 11, ...new TextEncoder().encode("_initialize"), 0, 0,
          10, 5, 1, 3, 0, 0, 11,
        ]);
        const error = await Engine.open(bytes, bytes, 0).catch((of) => of);
        console.log(error.name, error.message);
    """
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("EngineError The engine has stopped"), done


def test_the_package_has_the_version_of_the_project():
    import issp_keras

    package = json.loads((ROOT / "web" / "package.json").read_text())
    assert package["version"] == issp_keras.__version__
    for name in ("src/index.js", "src/index.d.ts", "src/worker.js"):
        assert (ROOT / "web" / name).is_file()
