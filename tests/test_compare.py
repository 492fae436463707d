import csv
import functools
import importlib
import itertools
import json
import operator
import pathlib
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pages
import PIL.Image
import pytest
from ml_collections import ConfigDict

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.models import ecbsr
from issp_keras.models import load_model
from issp_keras.programs import compare_report
from issp_keras.programs import configuration
from issp_keras.programs.compare import Comparison
from issp_keras.programs.compare import TrainingsFailed
from issp_keras.programs.compare import compare
from issp_keras.programs.results import check
from issp_keras.programs.results import table
from issp_keras.programs.train import train
from issp_keras.programs.trainings import list_trainings
from issp_keras.programs.trainings import step_costs
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import Sampled

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"


def _config(name, *arguments):
    return runpy.run_path(str(CONFIGS / name))["get_config"](*arguments)


def _tiny_config(photographs):
    config = _config("compare_methods.py")
    training = config.training
    training.steps = 4
    training.steps_per_epoch = 2
    training.network.features = 4
    training.network.blocks = 1
    training.data.train = str(photographs)
    training.data.held_out = str(photographs)
    training.data.patch_size = 8
    training.data.batch_size = 2
    training.sparsity.end_step = 2
    config.trainings = ConfigDict(
        {
            "ISS-P": {"sparsity": {"method": "iss_p"}},
            "wide": {"network": {"features": 6}},
        }
    )
    config.score_on = (str(photographs),)
    return config


@pytest.fixture
def config(shared_photographs):
    return _tiny_config(shared_photographs)


@pytest.fixture(scope="module")
def compared(shared_photographs, tmp_path_factory):
    """A folder where all trainings are done, their results, and the output."""
    folder = tmp_path_factory.mktemp("compared")
    lines, counts = [], []

    def report(line):
        lines.append(line)
        if ": photographs " in line:
            counts.append(len(files.read_json(folder / "results.json")))

    config = _tiny_config(shared_photographs)
    results = compare(config, folder, report=report)
    # Each result is in the tables as soon as it is reported.
    assert counts == [1, 2, 3, 4]
    return folder, results, lines


@pytest.fixture
def done(compared, config, tmp_path):
    """The results of the first seed. `tmp_path` has its trainings."""
    config.seeds = (10,)
    folder, _, _ = compared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return [
        files.read_json(folder / name / "result.json")
        for name in ("ISS-P-10", "wide-10")
    ]


def test_trains_every_training_with_every_seed(compared, config):
    folder, results, lines = compared
    runs = [(r["seed"], r["name"]) for r in results]
    assert runs == [
        (seed, name) for seed in (10, 11) for name in ("ISS-P", "wide")
    ]
    for result in results:
        assert result["non_zeros"] < 0.12 * result["weights"]
        assert result["cpu_seconds"] > 0
        assert 5 < result["scores"]["photographs"]["psnr"] < 60
    assert results[1]["weights"] > results[0]["weights"]
    assert len({r["scores"]["photographs"]["psnr"] for r in results}) == 4
    assert json.loads((folder / "results.json").read_text()) == results
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [r["name"] for r in results]
    assert float(rows[0]["psnr"]) == results[0]["scores"]["photographs"]["psnr"]
    assert (folder / "results.md").read_text().count("\n") == 4
    assert "step 4 of 4" in lines[1] and "3 of 4 done" in lines[-2]
    # Finished trainings do not run again.
    again = []
    assert compare(config, folder, report=again.append) == results
    assert not again


@pytest.mark.long
def test_stops_in_time_and_goes_on_to_the_same_weights(config, tmp_path):
    config.seeds = (10,)
    expected = compare(config, tmp_path / "whole", report=str)
    lines = []
    # Without any time, each training runs one epoch in its turn.
    compare(config, tmp_path / "parts", turn=0.0, report=lines.append)
    assert [line.split(",")[0] for line in lines if "step 2" in line] == [
        "ISS-P",
        "wide",
    ]
    assert lines.index(next(x for x in lines if x.startswith("wide"))) == 1
    for name in ("ISS-P-10", "wide-10"):
        found, whole = (
            load_model(tmp_path / folder / name / "model.keras").get_weights()
            for folder in ("parts", "whole")
        )
        for a, b in zip(found, whole, strict=True):
            np.testing.assert_array_equal(a, b)
    assert compare(config, tmp_path / "none", minutes=0.0, report=str) == []
    assert len(expected) == 2


