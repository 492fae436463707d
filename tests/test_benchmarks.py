import json
import pathlib
import statistics
import subprocess
import sys

BENCHMARKS = pathlib.Path(__file__).parent.parent / "benchmarks"


def test_the_benchmark_of_sparse_training_compares_all_peers(tmp_path):
    output = tmp_path / "figures.json"
    subprocess.run(
        [
            *(sys.executable, BENCHMARKS / "sparse_training.py"),
            *("--only=overhead", "--repeats=1", "--features=1"),
            f"--output={output}",
        ],
        check=True,
    )
    step = json.loads(output.read_text())["overhead"]
    assert set(step) == {
        "dense",
        "ISS-P",
        "ISS-P, port that sorts in numpy",
        "tf_keras, dense",
        "tf_keras, tfmot prune_low_magnitude",
    }
    for name, figures in step.items():
        to = "tf_keras, dense" if "tf_keras" in name else "dense"
        for clock in ("cpu", "wall"):
            own, other = figures["seconds"][clock], step[to]["seconds"][clock]
            assert len(own) == 5
            assert figures[clock]["median"] == statistics.median(own) > 0
            ratios = [a / b for a, b in zip(own, other, strict=True)]
            assert figures[clock]["ratio"] == statistics.median(ratios)
