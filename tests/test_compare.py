import json
import pathlib
import runpy

import pytest
from ml_collections import ConfigDict

from issp_keras import configuration
from issp_keras.compare import compare
from issp_keras.compare import table
from issp_keras.errors import InputError
from issp_keras.sparsity import METHODS
from issp_keras.sparsity import Sampled

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"


def _config(name, *arguments):
    return runpy.run_path(str(CONFIGS / name))["get_config"](*arguments)


@pytest.fixture
def config(folder_of_photographs):
    config = _config("compare_methods.py")
    training = config.training
    training.steps = 4
    training.steps_per_epoch = 2
    training.network.features = 4
    training.network.blocks = 1
    training.data.train = str(folder_of_photographs)
    training.data.held_out = str(folder_of_photographs)
    training.data.patch_size = 8
    training.data.batch_size = 2
    training.sparsity.end_step = 2
    config.sparsities = (0.9,)
    config.methods = ConfigDict(
        {name: config.methods[name] for name in ("ISS-P", "SRP")}
    )
    return config


def test_trains_every_method_at_every_sparsity_with_every_seed(
    config, tmp_path, capsys
):
    results = compare(config, tmp_path)
    runs = [(r["seed"], r["sparsity"], r["method"]) for r in results]
    assert runs == [
        (seed, 0.9, method) for seed in (10, 11) for method in ("ISS-P", "SRP")
    ]
    for result in results:
        assert result["zeros"] == pytest.approx(result["sparsity"], abs=0.02)
        assert 5 < result["psnr"] < 60
    assert len({result["psnr"] for result in results}) == 4
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert "(4 of 4)" in capsys.readouterr().out
    # What is done is not done again.
    assert compare(config, tmp_path) == results
    assert "of 4" not in capsys.readouterr().out


def test_results_of_another_config_are_refused(config, tmp_path):
    config.seeds = (10,)
    del config.methods.SRP
    compare(config, tmp_path)
    config.training.steps = 6
    with pytest.raises(InputError, match="10 was begun with another config"):
        compare(config, tmp_path)


def test_the_table_has_means_and_spreads():
    results = [
        {"method": m, "sparsity": s, "seed": seed, "psnr": psnr + seed}
        for m, psnr in (("a", 30.0), ("b", 31.0))
        for s in (0.9, 0.99)
        for seed in (0, 1)
    ]
    assert table(results) == [
        ["PSNR (dB)", "90 % zeros", "99 % zeros"],
        ["a", "30.50 ± 0.50", "30.50 ± 0.50"],
        ["b", "31.50 ± 0.50", "31.50 ± 0.50"],
    ]


def test_a_mistake_is_found_before_anything_is_trained(config, tmp_path):
    config.methods.SRP = ConfigDict({"method": "srp", "srp": {"limit": -1}})
    with pytest.raises(InputError, match=r"sparsity\.srp: .*limit=-1"):
        compare(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_methods_are_compared_on_equal_terms():
    config = _config("compare_methods.py")
    methods = {entry.method for entry in config.methods.values()}
    assert methods == set(METHODS)
    training = _config("quickstart.py")
    assert config.training.network == training.network
    assert config.sparsities == (0.9, 0.95, 0.99)
    assert len(config.seeds) == 2
    names = dict(config.methods)
    assert names["gradual magnitude"].ramp == "cubic"
    with config.training.unlocked():
        config.training.sparsity.update(names["ISS-P, sampled"].to_dict())
    pattern = configuration.sparse_training(config.training).pattern
    assert isinstance(pattern.selection, Sampled)


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
    """Those of the other settings are the defaults of their functions too."""
    network = configuration.network(_config("swinir_light.py", "x4,0.95"))
    assert network.count_params() == 929_628
    config = _config("cat_r.py", "x4,0.95").network.to_dict()
    assert config == {"name": "cat", "scale": 4}