@pytest.mark.tensorflow
def test_the_tables_name_what_is_not_finished(config, tmp_path):
    config.seeds = (10,)
    tables = []

    def report(line):
        tables.append((tmp_path / "results.md").read_text())

    comparison = Comparison(config, tmp_path, report=report)
    assert comparison.unfinished()[1:] == [
        ["ISS-P", "10", "0 of 4"],
        ["wide", "10", "0 of 4"],
    ]
    page = compare_report.page([], comparison.unfinished(), "runs", [])
    text = pages.Parsed(page.render()).text
    for part in ("0 of 2", "No training is done yet", "Not finished", "0 of 4"):
        assert part in text
    comparison.run()
    # If the process is killed, its last epoch is in the table.
    assert tables[0].splitlines() == [
        "| not finished | seed | steps |",
        "| --- | ---: | ---: |",
        "| ISS-P | 10 | 2 of 4 |",
        "| wide | 10 | 0 of 4 |",
    ]
    assert "| wide | 10 | 2 of 4 |" in tables[3]
    assert "not finished" not in tables[-1]


def test_no_training_begins_when_the_next_epoch_would_end_too_late(
    config, tmp_path, monkeypatch
):
    begun = []

    def train_nothing(of, folder, **_):
        begun.append(folder.name)

    program = importlib.import_module("issp_keras.programs.compare")
    monkeypatch.setattr(program, "train", train_nothing)
    assert compare(config, tmp_path, minutes=5.0, report=str) == []
    assert begun == ["ISS-P-10"]


def test_steps_of_larger_networks_cost_more(config, tmp_path):
    config.trainings.wide.data = {"batch_size": 4}
    small, wide, *_ = trainings = list_trainings(config, tmp_path)
    weights = [
        configuration.network(of.config).count_params() for of in (small, wide)
    ]
    costs = step_costs(trainings)
    assert costs[wide] / costs[small] == 2 * weights[1] / weights[0] > 2


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_a_sum_of_branches_is_merged_after_the_training(config, tmp_path):
    config.seeds = (10,)
    network = {"name": "ecbsr", "scale": 2, "features": 4, "blocks": 1}
    config.training.network = ConfigDict({**network, "reparameterized": True})
    config.trainings = ConfigDict(
        {"branches": {"sparsity": {"method": "dense"}}}
    )
    (result,) = compare(config, tmp_path, report=str)
    model = load_model(tmp_path / "branches-10" / "model.keras")
    assert model.count_params() == ecbsr(2, 4, 1).count_params()
    assert result["weights"] == result["non_zeros"] < model.count_params()


def test_a_killed_process_leaves_its_training_to_the_next(config, tmp_path):
    (training, *_) = list_trainings(config, tmp_path)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time\n"
            "file = open(sys.argv[1], 'w')\n"
            "fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('locked', flush=True)\n"
            "time.sleep(60)",
            str(files.make_folder(training.folder) / ".lock"),
        ],
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"locked\n"
        assert not training.lock()
        process.kill()
    assert training.lock()
    training.unlock()


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_what_another_process_has_is_left_to_it(config, tmp_path):
    config.seeds = (10,)
    held, _ = list_trainings(config, tmp_path)
    assert held.lock()
    lines = []
    results = compare(config, tmp_path, report=lines.append)
    assert [result["name"] for result in results] == ["wide"]
    assert lines[-1] == (
        "Other processes run what remains (ISS-P, seed 10); this process ends."
    )
    held.unlock()
    assert len(compare(config, tmp_path, report=str)) == 2


