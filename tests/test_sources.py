"""No source runs code that data could bring along."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FOLDERS = ("issp_keras", "tflite", "web")

# Names that run code, or read files that can contain code.
_CALLS = {"__import__", "compile", "eval", "exec", "execfile"}
_MODULES = {"code", "cloudpickle", "dill", "imp", "joblib", "marshal"}
_MODULES |= {"pickle", "pickletools", "runpy", "shelve", "yaml"}
# Names of attributes that do so, in any module.
_ATTRIBUTES = {
    "enable_unsafe_deserialization",
    "exec_module",
    "load_module",
    "popen",
    "system",
}
# Arguments that allow it.
_ARGUMENTS = {"allow_pickle", "safe_mode", "shell"}

# What is allowed, and why.
ALLOWED = {
    # It imports a module of this package when a name of it is first used.
    ("issp_keras/late.py", "exec_module"),
    # An argument of Keras: whether to load the optimizer too.
    ("issp_keras/models/keras_files.py", "compile"),
    # Its unpickler refuses all names but those of tensors.
    ("issp_keras/models/torch_weights/reader.py", "pickle"),
    # It lists the steps of a pickle, and does not run them.
    ("issp_keras/models/torch_weights/reader.py", "pickletools"),
    # It writes pickles.
    ("issp_keras/models/torch_weights/writer.py", "pickle"),
}


def _found(source):
    """Yields the forbidden names in a source."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names = {alias.name.split(".")[0] for alias in node.names}
                yield from names & _MODULES
            case ast.ImportFrom():
                yield from {(node.module or "").split(".")[0]} & _MODULES
            case ast.Name():
                yield from {node.id} & _CALLS
            case ast.Attribute():
                yield from {node.attr} & _ATTRIBUTES
            case ast.keyword():
                yield from {node.arg} & _ARGUMENTS


def _sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            # Tests of the delegate are not installed.
            if "/tests/" not in name and "node_modules" not in name:
                yield name, path.read_text()


def test_no_source_runs_code_of_data():
    found = {
        (name, what) for name, source in _sources() for what in _found(source)
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("from marshal import loads", "marshal"),
        ("run = eval", "eval"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("keras.models.load_model(path, safe_mode=False)", "safe_mode"),
        ("os.system(words)", "system"),
        ("subprocess.run(words, shell=True)", "shell"),
    ],
)
def test_forbidden_names_are_found(source, what):
    assert [*_found(source)] == [what]
