"""BUILD lists the files and imports of each package correctly."""

import ast
import functools
import graphlib
import pathlib
import re
import sys

import pytest
from loading import setup_arguments

from issp_keras.extras import EXTRAS
from issp_keras.tflite.delegate import build

ROOT = pathlib.Path(__file__).parent.parent
# All folders with Python files.
FOLDERS = ("benchmarks", "configs", "issp_keras", "tests", "tflite", "web")
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl_py",
    "skimage": "scikit_image",
}

# What each target may import: the arrows in the documents.
MAY_IMPORT = {
    "base": (),
    "activation_ranges": (),
    "keras_internals": (),
    "sparsity": ("base",),
    "callbacks": ("activation_ranges", "base", "keras_internals", "sparsity"),
    "metrics": ("base",),
    "models": ("activation_ranges", "base"),
    "data": ("base",),
    "delegate": ("base", "flatbuffer"),
    "flatbuffer": ("base",),
    "inference": ("base", "data", "delegate", "flatbuffer", "models"),
    "report": ("base",),
    "scores": ("base", "data", "inference", "metrics"),
    "summary": ("base", "callbacks"),
    "training": ("base", "data", "inference"),
    "issp_keras": (
        "base",
        "callbacks",
        "models",
        "network",
        "sparsity",
        "summary",
    ),
    "data_tfds": ("base", "data"),
    "tflite": (
        "activation_ranges",
        "base",
        "data",
        "delegate",
        "flatbuffer",
        "inference",
        "keras_internals",
        "metrics",
        "models",
        "scores",
    ),
    "network": (
        "base",
        "data",
        "inference",
        "metrics",
        "models",
        "scores",
        "tflite",
    ),
    "configs": ("base",),
    "web": ("base", "inference", "models", "tflite"),
}
# Only tests and benchmarks import these.
NOBODY_IMPORTS = ("benchmarks", "programs")


def _rules():
    """The rules of BUILD, which is valid Python, by their names."""
    rules = {}

    def rule(kind, **attributes):
        rules[attributes["name"]] = {"kind": kind, **attributes}

    kinds = ["cc_binary", "genrule", "py_binary", "py_library", "py_test"]
    names = {kind: functools.partial(rule, kind) for kind in kinds}
    names |= {"glob": _glob, "load": lambda *_: None, "package": dict}
    exec((ROOT / "BUILD").read_text(), names)
    return rules


def _glob(patterns, exclude=()):
    excluded = _glob(exclude) if exclude else []
    return sorted(
        source
        for pattern in patterns
        for path in ROOT.glob(pattern + ("/*" if pattern[-2:] == "**" else ""))
        if path.is_file()
        and (source := str(path.relative_to(ROOT))) not in excluded
    )


TARGETS = _rules()
LIBRARIES = {k: v for k, v in TARGETS.items() if v["kind"] == "py_library"}
OWNER = {
    source: name for name, rule in LIBRARIES.items() for source in rule["srcs"]
}
# Sources by the paths below issp_keras/ under which Python imports them.
COPIES = dict(
    zip(TARGETS["copies"]["outs"], TARGETS["copies"]["srcs"], strict=True)
)


def _file_of(module):
    """The source of a module of this project, as BUILD names it."""
    for path in (
        f"{module.replace('.', '/')}{end}" for end in (".py", "/__init__.py")
    ):
        if path in OWNER:
            return path
    return None


def _on_disk(source):
    return ROOT / COPIES.get(source, source)


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
        return None  # A program finds modules in its own folder.
    if top == "issp_keras":
        return ":" + OWNER[_file_of(module)]
    name = DISTRIBUTIONS.get(top, top)
    return f"@pypi//{name}"


def expected_deps(name):
    """What the sources of a target import, as labels."""
    deps = {
        _label(module, source)
        for source in TARGETS[name]["srcs"]
        for module in _imported_modules(source)
    } - {None, f":{name}"}
    if name == "tests":
        # Tests start programs, which read configs.
        deps |= {":configs", ":programs"}
    if name == "programs":
        # They read configs. Keras imports tensorboard for its callback, and
        # several processes need JAX.
        deps |= {":configs", "@pypi//jax", "@pypi//tensorboard"}
    return sorted(deps)