def test_the_report_shows_each_way_and_what_diverged(compared):
    _, results, _ = compared
    lost = {**results[0], "outcome": "diverged", "scores": {}}
    lost |= {"name": "<b>too fast", "non_zeros": None}
    unfinished = [["not finished", "seed", "steps"], ["late", "10", "2 of 4"]]
    page = compare_report.page(
        [*results, lost], unfinished, "runs", [("Command", "c")]
    )
    parsed = pages.Parsed(page.render())
    for cell in itertools.chain(*table([*results, lost])):
        assert cell in parsed.text
    for text in ("3 ways to train, compared", "4 of 6", "1 diverged", "late"):
        assert text in parsed.text
    assert len(parsed.all("table")) == 3
    (plot,) = parsed.all("svg")
    assert plot["aria-label"] == "photographs"
    assert len(parsed.all("circle")) == 2
    assert len(parsed.all("path", **{"class": "lost"})) == 1
    cells = {cell.get("data-value") for cell in parsed.all("td")}
    for result in results:
        psnr = result["scores"]["photographs"]["psnr"]
        assert f"{psnr:.4f}".rstrip("0") in cells


def test_results_that_all_diverged_have_no_plot(compared):
    _, results, _ = compared
    lost = {"outcome": "diverged", "scores": {}, "non_zeros": None}
    results = [result | lost for result in results]
    page = compare_report.page(results, [["not finished"]], "runs", [])
    parsed = pages.Parsed(page.render())
    assert "0 of 4" in parsed.text and not parsed.all("svg")


