"""BUILD says what is in the tree, and who imports whom."""

import ast
import pathlib
import re
import sys

import pytest

from issp_keras.tflite.delegate import build

ROOT = pathlib.Path(__file__).parent.parent
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl_py",
    "skimage": "scikit_image",
}


def _evaluate(node):
    """The value of a Starlark expression made of lists, strings and globs."""
    if isinstance(node, ast.Call):
        assert node.func.id == "glob"
        (patterns,) = node.args
        excluded = [
            ast.literal_eval(keyword.value) for keyword in node.keywords
        ]
        return sorted(
            str(path.relative_to(ROOT))
            for pattern in ast.literal_eval(patterns)
            for path in ROOT.glob(pattern)
            if path.is_file()
            and not any(path.match(p) for of in excluded for p in of)
        )
    return ast.literal_eval(node)


def _targets():
    tree = ast.parse((ROOT / "BUILD").read_text())
    targets = {}
    for statement in tree.body:
        call = statement.value
        if isinstance(call, ast.Call) and call.func.id not in (
            "load",
            "package",
        ):
            rule = {k.arg: _evaluate(k.value) for k in call.keywords}
            targets[rule["name"]] = {"kind": call.func.id, **rule}
    return targets


TARGETS = _targets()
LIBRARIES = {k: v for k, v in TARGETS.items() if v["kind"] == "py_library"}
OWNER = {
    source: name for name, rule in LIBRARIES.items() for source in rule["srcs"]
}


def _file_of(module):
    """The source of a module of this project, as BUILD names it."""
    for path in (
        f"{module.replace('.', '/')}{end}" for end in (".py", "/__init__.py")
    ):
        if path in OWNER:
            return path
    return None


def _on_disk(source):
    """Where a source stands: BUILD copies tflite/ to issp_keras/tflite/."""
    return ROOT / re.sub("^issp_keras/tflite/", "tflite/", source)


def _imported_modules(source):
    for node in ast.walk(ast.parse(_on_disk(source).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if _file_of(submodule) else node.module


def _label(module, source):
    top = module.split(".")[0]
    if top in sys.stdlib_module_names:
        return None
    if (_on_disk(source).parent / f"{top}.py").exists():
        return None  # Beside it, as programs find it.
    if top in ("issp_keras", "configs"):
        return ":" + OWNER[_file_of(module)]
    name = DISTRIBUTIONS.get(top, top)
    return f"@pypi//{name}"


@pytest.mark.parametrize("name", sorted(LIBRARIES) + ["tests"])
def test_deps_are_the_imports_of_the_sources(name):
    rule = TARGETS[name]
    expected = {
        _label(module, source)
        for source in rule["srcs"]
        for module in _imported_modules(source)
    } - {None, f":{name}"}
    if name == "tests":
        # Programs that tests start as processes, not by import.
        expected |= {
            ":configs",
            ":import_checkpoint",
            ":prepare",
            ":upscale",
        }
    if name == "train":
        # Keras imports it when its callback is made.
        expected.add("@pypi//tensorboard")
    if name == "processes":
        # Keras meets other processes through it.
        expected.add("@pypi//jax")
    assert rule.get("deps", []) == sorted(expected)


def test_every_source_is_in_one_library_or_test():
    files = {
        str(path.relative_to(ROOT))
        for folder in ("benchmarks", "configs", "issp_keras", "tests", "tflite")
        for path in (ROOT / folder).rglob("*.py")
    }
    listed = [
        str(_on_disk(source).relative_to(ROOT))
        for name in [*LIBRARIES, "tests"]
        for source in TARGETS[name]["srcs"]
    ]
    assert sorted(listed) == sorted(files)


def test_tflite_is_copied_to_where_it_is_imported_from():
    rule = TARGETS["tflite_as_issp_keras"]
    assert rule["srcs"] == _evaluate(
        ast.parse('glob(["tflite/*.py", "tflite/*/*.py"])').body[0].value
    )
    assert rule["outs"] == [f"issp_keras/{source}" for source in rule["srcs"]]
    assert rule["outs"] == sorted(
        LIBRARIES["tflite"]["srcs"] + LIBRARIES["delegate"]["srcs"]
    )


def test_the_delegate_is_compiled_as_setup_py_does():
    rule = TARGETS[build.NAME]
    assert {*build.FLAGS, "-ldl"} == {
        *rule["copts"],
        *rule["linkopts"],
        # What a shared library has in any case.
        "-fPIC",
    }
    sources = [source for source in rule["srcs"] if source.endswith(".cc")]
    assert sources == [
        str(path.relative_to(ROOT)) for path in sorted(build.SOURCES)
    ]


def test_every_console_script_is_a_binary():
    scripts = dict(
        re.findall(
            r'"(issp-\w+) = ([\w.]+):run"', (ROOT / "setup.py").read_text()
        )
    )
    binaries = {
        name: rule
        for name, rule in TARGETS.items()
        if rule["kind"] == "py_binary"
    }
    assert len(scripts) == 9
    assert set(binaries) == set(scripts)
    for name, module in scripts.items():
        source = _file_of(module)
        assert binaries[name]["srcs"] == [source]
        assert binaries[name]["main"] == source
        assert binaries[name]["deps"] == [f":{OWNER[source]}"]


def test_the_lock_file_has_every_distribution_that_is_named():
    lock = (ROOT / "requirements_lock.txt").read_text()
    locked = {
        re.sub(r"[-_.]+", "_", name.lower())
        for name in re.findall(r"(?m)^([A-Za-z0-9_.-]+)==", lock)
    }
    named = {
        dep.removeprefix("@pypi//")
        for rule in TARGETS.values()
        for dep in rule.get("deps", [])
        if dep.startswith("@pypi//")
    }
    assert named <= locked


def test_the_least_versions_are_those_that_are_tested():
    setup = (ROOT / "setup.py").read_text()
    required = re.search(r"install_requires=\[(.*?)\n    \]", setup, re.DOTALL)
    least = re.findall(r'"([a-z-]+)>=([\d.]+)', required[1])
    tested = (ROOT / "requirements_lowest.txt").read_text().splitlines()[1:]
    assert [f"{name}=={version}" for name, version in least] == tested


def test_what_jax_needs_is_what_setup_py_says():
    setup = (ROOT / "setup.py").read_text()
    for line in (ROOT / "requirements_jax.txt").read_text().splitlines()[1:]:
        assert f'"{line}"' in setup


def test_versions_agree():
    version = re.search(
        r'__version__ = "(.+)"', (ROOT / "issp_keras/__init__.py").read_text()
    )[1]
    assert f'version = "{version}"' in (ROOT / "MODULE.bazel").read_text()
