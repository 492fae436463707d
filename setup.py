"""Packages issp_keras; tool settings are in pyproject.toml."""

import importlib.util
import os
import pathlib
import re
import shutil

from setuptools import Extension
from setuptools import find_packages
from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

_ROOT = pathlib.Path(__file__).parent
_DELEGATE = "issp_keras.tflite.delegate"
_VERSION = (_ROOT / "issp_keras" / "version.py").read_text()
# `.ci/run` passes the tests with the newest versions below these bounds. The
# bound is the next minor version of a package if it begins with 0, or if we use
# its private parts or its files. Otherwise it is the next major version.
_JAX = ["jax>=0.10,<0.11"]
# Keras needs one of these two, or another backend.
_TENSORFLOW = [
    # It has no bound, since it gets a new major version every few weeks.
    # tfmot 0.8 imports distutils, which Python 3.12 took out and setuptools
    # puts back.
    'setuptools; python_version >= "3.12"',
    "tensorboard>=2.20.0,<2.22",
    "tensorflow>=2.20.0,<2.22",
    "tensorflow-model-optimization>=0.8.1,<0.9",
]
# Photographs, data sets, and the configs of trainings.
_SR = [
    # TensorFlow Datasets 4.9.10 imports it, and does not say so.
    "importlib-resources>=6.0.0,<8",
    "ml-collections>=1.0.0,<2",
    "pillow>=11.0.0,<14",
    "scikit-image>=0.25.0,<0.27",
    "tensorflow-datasets>=4.9.10,<5",
    "tifffile>=2024.8.30,<2027",
]
# `.tflite` files.
_EDGE = [
    "ai-edge-litert>=2.1.6,<2.4",
    "flatbuffers>=24.3.25,<26",
    # Older ones call what pyparsing 3.3 warns of.
    "matplotlib>=3.10.8,<4",
    "pillow>=11.0.0,<14",
]
_TEST = [
    # Several processes train on JAX alone.
    *_JAX,
    # TensorFlow Datasets tests its data sets with it.
    "dill>=0.3,<0.5",
    "hypothesis>=6.100,<7",
    "mypy>=1.15,<3",
    "pytest>=8,<10",
    # The tests take one core each; two processes halve their time.
    "pytest-xdist>=3.6,<4",
    "ruff>=0.12,<0.18",
]


def _load_builder():
    path = _ROOT / "tflite" / "delegate" / "build.py"
    spec = importlib.util.spec_from_file_location("delegate_build", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_builder = _load_builder()
_COMPILED = _ROOT / "tflite" / "delegate" / _builder.NAME


class BuildDelegate(build_ext):
    """Compiles the sparse delegate, which is no module of Python."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")[:-1], _builder.NAME)

    def build_extension(self, ext):
        output = pathlib.Path(self.get_ext_fullpath(ext.name))
        # An earlier install from this checkout has compiled it. A wheel may be
        # for another processor, and is compiled in any case.
        if self.editable_mode and _builder.is_current(_COMPILED):
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_COMPILED, output)
            return
        try:
            _builder.build(output)
        except _builder.BuildError as error:
            # The package works without it, and says so where it is asked for.
            raise CompileError(str(error)) from error


class TagWheel(bdist_wheel):
    """Says that the delegate depends on the machine, and not on Python."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    name="issp-keras",
    version=re.search(r'__version__ = "(.+)"', _VERSION)[1],
    description="Sparse super-resolution for the edge, with Keras 3",
    long_description=(_ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["issp_keras*"]),
        "issp_keras.configs",
        "issp_keras.tflite",
        "issp_keras.web",
        *(f"issp_keras.tflite.{name}" for name in find_packages("tflite")),
    ],
    package_dir={
        "issp_keras.configs": "configs",
        "issp_keras.tflite": "tflite",
        "issp_keras.web": "web",
    },
    ext_modules=[
        Extension(
            f"{_DELEGATE}.library_file",
            [str(path.relative_to(_ROOT)) for path in _builder.SOURCES],
            include_dirs=[str(of) for of in _builder.FOLDERS],
            optional=True,
        )
    ],
    cmdclass={"bdist_wheel": TagWheel, "build_ext": BuildDelegate},
    package_data={
        # Type checkers look for it.
        "issp_keras": ["py.typed"],
        _DELEGATE: [
            "README.md",
            "CMakeLists.txt",
            *(f"{of}/*" for of in ("cmake", "engine", "plugin", "src")),
            # CMakeLists.txt has a target for them.
            "engine/examples/*",
        ],
        "issp_keras.data.tfds": ["*/*.bib", "*/*.md", "*/*.tsv", "*/*.txt"],
        "issp_keras.inference": ["networks/*"],
        "issp_keras.report": ["*.css", "*.js"],
        # A page that was built before comes along.
        "issp_keras.web": ["abort.cc", "page/*", "src/*", "dist/demo.html"],
    },
    # What one callback needs. `make test-lowest` passes the tests with the
    # least of these versions, and of those of the extra `all`.
    install_requires=[
        "absl-py>=1.4.0,<3",
        "keras>=3.12.0,<3.16",
        "ml-dtypes>=0.5.1,<0.7",
        "numpy>=2.0.2,<3",
        # Keras brings it along.
        "rich>=13.0.0,<16",
    ],
    # `issp_keras/extras.py` names one of the first four if its package is
    # missing.
    extras_require={
        "tensorflow": _TENSORFLOW,
        "jax": _JAX,
        "sr": _SR,
        "edge": _EDGE,
        # JAX is another backend than TensorFlow, and the rest are compilers
        # and tools.
        "all": sorted({*_TENSORFLOW, *_SR, *_EDGE}),
        # A compiler for the sparse delegate, where the machine has none.
        "delegate": ["ziglang>=0.13,<0.18"],
        # The site.
        "docs": ["mkdocs-material>=9.6,<10", "mkdocstrings[python]>=0.29,<2"],
        # The fuzzer of Python code. Other machines would have to compile it.
        "fuzz": [
            "atheris>=3.0.0,<4; sys_platform == 'linux' and "
            "platform_machine == 'x86_64' and python_version < '3.15'"
        ],
        "test": _TEST,
        # A compiler for WebAssembly.
        "web": ["ziglang>=0.17,<0.18"],
    },
    entry_points={
        "console_scripts": [
            "issp = issp_keras.programs.issp:run",
            # Older names of its commands.
            "issp-benchmark = issp_keras.programs.issp:run",
            "issp-compare = issp_keras.programs.issp:run",
            "issp-demo = issp_keras.programs.issp:run",
            "issp-evaluate = issp_keras.programs.issp:run",
            "issp-export = issp_keras.programs.issp:run",
            "issp-import = issp_keras.programs.issp:run",
            "issp-inspect = issp_keras.programs.issp:run",
            "issp-prepare = issp_keras.programs.issp:run",
            "issp-train = issp_keras.programs.issp:run",
            "issp-upscale = issp_keras.programs.issp:run",
        ]
    },
)