@pytest.mark.one_backend
def test_the_program_writes_its_report(config, done, tmp_path):
    config.trainings = ConfigDict({"wide": {"network": {"features": 6}}})
    (training,) = list_trainings(config, tmp_path / "other")
    known = {**done[1], "settings": configuration.digest(training.config)}
    (tmp_path / "known.json").write_text(json.dumps([known]))
    (tmp_path / "config.py").write_text(
        "import json, ml_collections\n"
        "def get_config():\n"
        f"    text = {config.to_json()!r}\n"
        "    return ml_collections.ConfigDict(json.loads(text))\n"
    )
    script = "import sys, issp_keras.programs.compare as c; c.run()"
    result = subprocess.run(
        [
            *(sys.executable, "-c", script, "--config=config.py"),
            *("--workdir=work", "--known=known.json", "--minutes=0"),
            "--report=report.html",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "Wrote report.html." in result.stdout
    page = pages.read(tmp_path / "report.html")
    for text in ("1 way to train, compared", "wide", "--minutes=0", "work"):
        assert text in page.text


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_known_results_are_not_trained_again(config, done, tmp_path):
    lines = []
    found = compare(config, tmp_path / "there", known=done, report=lines.append)
    assert found == done and not lines
    # The same training may have another name in another config.
    renamed = ConfigDict({f"{k} again": v for k, v in config.trainings.items()})
    config.trainings = renamed
    found = compare(config, tmp_path / "named", known=done, report=lines.append)
    assert not lines
    assert [{**result, "name": ""} for result in found] == [
        {**result, "name": ""} for result in done
    ]
    assert {result["name"] for result in found} == {*renamed}
    # A training of another length is a different training.
    config.training.steps = 6
    config.trainings = ConfigDict({"wide": {"network": {"features": 6}}})
    found = compare(config, tmp_path / "more", known=done, report=str)
    assert [result["steps"] for result in found] == [6]


@pytest.mark.tensorflow
def test_goes_on_with_an_infinite_setting(config, tmp_path):
    infinite = {"method": "latent", "latent": {"power": float("inf")}}
    config.trainings = ConfigDict({"hard": {"sparsity": infinite}})
    config.seeds = (10,)
    (training,) = list_trainings(config, tmp_path)
    train(training.config, training.folder)
    assert len(list_trainings(config, tmp_path)) == 1


@pytest.mark.one_backend
def test_trainings_have_the_order_of_the_config(config, tmp_path):
    config.trainings = ConfigDict({"b": {}, "a": {}})
    names = [t.label for t in list_trainings(config, tmp_path)]
    assert names == ["b, seed 10", "a, seed 10", "b, seed 11", "a, seed 11"]


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_scores_on_further_sets_without_training_again(config, tmp_path):
    config.seeds = (10,)
    del config.trainings["wide"]
    sets = config.score_on
    config.score_on = ()
    (before,) = compare(config, tmp_path, report=str)
    assert before["scores"] == {}
    with (tmp_path / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["psnr"], row["outcome"]) == (
        *("ISS-P", "", "finished"),
    )
    # Another backend may score than the one that trained.
    files.write_json(tmp_path / "ISS-P-10" / "backend.json", "abacus")
    config.score_on = sets
    lines = []
    (after,) = compare(config, tmp_path, report=lines.append)
    assert list(after["scores"]) == ["photographs"]
    assert not any("step" in line for line in lines)
    assert after["cpu_seconds"] == before["cpu_seconds"]
    assert (before["backend"], after["backend"]) == ("tensorflow", "abacus")


@pytest.mark.tensorflow
def test_settings_that_change_no_weight_may_differ(config, done, tmp_path):
    with config.unlocked():
        config.training.steps_per_execution = 2
        config.training.data.held_out = ""
        config.training.loss = "l1"
        config.training.dtype_policy = "float32"
    lines = []
    assert compare(config, tmp_path, report=lines.append) == done
    found = compare(config, tmp_path / "b", known=done, report=lines.append)
    assert found == done and not lines


@pytest.mark.long
@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_a_training_that_fails_does_not_stop_the_others(config, tmp_path):
    config.seeds = (10,)
    config.trainings = ConfigDict({"broken": {}, "wide": {}})
    (tmp_path / "broken-10").mkdir()
    (tmp_path / "broken-10/checkpoint.keras").write_text("no checkpoint")
    comparison = Comparison(config, tmp_path, report=str)
    with pytest.raises(
        TrainingsFailed, match=r"1 of 2 trainings failed:.*\n.*not a Keras"
    ):
        comparison.run()
    # The program shows the other results.
    assert [result["name"] for result in comparison.results()] == ["wide"]
    assert comparison.unfinished()[1:] == [["broken", "10", "0 of 4"]]
    with pytest.raises(TrainingsFailed):
        compare(config, tmp_path, turn=0.0, report=str)
    (result,) = json.loads((tmp_path / "results.json").read_text())
    assert result["name"] == "wide"


@pytest.mark.tensorflow
def test_that_a_training_diverges_is_a_result(config, tmp_path):
    config.seeds = (10,)
    config.trainings = ConfigDict(
        {"diverges": {"learning_rate": 1e38}, "wide": {}}
    )
    lines = []
    results = compare(config, tmp_path, report=lines.append)
    assert "diverges, seed 10: diverged at a learning rate of 1e+38" in lines
    diverged, wide = results
    assert (diverged["name"], diverged["outcome"]) == ("diverges", "diverged")
    assert diverged["weights"] == wide["weights"]
    assert (diverged["non_zeros"], diverged["scores"]) == (None, {})
    assert json.loads((tmp_path / "results.json").read_text()) == results
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["outcome"], row["psnr"] == "") for row in rows] == [
        ("diverged", True),
        ("finished", False),
    ]
    markdown = (tmp_path / "results.md").read_text().splitlines()
    assert markdown[2].count("diverged") == 2
    # It does not run again, here or where the result is known.
    del lines[:]
    assert compare(config, tmp_path, report=lines.append) == results
    there = tmp_path / "there"
    found = compare(config, there, known=results, report=lines.append)
    assert found == results and not lines


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_results_are_on_the_channels_of_the_config(config, done, tmp_path):
    del config.trainings["wide"]
    on_y, _ = done
    # Results of earlier versions do not name the channels, which are Y.
    path = tmp_path / "ISS-P-10/result.json"
    del on_y["channels"]
    files.write_json(path, on_y)
    assert compare(config, tmp_path, report=str) == [on_y]
    with config.unlocked():
        config.training.score_channels = "rgb"
    lines = []
    (on_rgb,) = compare(config, tmp_path, report=lines.append)
    assert not any("step" in line for line in lines)
    assert on_rgb["channels"] == "rgb"
    assert on_rgb["scores"] != on_y["scores"]
    assert on_rgb["settings"] == on_y["settings"]


