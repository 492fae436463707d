"""The command `issp`: help, mistakes, and what is imported for them."""

import contextlib
import functools
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys

import PIL.Image
import pytest

import issp_keras
from issp_keras.callbacks import count_zeros
from issp_keras.inference import DEFAULT
from issp_keras.inference import bundled_networks
from issp_keras.inference import network_of
from issp_keras.models import load_model
from issp_keras.programs.commands import COMMANDS
from issp_keras.programs.commands import benchmark
from issp_keras.tflite import export
from issp_keras.tflite import ranges
from issp_keras.tflite.choices import RANGES
from issp_keras.tflite.programs import tables

ROOT = pathlib.Path(__file__).parent.parent
HEAVY = ("jax", "keras", "matplotlib", "numpy", "PIL", "rich", "tensorflow")

# Says at its end which modules it has imported.
_CHILD = f"""
import atexit, json, sys
atexit.register(lambda: print("imported", json.dumps(
    [name for name in {HEAVY} if name in sys.modules]), file=sys.stderr))
sys.argv[:] = json.loads(sys.argv[1])
from issp_keras.programs.issp import run
run()
"""


def _call(*words, program="issp", cwd=None, **environment):
    """Runs a command in a process of its own.

    Returns:
        `subprocess.CompletedProcess`, with the list `imported`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps([program, *map(str, words)])],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        check=False,
    )
    done.stderr, _, imported = done.stderr.partition("imported ")
    done.imported = json.loads(imported)
    return done


def test_the_overview_lists_every_command():
    for words in ([], ["--help"], ["-h"], ["help"]):
        done = _call(*words)
        assert done.returncode == 0
        assert done.imported == []
        for name, command in COMMANDS.items():
            assert re.search(rf"(?m)^  {name} +{command.summary}", done.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_own_flags_with_defaults_and_examples(name):
    done = _call(name, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.imported == []
    assert done.stdout.startswith(f"Usage: issp {name} [FLAGS]")
    assert len(re.findall(rf"(?m)^  .*issp {name}\b", done.stdout)) >= 2
    _, _, flags = done.stdout.partition("\nFlags:\n")
    for line in filter(None, flags.partition("\n\n")[0].splitlines()):
        assert re.match(r"  (-\w,|   ) --(\[no\])?\w+", line), line
        told = re.findall(r"by default .+\.$|Default: .+\.$|Required\.$", line)
        assert len(told) == 1, line
        # A flag that tells its default does not deny it.
        assert "by default" not in line or "Default: none" not in line
    for name_of_another in ("alsologtostderr", "helpxml", "log_dir", "pdb"):
        assert name_of_another not in done.stdout


def test_upscale_has_the_short_flags_of_other_programs():
    done = _call("upscale", "--help")
    for short, name in {
        "i": "input",
        "o": "output",
        "s": "scale",
        "m": "model",
        "d": "delegate",
    }.items():
        assert f"  -{short}, --{name}=" in done.stdout
    assert "  PHOTOGRAPH...  Files and folders.\n" in done.stdout


def test_old_names_are_aliases():
    scripts = dict(
        re.findall(r'"(issp-\w+) = ([\w.:]+)"', (ROOT / "setup.py").read_text())
    )
    later = {"completion", "models"}
    assert {f"issp-{name}" for name in COMMANDS if name not in later} == {
        *scripts
    }
    assert {*scripts.values()} == {"issp_keras.programs.issp:run"}
    done = _call("--tile=x", program="/usr/bin/issp-upscale")
    assert done.stderr.startswith("issp-upscale: --tile: is x, expected ")


def test_the_version_is_told():
    for words in (["--version"], ["version"], ["train", "--version"]):
        done = _call(*words)
        assert done.returncode == 0
        assert done.stdout == f"issp_keras {issp_keras.__version__}\n"


@pytest.mark.parametrize(
    "words", [["--help"], ["upscale", "--help"], ["models"]]
)
def test_a_closed_pipe_ends_a_program_quietly(words):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "issp_keras.programs.issp", *words],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    # rich ends it with 1, as it writes tables.
    assert done.returncode in (1, 128 + signal.SIGPIPE)


def test_helpfull_is_that_of_absl():
    done = _call("upscale", "--helpfull")
    assert "absl.logging:" in done.stdout


_TRAIN = ["train", "--config=quickstart", "--workdir=run"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["upscal"], "issp: upscal: no such command; did you mean `issp upsc"),
        (["xyz"], "issp: xyz: no such command, expected one of upscale, train"),
        (["--tile=3"], "issp: --tile=3: expected a command before flags"),
        (
            ["upscale", "--modle=m"],
            "issp upscale: --modle: no such flag; did you mean --model?",
        ),
        (["upscale", "--xyzxyz"], "issp upscale: --xyzxyz: no such flag; --he"),
        (["upscale", "no.png"], "issp upscale: no.png: no such file."),
        (
            ["upscale", "-i", "no.png"],
            "issp upscale: no.png: no such file.",
        ),
        (["upscale", "-m", "no.keras", "."], "issp upscale: no.keras: no such"),
        (["upscale", "-m", ".", "."], "issp upscale: .: is a folder, expected"),
        (
            ["upscale", "-o"],
            "issp upscale: -o: has no value, expected a value.",
        ),
        (
            ["evaluate"],
            "issp evaluate: --model: is missing. A .keras or .tflite network",
        ),
        (
            ["evaluate", f"--model={__file__}", "--data=no"],
            "issp evaluate: no: no such folder",
        ),
        (
            ["evaluate", f"--model={__file__}", "--channels=rg"],
            "issp evaluate: --channels: is rg, expected one of y, rgb.",
        ),
        (["export", "no.keras"], "issp export: no.keras: no such file."),
        (
            ["export", __file__, "--output=model.bin"],
            "issp export: --output: is model.bin, expected a file ending in",
        ),
        (["inspect", "no.tflite"], "issp inspect: no.tflite: no such file."),
        (["benchmark", "no.tflite"], "issp benchmark: no.tflite: no such file"),
        (
            ["upscale", "--model=x4_god", "no.png"],
            "issp upscale: x4_god: no such file, and no bundled network; "
            "expected a file or one of x4_good, x4_fast, ",
        ),
        (["prepare", "no", "new", "--scale=2"], "issp prepare: no: no such"),
        (["import", "no.pth", "m.keras"], "issp import: no.pth: no such file."),
        (
            ["compare", "--config=no", "--workdir=w"],
            "issp compare: --config: no",
        ),
        (
            [*_TRAIN, "--config.stepz=1"],
            "issp train: --config.stepz: no such entry of the config; did you "
            "mean --config.steps?",
        ),
        (
            [*_TRAIN, "--config.data.patchsize=1"],
            "issp train: --config.data.patchsize: no such entry of the config; "
            "did you mean --config.data.patch_size?",
        ),
        (
            [*_TRAIN, "--config.steps=many"],
            "issp train: --config.steps: is many, expected an integer.",
        ),
        (["completion", "tcsh"], "issp completion: tcsh: is not a known shell"),
    ],
)
def test_mistakes_get_one_line_before_anything_is_imported(
    words, message, tmp_path
):
    done = _call(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(message), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.imported == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["def get_config():", "    raise TypeError('a scale is whole')"],
            "is mine.py: TypeError: a scale is whole",
        ),
        (["def get_config(:"], "mine.py, line 1: "),
        (["\0"], "mine.py: source code "),
        (["hello"], "mine.py: name 'hello' is not defined"),
        (
            [
                "from ml_collections import ConfigDict",
                "def get_config():",
                "    return ConfigDict({'training': 1}).trainin",
            ],
            """mine.py: 'trainin'; Did you mean "training" instead of """
            '"trainin"?',
        ),
    ],
)
def test_a_mistake_in_a_config_file_is_told_in_one_line(
    lines, message, tmp_path
):
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = _call("compare", "--config=mine.py", "--workdir=w", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"issp compare: --config: {message}")
    assert done.stderr.count("\n") == 1


def test_a_tflite_network_needs_neither_keras_nor_tensorflow(model, tmp_path):
    export(model, tmp_path / "model.tflite")
    PIL.Image.new("RGB", (7, 5)).save(tmp_path / "photo.png")
    done = _call(
        *("upscale", "-m", "model.tflite", "-i", "photo.png", "-s", "2"),
        *("-o", "large.png"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Wrote large.png (14x10 pixels).\n"
    assert not {"jax", "keras", "matplotlib", "tensorflow"} & {*done.imported}
    done = _call(
        *("upscale", "-m", "model.tflite", "photo.png", "-s", "3"), cwd=tmp_path
    )
    assert done.stderr == (
        "issp upscale: --scale: is 3, but the network model.tflite magnifies "
        "2 times.\n"
    )


def test_a_terminal_shows_a_bar_and_a_line_and_a_file_the_line(model, tmp_path):
    export(model, tmp_path / "model.tflite")
    PIL.Image.new("RGB", (7, 5)).save(tmp_path / "photo.png")
    command = [sys.executable, "-m", "issp_keras.programs.issp", "upscale"]
    command += ["-m", "model.tflite", "photo.png"]
    terminal, end = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stdout=end, stderr=end):
        os.close(end)
        shown = _read_all(terminal)
    assert "\x1b[" in shown and "Photographs" in shown
    assert "Wrote photo_x2.png (14x10 pixels)." in shown
    # Messages of TFLite and other libraries are hidden.
    assert "INFO" not in shown and "delegate" not in shown
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "Wrote photo_x2.png (14x10 pixels).\n"
    assert done.stderr == ""


def _read_all(terminal):
    """The output in a terminal, until no process writes to it any more."""
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    return shown.decode()


@pytest.mark.versions
def test_networks_that_come_along_are_listed_and_used_by_name(tmp_path):
    networks = bundled_networks()
    done = _call("models", "--output=models.json", cwd=tmp_path)
    assert done.returncode == 0
    assert not {"keras", "tensorflow"} & {*done.imported}
    listed = json.loads((tmp_path / "models.json").read_text())
    for network, entry in zip(networks, listed, strict=True):
        assert entry["name"] == network.name
        assert f" {network.bytes / 1000:.0f} " in done.stdout
        assert entry["bytes"] == network.bytes
        for text in (network.name, f"x{network.scale}", network.licence):
            assert text in done.stdout
        model = load_model(network.keras)
        assert network_of(model, network.keras).scale == network.scale
        zeros, weights = count_zeros(model)
        assert (weights, weights - zeros) == (
            network.weights,
            network.non_zeros,
        )
    assert networks[0].name == DEFAULT
    PIL.Image.new("RGB", (7, 5)).save(tmp_path / "photo.png")
    for flag in (f"--model={DEFAULT}", f"-s={networks[0].scale}"):
        done = _call("upscale", flag, "photo.png", "-o", "o.png", cwd=tmp_path)
        assert done.stdout.startswith("Wrote o.png"), done.stderr
        assert not {"keras", "tensorflow"} & {*done.imported}
    done = _call("inspect", f"{DEFAULT}_int8", cwd=tmp_path)
    assert f"{networks[0].int8}: " in done.stdout, done.stderr
    done = _call("export", DEFAULT, cwd=tmp_path)
    assert done.stdout.startswith(f"Wrote {DEFAULT}_float32"), done.stderr
    done = _call("upscale", "-s", "9", "photo.png", cwd=tmp_path)
    assert done.stderr.startswith("issp upscale: --scale: is 9, but the netwo")


def test_choices_that_flags_repeat_are_those_of_the_library():
    assert ("best", *ranges.methods()) == RANGES
    assert tuple(tables.FORMATS) == benchmark.FORMATS


@pytest.mark.parametrize("module", ["issp_keras", "issp_keras.tflite"])
def test_a_package_shows_its_public_surface_and_imports_it_late(module):
    script = f"""
