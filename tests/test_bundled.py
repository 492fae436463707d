"""The networks that come with the package: their names, files and list."""

import hashlib
import pathlib

import pytest

import issp_keras
from issp_keras import files
from issp_keras.activation_ranges import trained_ranges
from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.inference import DEFAULT
from issp_keras.inference import bundled
from issp_keras.inference import bundled_networks
from issp_keras.inference import find_bundled
from issp_keras.inference import keras_path
from issp_keras.inference import load_network
from issp_keras.inference import name_for_scale
from issp_keras.inference import network_path
from issp_keras.models import load_model
from issp_keras.tflite import delegate

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(params=bundled_networks(), ids=lambda network: network.name)
def network(request):
    return request.param


def test_a_network_has_three_files(network):
    assert network.keras.suffix == ".keras"
    for path in (network.keras, network.tflite, network.int8):
        assert 10_000 < path.stat().st_size < 400_000


def test_the_files_are_those_that_were_scored(network):
    paths = (network.keras, network.tflite, network.int8)
    assert network.sha256 == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def test_a_name_is_that_of_a_tflite_file_if_it_can_be_run(network, monkeypatch):
    assert network_path(network.name) == network.tflite
    assert network_path(f"{network.name}_int8") == network.int8
    monkeypatch.setattr(bundled.importlib.util, "find_spec", lambda name: None)
    assert network_path(network.name) == network.keras


def test_keras_loads_the_keras_file(network):
    assert keras_path(network.name) == network.keras
    # It cannot load the form in full integers.
    assert keras_path(f"{network.name}_int8") == network.int8
    with pytest.raises(InputError, match=r"is a \.tflite file, but `export`"):
        issp_keras.load(f"{network.name}_int8").export()


def test_a_file_is_taken_before_a_network_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = pathlib.Path(DEFAULT)
    assert find_bundled(path).name == DEFAULT
    path.touch()
    assert find_bundled(path) is None
    assert network_path(DEFAULT) == keras_path(DEFAULT) == path


def test_the_first_network_of_a_scale_is_its_default():
    scales = {network.scale: network for network in bundled_networks()[::-1]}
    for scale, network in scales.items():
        assert name_for_scale(scale) == network.name
    assert name_for_scale(4) == DEFAULT
    with pytest.raises(ArgumentError, match="`scale`: is 7, but"):
        name_for_scale(7)


@pytest.mark.parametrize("is_compiled", [True, False])
def test_networks_use_the_sparse_delegate_if_it_is_compiled(
    is_compiled, monkeypatch
):
    monkeypatch.setattr(delegate, "is_compiled", lambda: is_compiled)
    for name in (DEFAULT, f"{DEFAULT}_int8"):
        network = load_network(name)
        found = network.apply.delegate
        assert (found is not None) == is_compiled
        if is_compiled:
            # It takes all of the network.
            assert len(delegate.report(found).parts) == 1
        assert load_network(name, delegate="none").apply.delegate is None
    # Networks of users have the delegate that they ask for.
    path = find_bundled(DEFAULT).tflite
    assert load_network(path).apply.delegate is None


def test_keras_files_have_the_ranges_of_their_training(network):
    model = load_model(network.keras)
    ranges = trained_ranges(model)
    assert len(ranges) > 20
    assert {*ranges} <= {layer.name for layer in model.layers}


def test_x4_networks_reach_their_goals():
    for precision in ("float32", "int8"):
        good, fast = (
            find_bundled(name).scores[precision]
            for name in ("x4_good", "x4_fast")
        )
        assert good["Set5"]["psnr"] >= 31.3
        assert good["Set14"]["psnr"] >= 28.0
        assert fast["Set5"]["psnr"] >= 30.9
    figures = files.read_json(ROOT / "benchmarks" / "frontier_cpu.json")
    rows = {row["name"]: row["forms"] for row in figures["networks"]}

    def ms(name, precision, runtime):
        size = rows[name][precision]["sizes"]["160x90"]
        return size["ms"]["1"][runtime]

    rival = ms("ecbsr_m4c16, dense", "float32", "XNNPACK")
    assert ms("x4_fast", "int8", "delegate") < rival / 3


def test_the_documentation_has_their_figures(network):
    page = (ROOT / "docs/guides/bundled.md").read_text()
    # Another table has their times.
    (cells,) = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith(f"| `{network.name}` | `")
    ]
    scores = network.scores
    assert cells == [
        f"`{network.name}`",
        f"`{network.architecture}`",
        f"{network.zeros:.0%}",
        f"{network.non_zeros:,}",
        *(
            f"{scores[precision][name]['psnr']:.2f}"
            for precision in ("float32", "int8")
            for name in ("Set5", "Set14", "Kodak24")
        ),
        f"{network.tflite.stat().st_size / 1000:.0f} kB",
        f"{network.int8.stat().st_size / 1000:.0f} kB",
        f"{network.steps:,}",
    ]