def _result(**changes):
    result = {
        "name": "wide",
        "seed": 1,
        "settings": "0" * 16,
        "steps": 10,
        "weights": 9,
        "non_zeros": 3,
        "cpu_seconds": 60,
        "scores": {"set5": {"psnr": 30.5, "ssim": 0.9}},
    }
    return {**result, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 3},
        {"seed": True},
        {"steps": None},
        {"non_zeros": None},
        {"cpu_seconds": "60"},
        {"scores": []},
        {"scores": {"set5": 30.5}},
        {"scores": {"set5": {"psnr": 30.5}}},
        {"scores": {"set5": {"psnr": "30.5", "ssim": 0.9}}},
    ],
)
def test_a_result_has_all_that_tables_need(changes):
    check(_result())
    with pytest.raises((KeyError, TypeError)):
        check(_result(**changes))


def test_an_infinite_psnr_has_no_part_in_a_mean():
    # JSON has no infinity.
    scores = {"set5": {"psnr": None, "ssim": 1.0}}
    rows = table([_result(), _result(seed=2, scores=scores)])
    assert rows[1][4] == "30.50 / 0.9000"
    assert table([_result(scores=scores)])[1][4] == ""


@pytest.mark.tensorflow
@pytest.mark.parametrize("content", ["{}", "3", "[1]", '[{"name": "wide"}]'])
def test_refuses_known_results_that_are_none(config, tmp_path, content):
    with pytest.raises(InputError, match="--known: is not a list of results"):
        compare(config, tmp_path, known=json.loads(content))


@pytest.mark.one_backend
@pytest.mark.tensorflow
def test_a_dense_training_has_no_zeros(config, tmp_path):
    config.seeds = (10,)
    config.trainings = ConfigDict({"dense": {"sparsity": {"method": "dense"}}})
    (result,) = compare(config, tmp_path, report=str)
    assert result["non_zeros"] == result["weights"]
    assert not (tmp_path / "dense-10" / "sparsity.csv").exists()


@pytest.mark.tensorflow
@pytest.mark.usefixtures("done")
def test_results_of_another_config_are_refused(config, tmp_path):
    config.training.steps = 6
    message = r"10 was started with another config: steps \(.* before, 6 now\)"
    with pytest.raises(InputError, match=message):
        compare(config, tmp_path)


@pytest.mark.tensorflow
@pytest.mark.usefixtures("done")
def test_only_changed_entries_of_a_config_are_named(config, tmp_path):
    config.training.sparsity.target_sparsity = 0.5
    message = (
        r"another config: sparsity.target_sparsity \([0-9.]+ before, 0.5 now\);"
    )
    with pytest.raises(InputError, match=message):
        compare(config, tmp_path)


def test_the_table_has_means_and_spreads():
    results = [
        {
            "name": name,
            "seed": seed,
            "steps": 6000,
            "weights": 1234,
            "non_zeros": 123,
            "cpu_seconds": 90 + 60 * seed,
            "scores": {"set5": {"psnr": psnr + seed, "ssim": 0.8 + seed / 10}},
        }
        for name, psnr in (("a", 30.0), ("b", 31.0))
        for seed in ((0, 1) if name == "a" else (0,))
    ]
    assert table(results) == [
        ["", "weights", "non-zeros", "steps", "set5", "seeds", "CPU time"],
        ["a", "1,234", "123", "6,000", "30.50 ± 0.50 / 0.8500", "2", "2 min"],
        ["b", "1,234", "123", "6,000", "31.00 / 0.8000", "1", "2 min"],
    ]


def test_the_table_tells_of_what_diverged():
    results = [
        {
            "name": name,
            "seed": seed,
            "outcome": "finished" if psnr else "diverged",
            "steps": 10,
            "weights": 100,
            "non_zeros": 10 if psnr else None,
            "cpu_seconds": 60,
            "scores": {"set5": {"psnr": psnr, "ssim": 0.5}} if psnr else {},
        }
        for name, seed, psnr in (("a", 0, None), ("a", 1, 30), ("b", 0, None))
    ]
    header, *rows = table(results)
    assert header[4:6] == ["set5", "seeds"]
    assert rows == [
        ["a", "100", "10", "10", "30.00 / 0.5000", "2, 1 diverged", "1 min"],
        ["b", "100", "", "10", "diverged", "1, 1 diverged", "1 min"],
    ]