import sys, {module} as package
print(dir(package) == sorted(package.__all__))
print([name for name in {HEAVY} if name in sys.modules])
for name in package.__all__:
    getattr(package, name)
try:
    package.no_such_name
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "True",
        "[]",
        f"module '{module}' has no attribute 'no_such_name'",
    ]


def test_a_function_stays_what_its_package_offers_beside_its_module():
    script = """
import issp_keras.data.imresize
import issp_keras.summary.rows
from issp_keras import data
print(callable(data.imresize), callable(issp_keras.summary))
print(data.layouts.__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True True\nissp_keras.data.layouts\n"


def _with_issp(tmp_path):
    """An environment in which a shell finds `issp`."""
    (tmp_path / "issp").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m issp_keras.programs.issp "$@"\n'
    )
    (tmp_path / "issp").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "HOME": str(tmp_path)}


def _complete(words, tmp_path):
    """The completions that bash offers for the last of `words`."""
    script = f"""
source <(issp completion bash)
COMP_WORDS=({" ".join(words)})
COMP_CWORD={len(words) - 1}
compopt() {{ :; }}
_issp
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=_with_issp(tmp_path),
    )
    return done.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_and_flags(tmp_path):
    assert _complete(["issp", "comp"], tmp_path) == ["compare", "completion"]
    assert _complete(["issp", "upscale", "--self"], tmp_path) == [
        "--self_ensemble"
    ]
    assert _complete(["issp-train", "--conf"], tmp_path) == ["--config="]
    assert _complete(["issp", "upscale", "pho"], tmp_path) == []