@pytest.mark.parametrize("name", [*LIBRARIES, "tests"])
def test_deps_are_the_imports_of_the_sources(name):
    assert TARGETS[name].get("deps", []) == expected_deps(name)


@pytest.mark.parametrize("name", sorted(set(LIBRARIES) - {*NOBODY_IMPORTS}))
def test_arrows_go_one_way(name):
    for source in LIBRARIES[name]["srcs"]:
        for module in _imported_modules(source):
            label = _label(module, source) or ""
            imported = label.removeprefix(":")
            assert (
                not label.startswith(":")
                or imported == name
                or imported in MAY_IMPORT[name]
            ), f"{source} of {name} must not import {module} of {imported}"


def test_commands_of_tflite_know_only_the_shell_of_the_programs():
    allowed = ("issp_keras.programs.cli", "issp_keras.programs.commands.")
    sources = [
        source
        for source in LIBRARIES["programs"]["srcs"]
        if source.startswith("issp_keras/tflite/programs/")
    ]
    assert sources
    for source in sources:
        for module in _imported_modules(source):
            assert not module.startswith("issp_keras.programs") or (
                module.startswith(allowed)
            ), f"{source} must not import {module}"


def test_no_arrow_leads_back():
    # Raises CycleError otherwise.
    order = list(graphlib.TopologicalSorter(MAY_IMPORT).static_order())
    assert {*order} == {*LIBRARIES} - {*NOBODY_IMPORTS}


def test_every_source_is_in_one_library_or_test():
    files = {
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    listed = [
        str(_on_disk(source).relative_to(ROOT))
        for name in [*LIBRARIES, "tests"]
        for source in TARGETS[name]["srcs"]
    ]
    assert sorted(listed) == sorted(files)


def test_the_delegate_is_compiled_as_setup_py_does():
    rule = TARGETS[build.NAME]
    assert {*build.FLAGS, "-ldl"} == {
        *rule["copts"],
        *rule["linkopts"],
        # Bazel adds it to every shared library.
        "-fPIC",
    }
    sources = [source for source in rule["srcs"] if source.endswith(".cc")]
    assert sources == [
        str(path.relative_to(ROOT)) for path in sorted(build.SOURCES)
    ]


def test_every_console_script_is_a_binary():
    scripts = dict(
        re.findall(
            r'"(issp(?:-\w+)?) = ([\w.]+):run"', (ROOT / "setup.py").read_text()
        )
    )
    binaries = {
        name: rule
        for name, rule in TARGETS.items()
        if rule["kind"] == "py_binary"
    }
    assert len(scripts) == 11
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
    extras = setup_arguments()["extras_require"]
    required = [*setup_arguments()["install_requires"], *extras["all"]]
    least = re.findall(r"([a-z-]+)>=([\d.]+)", "\n".join(required))
    tested = (ROOT / "requirements_lowest.txt").read_text().splitlines()[1:]
    assert {f"{name}=={version}" for name, version in least} == {*tested}


def test_one_extra_has_what_those_of_tensorflow_have():
    extras = setup_arguments()["extras_require"]
    together = {*extras["tensorflow"], *extras["sr"], *extras["edge"]}
    assert {*extras["all"]} == together


def test_every_package_is_named_with_an_extra_that_has_it():
    extras = setup_arguments()["extras_require"]
    base = "\n".join(setup_arguments()["install_requires"])
    for module, (_, extra) in EXTRAS.items():
        name = DISTRIBUTIONS.get(module, module).replace("_", "-")
        assert any(each.startswith(f"{name}>=") for each in extras[extra])
        assert f"{name}>=" not in base


def test_what_one_callback_needs_is_little():
    names = [
        re.match("[a-z-]+", of)[0]
        for of in setup_arguments()["install_requires"]
    ]
    # Keras depends on all of these too.
    assert names == ["absl-py", "keras", "ml-dtypes", "numpy", "rich"]


def test_what_jax_needs_is_what_setup_py_says():
    setup = (ROOT / "setup.py").read_text()
    for line in (ROOT / "requirements_jax.txt").read_text().splitlines()[1:]:
        assert f'"{line}"' in setup


def test_versions_agree():
    version = re.search(
        r'__version__ = "(.+)"', (ROOT / "issp_keras/version.py").read_text()
    )[1]
    assert f'version = "{version}"' in (ROOT / "MODULE.bazel").read_text()
