"""The demo page that upscales photographs: a single HTML file."""

import base64
import gzip
import hashlib
import json
import pathlib
import re

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.files import StrPath
from issp_keras.web import compiler
from issp_keras.web import engine

_PAGE = compiler.WEB / "page"
# A page names its version within this many characters.
_HEAD = 2048
_IMPORT = re.compile(r'^import (?:(\{[^}]*\}) from )?"(.*?)";$', re.MULTILINE)


def build_page(
    output: StrPath,
    networks: dict[str, StrPath],
    wasm: dict[str, pathlib.Path],
    version: str = "",
) -> pathlib.Path:
    """Writes the demo page, which needs no other file and no internet access.

    Args:
        output: Path of the HTML file.
        networks: Dict of the paths of `.tflite` files by the names that
            visitors choose from. The first one is the default.
        wasm: Dict of the paths of the engine by kind, as `build_wasm` returns
            it.
        version: String that the page stores, and `version_of` returns.

    Returns:
        The path.

    Raises:
        InputError: If `networks` is empty, a file is not a `.tflite` file, or
            the page cannot be written.
    """
    if not networks:
        raise InputError(
            "`networks` is empty, expected at least one network for the page"
        )
    data = {
        "wasm": {kind: _packed(path) for kind, path in wasm.items()},
        "networks": [
            {"name": name, "bytes": _packed(_network(path))}
            for name, path in networks.items()
        ],
        "workers": {
            "engine": _script("worker.js"),
            "png": _script("png_worker.js"),
        },
    }
    style = (_PAGE / "demo.css").read_text()
    script = _script("demo.js")
    parts = {
        "version": version,
        "policy": _policy(style, script),
        "style": style,
        # "</script>" in a text would end the script element.
        "data": json.dumps(data).replace("</", "<\\/"),
        "script": script,
    }
    page = (_PAGE / "demo.html").read_text()
    page = re.sub(r"/\* (\w+) \*/", lambda found: parts[found[1]], page)
    output = pathlib.Path(output)
    with files.replacing(output) as partial:
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page)
    return output


def version_of(path) -> str | None:
    """The version of a page, or None if there is no page."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    found = re.search(r'name="generator" content="issp_keras ([^"]*)"', head)
    return found[1] if found else None


def sources_version(networks) -> str:
    """A hash of the sources and networks of a page.

    Args:
        networks: Dict of the paths of its networks by the names that visitors
            see.

    Raises:
        InputError: If a network cannot be read.
    """
    sources = [*_PAGE.iterdir(), *(compiler.WEB / "src").iterdir()]
    sources += compiler.WEB.glob("*.py")
    parts = [engine.version(), compiler.hash_of(sorted(sources))]
    for name, path in networks.items():
        with blame(f"{path}: cannot be read", OSError):
            parts += [name, compiler.hash_of([path])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _network(path):
    path = pathlib.Path(path)
    with blame(f"{path}: cannot be read", OSError), path.open("rb") as file:
        head = file.read(8)
    if head[4:] != b"TFL3":
        raise InputError(f"{path}: expected a .tflite file")
    return path


def _packed(path):
    """A file in gzip and base64, as the page stores it."""
    data = pathlib.Path(path).read_bytes()
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _script(name):
    """A module of the page, after the modules that it imports, as one script.

    Browsers let a page that is opened from disk load no modules.
    """
    names: dict[pathlib.Path, str] = {}
    texts = []

    def add(path):
        if path in names:
            return names[path]
        text = _IMPORT.sub(
            lambda found: (
                f"const {found[1] or '{}'} = "
                f"{add((path.parent / found[2]).resolve())};"
            ),
            path.read_text(),
        )
        exported = re.findall(r"^export (?:async )?\w+ (\w+)", text, re.M)
        exported += re.findall(r"^export \{(.*)\};$", text, re.M)
        text = re.sub(r"^export \{.*\};\n", "", text, flags=re.M)
        text = re.sub(r"^export ", "", text, flags=re.M)
        names[path] = f"module{len(names)}"
        end = f"return {{ {', '.join(exported)} }};"
        texts.append(f"const {names[path]} = (() => {{\n{text}{end}\n}})();\n")
        return names[path]

    add(_PAGE / name)
    return "".join(texts)


def _policy(style, script):
    """The content security policy: only this style and this script run."""
    style, script = (
        base64.b64encode(hashlib.sha256(of.encode()).digest()).decode()
        for of in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; "
        f"script-src 'sha256-{script}' 'wasm-unsafe-eval' blob:; "
        "worker-src blob:; img-src blob: data:; base-uri 'none'; "
        "form-action 'none'"
    )
