import json
import pathlib
import statistics
import subprocess
import sys

import numpy as np
import pytest
from loading import load_benchmark

from issp_keras import models

pytestmark = pytest.mark.long

BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The output of each benchmark. All run at the same time."""
    folder = tmp_path_factory.mktemp("figures")
    flags = {
        "sparse_training": [
            "--only=overhead",
            "--only=precision",
            "--features=1",
            "--blocks=1",
            "--batch=1",
        ],
        "networks": ["--quick"],
        "data": ["--photographs=1", "--batches=2"],
        "startup": [],
        "delegate": [
            "--quick",
            "--only=roofline",
            "--only=edsr",
            "--only=int8",
            "--only=engine",
            "--only=rcan",
            "--sizes=24x16",
            "--zeros=90",
        ],
        "ordinary": [
            "--quick",
            "--networks=MobileNet",
            "--sizes=32",
            "--zeros=90",
        ],
    }
    running = [
        subprocess.Popen(
            [
                *(sys.executable, BENCHMARKS / f"{name}.py", *of),
                *("--repeats=1", f"--output={folder / name}.json"),
            ]
        )
        for name, of in flags.items()
    ]
    assert [process.wait() for process in running] == [0] * len(running)
    return {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in flags
    }


def test_the_benchmark_of_sparse_training_compares_all_peers(figures):
    step = figures["sparse_training"]["overhead"]
    assert set(step) == {
        "dense",
        "ISS-P",
        "ISS-P, port that sorts in numpy",
        "tf_keras, dense",
        "tf_keras, tfmot prune_low_magnitude",
    }
    for name, entry in step.items():
        to = "tf_keras, dense" if "tf_keras" in name else "dense"
        for clock in ("cpu", "wall"):
            own, other = entry["seconds"][clock], step[to]["seconds"][clock]
            assert len(own) == 5
            assert entry[clock]["median"] == statistics.median(own) > 0
            ratios = [a / b for a, b in zip(own, other, strict=True)]
            assert entry[clock]["ratio"] == statistics.median(ratios)


def test_the_benchmark_of_sparse_training_compares_precisions(figures):
    step = figures["sparse_training"]["precision"]
    assert set(step) == {"float32", "mixed_bfloat16"}
    assert step["float32"]["cpu"]["ratio"] == 1
    assert step["mixed_bfloat16"]["cpu"]["ratio"] > 0


def test_the_benchmark_of_start_up_times_every_command(figures):
    times = figures["startup"]["commands"]
    assert {"issp --help", "upscale, .tflite", "upscale, .keras"} <= set(times)
    for of in times.values():
        assert of["cpu_seconds"] > 0
        assert of["wall_seconds"] > 0


def test_the_benchmark_of_networks_counts_and_compares(figures):
    figures = figures["networks"]
    speed = figures["speed"]
    assert speed["large product"]["share_of_peak"] == 1
    for name in ("SwinIR-light", "EDSR-baseline"):
        forward, step = speed[f"{name}, forward"], speed[f"{name}, train step"]
        assert step["multiply_adds"] == 3 * forward["multiply_adds"]
        for entry in (forward, step):
            rate = entry["multiply_adds"] / entry["wall"]
            assert entry["multiply_adds_per_second"] == rate
    layers = figures["layers"]
    for shares in zip(*layers.values(), strict=True):
        assert sum(shares) == pytest.approx(1)
    assert {"attention", "GELU", "layer normalization"} <= set(layers)


def test_the_benchmark_of_data_compares_with_whole_files(figures):
    figures = figures["data"]
    assert set(figures["patches"]) == {
        "prepared, tf.data",
        "prepared, PyDataset",
        "prepared, tf.data, from the disk",
        "BasicSR's way",
    }
    for entry in figures["patches"].values():
        assert entry["patches_per_second"] == entry["rates"][0] > 0
    assert len(figures["resize"]) == 4
    for entry in figures["resize"].values():
        assert entry["milliseconds"] == entry["all"][0] > 0


def test_multiply_adds_are_those_of_the_paper(monkeypatch):
    """C.2: 4.36 G for 64x64 LR pixels, with the products of attention."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = load_benchmark("networks")
    count = benchmark.multiply_adds(models.swinir(4), (1, 64, 64, 3))
    assert round(count / 1e9, 2) == 4.36


def test_the_benchmark_of_the_delegate_compares_with_xnnpack(figures):
    found = figures["delegate"]
    of = found["edsr"]["24x16, 90 %"]
    ms = of["milliseconds"]
    assert of["ratio"] == ms["dense"] / ms["delegate"] > 0
    assert len(of["nodes"]) == 1
    share = of["sparse_multiply_adds"] / of["dense_multiply_adds"]
    assert 0.05 < share < 0.15
    of = found["int8"]["edsr, 24x16, 90 %, blocks of 4 inputs"]
    ms = of["milliseconds"]
    assert of["ratio"] == ms["int8"] / ms["delegate"] > 0
    assert of["equal"] == 1
    roofline = found["roofline"]
    assert roofline["registers"] > roofline["memory"] > 0


def test_the_benchmark_of_ordinary_networks_fits_and_compares(figures):
    found = figures["ordinary"]
    constants = found["layers"]["constants"]
    assert set(constants) == {"dense", "sparse"}
    for of in constants.values():
        assert min(of.values()) >= 0
        assert of["product"] + of["call"] + of["run"] > 0
    assert len(found["layers"]["samples"]) == 2
    ((case, of),) = found["networks"].items()
    assert case == "MobileNet, 32, 90 %"
    ms = of["milliseconds"]
    assert of["ratio"] == ms["dense"] / ms["delegate"] > 0
    # Its images have at most 16 pixels in a row.
    assert of["nodes"] == of["expected_speedups"] == []


def test_constants_that_were_put_in_are_found(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    cost_model = load_benchmark("cost_model")
    rng = np.random.default_rng(0)
    true = {"run": 3.0, "call": 0.0, "product": 0.02}
    amounts = [
        {"run": 1, "call": n % 3, "product": float(rng.integers(9, 9999))}
        for n in range(20)
    ]
    times = [sum(true[key] * of[key] for key in true) for of in amounts]
    found, ratios = cost_model.fitted(amounts, times)
    assert found == pytest.approx(true, abs=1e-6)
    assert ratios == pytest.approx(np.ones(20))
