"""The demo page. It is built when it is first needed."""

import pathlib
import tempfile

from issp_keras import files
from issp_keras.files import StrPath
from issp_keras.inference import bundled_networks
from issp_keras.web import compiler
from issp_keras.web import engine
from issp_keras.web import page

# `make web` writes it. A wheel that is built then contains it.
DIST = compiler.WEB / "dist"
_PACKAGED = DIST / "demo.html"


def find_demo(
    networks: dict[str, StrPath] | None = None,
) -> pathlib.Path | None:
    """Finds a demo page that was made from the current sources.

    Args:
        networks: Dict of the paths of `.tflite` files by the names that
            visitors choose from. Defaults to the networks of the package.

    Returns:
        The path of the HTML file, in `web/dist` or in the user's cache, or
        None.
    """
    version = _version(networks)
    found = [_cached(version)] if networks else [_PACKAGED, _cached(version)]
    return next((at for at in found if page.version_of(at) == version), None)


def make_demo(networks: dict[str, StrPath] | None = None) -> pathlib.Path:
    """Makes the demo page in the user's cache.

    Args:
        networks: As in `find_demo`.

    Returns:
        The path of the HTML file.

    Raises:
        InputError: If there is no `ziglang`, or a network cannot be read.
    """
    path = _cached(_version(networks))
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_demo(path, networks)


def write_demo(output, networks=None, wasm=None) -> pathlib.Path:
    """Writes the demo page.

    Args:
        output: Path of the HTML file.
        networks: As in `find_demo`.
        wasm: Dict of the paths of the engine by kind. Defaults to an engine
            that is compiled now.

    Returns:
        The path.

    Raises:
        InputError: If there is no `ziglang`, a network cannot be read, or the
            page cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        wasm = wasm or engine.build_wasm(folder)
        networks = networks or _bundled()
        return page.build_page(output, networks, wasm, _version(networks))


def _version(networks):
    return page.sources_version(networks or _bundled())


def _bundled():
    return {of.label: of.tflite for of in bundled_networks()}


def _cached(version):
    return files.cache_folder() / "web" / f"demo-{version}.html"
