"""Reports for a browser: their flags, and the facts about the run."""

import datetime
import importlib.metadata
import platform
import shlex
import sys
from typing import TYPE_CHECKING

from absl import flags

import issp_keras
from issp_keras import host
from issp_keras.errors import naming
from issp_keras.inference import network_path
from issp_keras.programs import interrupts
from issp_keras.report.page import check_path

if TYPE_CHECKING:
    from issp_keras import report

_DISTRIBUTIONS = {
    "TensorFlow": "tensorflow",
    "JAX": "jax",
    "LiteRT": "ai-edge-litert",
    "NumPy": "numpy",
}


def define_report_flag(content: str):
    """Defines `--report`. The help text names the `content` of the page."""
    flags.DEFINE_string(
        "report",
        None,
        f"HTML file to write with {content}, for any browser.",
    )


class _SwitchOrPage(flags.ArgumentParser):
    """Accepts a Boolean, or the name of an HTML file."""

    def parse(self, argument):
        try:
            return flags.BooleanParser().parse(argument)
        except ValueError:
            return argument


def define_compare_flag():
    """Defines `--compare`, `--compare=FILE` and `--nocompare`."""
    flags.DEFINE_flag(
        flags.Flag(
            _SwitchOrPage(),
            None,
            "compare",
            False,
            "Also write a side-by-side picture of each photograph. "
            "--compare=page.html instead writes one HTML page for any browser "
            "with a slider for each photograph.",
            boolean=True,
        )
    )


def check_page(flag: str, path: str | None):
    """Checks that a page can be written, before anything is computed.

    Args:
        flag: String, the flag that names the page.
        path: String, path of the page, or None for no page.

    Raises:
        InputError: If it cannot be written.
    """
    if path is not None:
        with naming(f"--{flag}"):
            check_path(path)


def write_page(path: str, page: "report.Page"):
    """Writes a page, and prints its path."""
    page.write(path)
    print(f"Wrote {path}.")


def facts(threads: str) -> list[tuple[str, str]]:
    """Returns facts about this run and this machine, for a page.

    Args:
        threads: String, the number of threads.
    """
    # Some programs with a page do not need Keras, such as `issp upscale`.
    versions = {}
    if keras := sys.modules.get("keras"):
        backend = keras.backend.backend()
        versions["Keras"] = f"{keras.__version__} on {backend}"
    machine = host.describe()
    now = datetime.datetime.now(datetime.UTC)
    return [
        ("Command", _command()),
        ("Finished", f"{now:%Y-%m-%d %H:%M:%S} UTC"),
        ("Processor", f"{machine['model']}, {machine['cores']} cores"),
        ("Threads", threads),
        ("System", str(machine["system"])),
        ("issp_keras", issp_keras.__version__),
        *versions.items(),
        *_versions(),
        ("Python", platform.python_version()),
    ]


def network_threads(model: str, threads: int) -> str:
    """Returns the number of threads that apply a network, for `facts`."""
    if network_path(model).suffix.lower() == ".tflite":
        return str(threads)
    import keras

    return f"as many as {keras.backend.backend()} takes"


def _command():
    return f"{interrupts.name()} {shlex.join(sys.argv[1:])}"


def _versions():
    for name, distribution in _DISTRIBUTIONS.items():
        try:
            yield name, importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