def test_a_mistake_is_found_before_anything_is_trained(config, tmp_path):
    config.trainings.wide = {
        "sparsity": {"method": "srp", "srp": {"limit": -1}}
    }
    with pytest.raises(InputError, match=r"sparsity\.srp: .*limit=-1"):
        compare(config, tmp_path / "none")
    config.trainings = ConfigDict({"a/b": {}, "a_b": {}})
    with pytest.raises(InputError, match="a_b-10 is the folder of two"):
        compare(config, tmp_path / "none")
    config.score_on = ("nowhere",)
    with pytest.raises(InputError, match=r"score_on: nowhere: no such folder"):
        compare(config, tmp_path / "none")
    del config["score_on"]
    with pytest.raises(InputError, match="has no entry 'score_on'"):
        compare(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("seeds", 10, "--config.seeds: is 10, expected a tuple"),
        ("score_on", "set5", "--config.score_on: is 'set5', expected a tuple"),
        ("training", 1, "--config.training: is 1, expected a group"),
        ("trainings", (), r"--config.trainings: is \(\), expected a group"),
        (
            "trainings",
            ConfigDict({"wide": 6}),
            "--config.trainings.wide: is 6, expected a group",
        ),
        (
            "training.sparsity.iss_p",
            0.9,
            r"--config.sparsity.iss_p: is 0\.9, expected a group",
        ),
        ("training.network.scale", None, "has no entry 'network.scale'"),
        # A misspelt entry would leave the training as it is.
        ("minutes", 5, "--config.minutes: is not an entry, expected one of"),
        ("training.ema_momentun", 0.9, "--config.ema_momentun: is not an entr"),
        ("training.data.on_devise", True, "--config.data.on_devise: is not an"),
        ("training.data.patch_size", True, "patch_size: is True, expected a p"),
        (
            "training.data.held_out",
            "nowhere",
            "--config.training.data.held_out: nowhere: no such folder",
        ),
        ("seeds", (), "--config.seeds: is empty, expected at least one"),
        ("seeds", ("ten",), "--config.seeds: has 'ten', expected a whole num"),
        ("seeds", (True,), "--config.seeds: has True, expected a whole number"),
        ("seeds", (-1,), "--config.seeds: has -1, expected a whole number"),
        ("seeds", (1, 1), r"--config.seeds: is \(1, 1\), expected different"),
        ("score_on", (5,), "--config.score_on: has 5, expected the name of"),
        ("trainings", ConfigDict(), "--config.trainings: is empty, expected"),
        (
            "trainings.wide",
            ConfigDict({"sparsity": {"include": "nolayer"}}),
            "wide: --config.sparsity: .*nolayer",
        ),
        (
            "trainings.wide",
            ConfigDict({"network": {"featurs": 6}}),
            "wide: --config.network: .*featurs",
        ),
        (
            "trainings.wide",
            ConfigDict({"teacher": {"model": "gone.keras", "weight": 0.5}}),
            "wide: --config.teacher.model: gone.keras: no such file",
        ),
    ],
)
def test_entries_of_another_kind_are_refused(
    config, tmp_path, entry, value, message
):
    *groups, name = entry.split(".")
    group = functools.reduce(operator.getitem, groups, config)
    with config.ignore_type(), config.unlocked():
        if value is None:
            del group[name]
        else:
            group[name] = value
    with pytest.raises(InputError, match=message):
        compare(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_small_test_photograph_is_found_before_anything_is_trained(
    config, tmp_path
):
    PIL.Image.new("RGB", (64, 31)).save(tmp_path / "small.png")
    config.score_on = (str(tmp_path),)
    with pytest.raises(
        InputError, match=r"small.png: is 64x31 pixels, expected at least 32x32"
    ):
        compare(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.long
@pytest.mark.one_backend
def test_each_training_is_scored_on_the_lr_files_of_its_scale(config, tmp_path):
    hr = tmp_path / "Set5" / "HR"
    hr.mkdir(parents=True)
    pixels = np.zeros((48, 48, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(hr / "a.png")
    for scale in (2, 4):
        lr = tmp_path / "Set5" / "LR_bicubic" / f"X{scale}"
        lr.mkdir(parents=True)
        small = PIL.Image.fromarray(pixels[::scale, ::scale])
        small.save(lr / f"ax{scale}.png")
    config.seeds = (10,)
    config.score_on = (str(hr),)
    config.trainings = ConfigDict(
        {f"x{scale}": {"network": {"scale": scale}} for scale in (2, 4)}
    )
    results = compare(config, tmp_path / "runs", report=str)
    assert [list(result["scores"]) for result in results] == 2 * [["Set5"]]


def test_the_methods_are_compared_on_equal_terms():
    config = _config("compare_methods.py")
    settings = {name: each.sparsity for name, each in config.trainings.items()}
    assert config.training.network == _config("edsr_small.py").network
    for share in ("90%", "95%", "99%"):
        methods = {s.method for n, s in settings.items() if share in n}
        assert methods == set(METHODS)
    assert len(config.seeds) == 2
    assert settings["gradual magnitude, 90% zeros"].ramp == "cubic"
    sampled = settings["ISS-P, sampled, 95% zeros"]
    with config.training.unlocked():
        config.training.sparsity.update(sampled.to_dict())
    callback = configuration.sparse_training(config.training)
    assert isinstance(callback.pattern.selection, Sampled)
    assert callback.schedule.target_sparsity == 0.95


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "name",
    [
        *("recipe_search.py", "recipe_comparison.py", "frontier.py"),
        "quickstart.py",
    ],
)
def test_configs_of_trainings_can_be_used(
    name, folder_of_photographs, tmp_path
):
    config = _config(name)
    if "trainings" in config:
        # The photographs that the config names may be missing here.
        config.training.data.train = str(folder_of_photographs)
        config.score_on = ()
        assert len(list_trainings(config, tmp_path)) > 4
    else:
        configuration.check(config)
        assert configuration.sparse_training(config).pattern.inputs == 4


# The paper's settings.


@pytest.mark.parametrize("setting", ["x2,0.9", "x3,0.95", "x4,0.99"])
@pytest.mark.parametrize(
    ("name", "rate", "fine_tuning"),
    [
        ("edsr_large.py", 1e-4, 300_000),
        ("swinir_light.py", 2e-4, 200_000),
        ("cat_r.py", 2e-4, 500_000),
    ],
)
def test_the_papers_settings(name, rate, fine_tuning, setting):
    config = _config(name, setting)
    configuration.check(config)
    callback = configuration.sparse_training(config)
    scale, sparsity = setting[1:].split(",")
    assert config.network.scale == int(scale)
    assert callback.schedule.get_config() == {
        "target_sparsity": float(sparsity),
        "begin_step": 0,
        "end_step": 100_021,
        "ramp": "constant",
    }
    assert callback.method.shrink_ratio == 0.95
    assert config.steps - callback.schedule.end_step == fine_tuning
    assert (config.data.batch_size, config.data.patch_size) == (32, 64)
    optimizer = configuration.optimizer(config)
    assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.99)
    schedule = optimizer._learning_rate
    assert float(schedule(100_000)) == pytest.approx(rate)
    halvings = sum(step < fine_tuning for step in config.halve_at)
    last = float(schedule(config.steps))
    assert last == pytest.approx(rate / 2**halvings)


def test_the_network_of_the_paper_is_built():
    """Networks of the other settings are the defaults of their functions."""
    network = configuration.network(_config("swinir_light.py", "x4,0.95"))
    assert network.count_params() == 929_628
    config = _config("cat_r.py", "x4,0.95").network.to_dict()
    assert config == {"name": "cat", "scale": 4}
