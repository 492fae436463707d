"""If an extra is missing, one sentence names it."""

import sys

import PIL.Image
import pytest
from without import issp_without
from without import run_without

from issp_keras.errors import InputError
from issp_keras.extras import EXTRAS
from issp_keras.extras import MissingPackage
from issp_keras.extras import needed_by


@pytest.mark.parametrize("package", sorted(EXTRAS))
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    _, extra = EXTRAS[package]
    with (
        pytest.raises(
            MissingPackage, match=r"^A test needs .* not installed: "
        ),
        needed_by("A test"),
    ):
        __import__(package)
    with (
        pytest.raises(InputError, match=rf"'issp-keras\[{extra}\]'\.$"),
        needed_by("Another test"),
        needed_by("A test"),
    ):
        __import__(package)


def test_other_missing_modules_stay_errors_of_python():
    with (
        pytest.raises(ModuleNotFoundError, match="No module named") as error,
        needed_by("A test"),
    ):
        __import__("nowhere_at_all")
    assert not isinstance(error.value, MissingPackage)


def test_who_takes_a_part_away_is_told_the_extra():
    done = run_without(
        ["PIL"],
        "from issp_keras.data import imresize\n"
        "try:\n"
        "    from issp_keras.data import read_photograph\n"
        "except ImportError as error:\n"
        "    print(error, error.name)",
    )
    assert done.stdout == (
        "issp_keras.data.read_photograph needs Pillow, which is not "
        "installed: pip install 'issp-keras[sr]'. PIL\n"
    )


def test_without_a_backend_both_are_named():
    done = run_without(
        ["tensorflow"],
        "import issp_keras\n"
        "try:\n"
        "    issp_keras.ISSPCallback\n"
        "except ValueError as error:\n"
        "    print(error)",
        KERAS_BACKEND="tensorflow",
    )
    assert done.stdout == (
        "issp_keras.ISSPCallback needs TensorFlow, which is not installed: "
        "pip install 'issp-keras[tensorflow]'; or pip install "
        "'issp-keras[jax]', with KERAS_BACKEND=jax in the environment.\n"
    )


def test_one_callback_needs_no_extra():
    """It only needs a backend, here that of this environment."""
    import keras

    backend = keras.backend.backend()
    # TensorFlow depends on flatbuffers.
    others = [
        name
        for name, (_, extra) in EXTRAS.items()
        if extra != backend and name != "flatbuffers"
    ]
    done = run_without(
        others,
        "import keras, numpy\n"
        "import issp_keras\n"
        "schedule = issp_keras.ISSPSchedule(0.75, end_step=2)\n"
        "model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])\n"
        "model.compile('adam', 'mse')\n"
        "x = numpy.ones((8, 8), 'float32')\n"
        "model.fit(x, x, 2, epochs=2, verbose=0, callbacks=[\n"
        "    issp_keras.ISSPCallback(schedule)])\n"
        "print(int((model.get_weights()[0] == 0).sum()))",
    )
    assert done.stdout == "48\n", done.stderr


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("models",)])
def test_the_command_itself_needs_no_extra(words):
    done = issp_without([*EXTRAS], *words)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("package", "words", "sentence"),
    [
        (
            "ml_collections",
            ("train", "--config=quickstart", "--workdir=run"),
            "--config needs ml-collections, which is not installed: pip "
            "install 'issp-keras[sr]'.",
        ),
        (
            "PIL",
            ("upscale", "README.md"),
            "this command needs Pillow, which is not installed: pip install "
            "'issp-keras[sr]'.",
        ),
        (
            "ai_edge_litert",
            ("inspect", "README.md"),
            "issp_keras.tflite.eligibility needs LiteRT, which is not "
            "installed: pip install 'issp-keras[edge]'.",
        ),
    ],
)
def test_a_command_says_it_in_one_line(package, words, sentence):
    done = issp_without([package], *words)
    assert done.stdout == ""
    assert done.stderr == f"issp {words[0]}: {sentence}\n"
    assert done.returncode == 1


def test_a_page_of_enlarged_photographs_needs_no_keras(tmp_path):
    pytest.importorskip("ai_edge_litert")
    photo, page = tmp_path / "photo.png", tmp_path / "page.html"
    PIL.Image.new("RGB", (12, 8), "teal").save(photo)
    words = "upscale", "--model=x2_fast", photo, f"--compare={page}"
    done = issp_without(["keras", "tensorflow"], *words)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "LiteRT" in text
    assert "Keras" not in text


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        (
            "torch",
            "KERAS_BACKEND: Keras' backend is 'torch', expected tensorflow or "
            "jax, in the environment or in Keras' settings.",
        ),
        (
            "numpy",
            "KERAS_BACKEND: Keras' backend is 'numpy', expected tensorflow or "
            "jax, in the environment or in Keras' settings.",
        ),
        ("nowhere", "KERAS_BACKEND: Unable to import backend : nowhere"),
    ],
)
def test_another_backend_of_keras_is_refused(tmp_path, backend, sentence):
    words = "train", "--config=quickstart", f"--workdir={tmp_path / 'run'}"
    done = issp_without(["torch"], *words, KERAS_BACKEND=backend)
    assert done.stderr.splitlines()[-1] == f"issp train: {sentence}"
    assert done.returncode == 1
    assert not (tmp_path / "run").exists()


def test_a_callback_refuses_another_backend(monkeypatch):
    import keras

    import issp_keras

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
    model.compile("adam", "mse")
    callback = issp_keras.ISSPCallback(issp_keras.ISSPSchedule(0.5, end_step=2))
    callback.set_model(model)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match=r"^KERAS_BACKEND: .* is 'torch', "):
        callback.on_train_begin()