def _after_tab(words, tmp_path):
    """What stands on the line of zsh after `words`, the Tab key and "x"."""
    # zsh completes only at a terminal. Ctrl-A and Ctrl-E go to the ends of
    # the line, which then prints itself.
    keys = f"{words}\tx\x01print -r - '<\x05>'\nexit\n"
    terminal, inner = pty.openpty()
    os.write(terminal, keys.encode())
    with subprocess.Popen(
        ["zsh", "-d", "-i", "-o", "emacs"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        cwd=tmp_path,
        env=_with_issp(tmp_path) | {"TERM": "dumb", "COLUMNS": "200"},
    ):
        os.close(inner)
        shown = b""
        # On Linux, reading fails when the shell has left.
        with contextlib.suppress(OSError):
            while part := os.read(terminal, 1 << 16):
                shown += part
    os.close(terminal)
    return re.findall(r"^<(.*)>\r$", shown.decode(), re.MULTILINE)


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("issp completi", "issp completion x"),
        ("issp upscale --self", "issp upscale --self_ensemble x"),
        ("issp upscale --mod", "issp upscale --model=x"),
        ("issp-train --conf", "issp-train --config=x"),
        ("issp upscale --model=pho", "issp upscale --model=photo.jpg x"),
        ("issp upscale pho", "issp upscale photo.jpg x"),
    ],
)
def test_zsh_completes_commands_flags_and_files(words, line, tmp_path):
    (tmp_path / "photo.jpg").touch()
    # The line that the guide names, and nothing else.
    (tmp_path / ".zshrc").write_text("source <(issp completion zsh)\n")
    assert _after_tab(words, tmp_path) == [line]


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish_completes_commands_and_flags(tmp_path):
    def complete(words):
        done = subprocess.run(
            [
                "fish",
                "--command",
                "issp completion fish | source; complete --do-complete "
                f"'{words}'",
            ],
            capture_output=True,
            text=True,
            check=True,
            env=_with_issp(tmp_path),
        )
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    assert complete("issp comp") == ["compare", "completion"]
    assert complete("issp upscale --mod") == ["--model="]
    assert complete("issp-train --conf") == ["--config="]


