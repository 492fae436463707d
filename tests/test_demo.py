"""`issp-demo`, and the page that it finds or builds."""

import importlib.util
import pathlib

import pytest
from absl import flags

from issp_keras.errors import InputError
from issp_keras.inference import bundled_networks
from issp_keras.inference import find_bundled
from issp_keras.programs import demo as program
from issp_keras.web import demo
from issp_keras.web import engine
from issp_keras.web import page

NETWORK = b"\x1c\0\0\0TFL3" + bytes(8)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The folders of requested WebAssembly builds. Nothing is compiled."""
    folders = []

    def build_wasm(folder):
        folders.append(folder)
        path = pathlib.Path(folder) / "issp_simd.wasm"
        path.write_bytes(b"wasm")
        return {"simd": path}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "_PACKAGED", tmp_path / "packaged.html")
    monkeypatch.setattr(engine, "build_wasm", build_wasm)
    return folders


@pytest.fixture
def networks(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(NETWORK)
    return {"Mine": str(path)}


def test_a_page_is_made_once(made, networks):
    assert demo.find_demo(networks) is None
    path = demo.make_demo(networks)
    assert demo.find_demo(networks) == path
    assert len(made) == 1


def test_another_network_is_another_page(made, networks):
    path = demo.make_demo(networks)
    pathlib.Path(networks["Mine"]).write_bytes(NETWORK + b"more")
    assert demo.find_demo(networks) is None
    assert demo.make_demo(networks) != path


def test_another_name_is_another_page(made, networks):
    path = demo.make_demo(networks)
    (network,) = networks.values()
    assert demo.find_demo({"Yours": network}) is None
    renamed = demo.make_demo({"Yours": network})
    assert renamed != path
    assert "Yours" in renamed.read_text()


def test_a_packaged_page_is_taken_if_it_is_of_these_sources(made):
    demo.write_demo(demo._PACKAGED)
    assert demo.find_demo() == demo._PACKAGED
    text = demo._PACKAGED.read_text()
    assert all(network.label in text for network in bundled_networks())
    version = page.version_of(demo._PACKAGED)
    demo._PACKAGED.write_text(text.replace(version, "older"))
    assert demo.find_demo() is None


def test_a_page_that_fails_leaves_the_older_one(made, networks, tmp_path):
    path = tmp_path / "demo.html"
    path.write_text("older")
    with pytest.raises(InputError, match=r"no.tflite: cannot be read"):
        demo.write_demo(path, {"None": tmp_path / "no.tflite"})
    assert path.read_text() == "older"


def run(monkeypatch, opens=True, **values):
    """Runs the program, and returns the addresses that it opened."""
    opened = []

    def open_page(address):
        opened.append(address)
        return opens

    values = {"network": [], "output": None, "open": True, **values}
    monkeypatch.setattr(program.webbrowser, "open", open_page)
    given = type("Flags", (), values)
    monkeypatch.setattr(flags, "FLAGS", given)
    program.main(["issp-demo"])
    return opened


def test_opens_the_page(made, networks, monkeypatch, capsys):
    network = [f"Mine={networks['Mine']}"]
    (address,) = run(monkeypatch, network=network)
    assert address == demo.find_demo(networks).as_uri()
    assert "Compiling" in capsys.readouterr().out
    assert run(monkeypatch, network=network) == [address]
    assert "Compiling" not in capsys.readouterr().out


def test_writes_the_page(made, networks, monkeypatch, tmp_path):
    network = [f"Mine={networks['Mine']}"]
    output = tmp_path / "page.html"
    opened = run(monkeypatch, network=network, output=str(output), open=False)
    assert opened == []
    assert page.version_of(output) == page.sources_version(networks)


def test_without_a_browser_the_file_is_named(made, networks, monkeypatch):
    network = [f"Mine={networks['Mine']}"]
    with pytest.raises(
        InputError, match=r"no browser: open .*\.html in a browser"
    ):
        run(monkeypatch, opens=False, network=network)


def test_a_page_that_is_written_needs_no_browser(
    made, networks, monkeypatch, tmp_path, capsys
):
    network = [f"Mine={networks['Mine']}"]
    output = tmp_path / "new" / "page.html"
    run(monkeypatch, opens=False, network=network, output=str(output))
    assert page.version_of(output) == page.sources_version(networks)
    assert "found no browser: open " in capsys.readouterr().out


def test_a_network_may_be_a_bundled_one(made, monkeypatch, tmp_path):
    output = tmp_path / "page.html"
    # The page needs no LiteRT.
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    given = {"network": ["Fast=x4_fast"], "output": str(output), "open": False}
    run(monkeypatch, **given)
    path = find_bundled("x4_fast").tflite
    assert page.version_of(output) == page.sources_version({"Fast": path})


@pytest.mark.parametrize(
    ("values", "words"),
    {
        "file": ({"network": ["a=/no/such.tflite"]}, "expected NAME=PATH"),
        "name": ({"network": ["/no/such.tflite"]}, "expected NAME=PATH"),
        "page": ({"output": "page.htm"}, r"expected a file ending in \.html"),
        "place": (
            {"output": f"{__file__}/page.html"},
            "--output: .*test_demo.py: is not a folder that can be written to",
        ),
        "photograph": ({"network": [f"a={__file__}"]}, "expected NAME=PATH"),
        "empty": ({"network": ["a="]}, "^--network=a=: expected NAME=PATH"),
        "bundled": (
            {"network": ["a=x9_fast"]},
            "--network=a=x9_fast: x9_fast: no such file, and no bundled",
        ),
    }.values(),
    ids=["file", "name", "page", "place", "photograph", "empty", "bundled"],
)
def test_what_cannot_be_done_is_a_sentence(made, monkeypatch, values, words):
    with pytest.raises(InputError, match=words):
        run(monkeypatch, **values)
    assert made == []


def test_a_name_is_given_once(made, networks, monkeypatch):
    network = [f"Mine={networks['Mine']}"] * 2
    with pytest.raises(InputError, match="Mine is given twice"):
        run(monkeypatch, network=network)