def test_other_shells_get_their_script():
    assert "compdef _issp issp" in _call("completion", "zsh").stdout
    assert "complete -c issp " in _call("completion", "fish").stdout


_INTERRUPTED = {
    "while it imports": "cli.load('interrupting')",
    "while it works": "interrupt()",
    "where C++ calls Python": "lose_it()",
    "before it writes what C++ made of it": "write_it()",
    # Python prints a traceback of such an error, and goes on.
    "while Python deletes an object": "delete_it()",
}


@pytest.mark.parametrize(
    ("number", "word"), [("SIGINT", "interrupted"), ("SIGTERM", "terminated")]
)
@pytest.mark.parametrize("when", _INTERRUPTED)
def test_an_interrupted_program_says_so_in_one_line(
    when, number, word, tmp_path
):
    (tmp_path / "interrupting.py").write_text(
        "import os, signal\n"
        "try:\n"
        f"    os.kill(os.getpid(), signal.{number})\n"
        "except BaseException:\n"
        "    raise ImportError('as C++ may make of it')\n"
    )
    script = f"""
import os, signal, sys
from issp_keras import files
from issp_keras.programs import cli
from issp_keras.programs import interrupts
sys.argv = ["issp train"]
interrupts.AGAIN_SECONDS = 0.01
def interrupt():
    os.kill(os.getpid(), signal.{number})
def lose_it():
    try:
        interrupt()
    except KeyboardInterrupt:
        pass
    signal.pause()
    print("lost")
class Deleted:
    def __del__(self):
        interrupt()
def delete_it():
    Deleted()
    signal.pause()
    print("lost")
def write_it():
    interrupts.AGAIN_SECONDS = 60
    try:
        interrupt()
    except KeyboardInterrupt:
        pass
    with files.replacing("file") as partial:
        partial.touch()
def main(argv):
    {_INTERRUPTED[when]}
cli.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        # A shell may have told this process to ignore it.
        preexec_fn=functools.partial(
            signal.signal, signal.SIGINT, signal.default_int_handler
        ),
    )
    assert done.returncode == 128 + signal.Signals[number]
    assert (done.stdout, done.stderr) == ("", f"issp train: {word}.\n")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [
        "interrupting.py"
    ]


_NOISE = """
import os, sys, warnings
from absl import logging
from issp_keras.programs import cli

OURS = os.path.join(os.path.dirname(cli.__file__), "made_up.py")

def main(argv):
    os.write(2, b"Created TensorFlow Lite XNNPACK delegate for CPU.\\n")
    logging.warning("from another package")
    warnings.warn("from another package")
    ours = "logging.warning('Ours: %d.', 1); warnings.warn('Ours: 2.')"
    exec(compile(ours, OURS, "exec"), globals())
    print("TF_CPP_MIN_LOG_LEVEL", os.environ["TF_CPP_MIN_LOG_LEVEL"])

sys.argv[0] = "issp train"
cli.run(main)
os.write(2, b"the end")
"""


def _noise(*flags):
    environment = {**os.environ}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, "-c", _NOISE, *flags],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )


def test_nothing_is_shown_that_is_not_ours():
    done = _noise()
    assert done.stderr == "issp train: Ours: 1.\nissp train: Ours: 2.\n"
    assert done.stdout == "TF_CPP_MIN_LOG_LEVEL 3\n"


def test_verbosity_shows_what_others_say():
    done = _noise("--verbosity=0")
    for text in ("XNNPACK", "UserWarning: from another", "] from another"):
        assert text in done.stderr
    assert done.stdout == "TF_CPP_MIN_LOG_LEVEL 0\n"
