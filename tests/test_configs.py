"""The configs, and the arguments that follow a colon."""

import importlib
import re

import pytest

from issp_keras.configs import block_comparison
from issp_keras.configs import bundled
from issp_keras.configs import cat_r
from issp_keras.configs import dense_rivals
from issp_keras.configs import edsr_large
from issp_keras.configs import frontier
from issp_keras.configs import recipe
from issp_keras.configs import recipe_comparison
from issp_keras.configs import recipe_search
from issp_keras.configs import short_x4
from issp_keras.configs import swinir_comparison
from issp_keras.configs import swinir_light
from issp_keras.configs.setting import SettingError
from issp_keras.configs.setting import parse_setting
from issp_keras.inference import bundled_networks
from issp_keras.models import NETWORKS
from issp_keras.programs import configuration
from issp_keras.programs.commands import train
from issp_keras.programs.trainings import list_trainings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"scale": 4, "sparsity": 0.95, "name": "edsr"}),
        ("scale=2", {"scale": 2, "sparsity": 0.95, "name": "edsr"}),
        ("name=a=b,sparsity=1", {"scale": 4, "sparsity": 1.0, "name": "a=b"}),
        ("x3,0.9", {"scale": 3, "sparsity": 0.9, "name": "edsr"}),
        ("2,name=x", {"scale": 2, "sparsity": 0.95, "name": "x"}),
    ],
)
def test_reads_named_values_and_values_in_order(text, expected):
    found = parse_setting(text, scale=4, sparsity=0.95, name="edsr")
    assert found == expected
    assert list(map(type, found.values())) == [int, float, str]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "scal=2",
            r"scal=2: is not a setting of this config, expected scale=4, spars",
        ),
        ("2,0.9,7", "7: is not a setting of this config"),
        ("scale=2.5", r"scale: is '2\.5', expected a whole number\."),
        ("4,many", r"sparsity: is 'many', expected a number\."),
    ],
)
def test_refuses_what_is_no_setting(text, message):
    with pytest.raises(SettingError, match=message):
        parse_setting(text, scale=4, sparsity=0.95)


@pytest.mark.parametrize("config", [cat_r, edsr_large, swinir_light])
def test_the_paper_configs_take_names_and_the_order(config):
    named = config.get_config("sparsity=0.9,scale=2")
    assert named == config.get_config("x2,0.9")
    assert (named.network.scale, named.sparsity.target_sparsity) == (2, 0.9)
    assert named.data.train == "prepared/df2k_x2"
    assert config.get_config() == config.get_config("x4,0.95")


def test_edsr_large_alone_is_scored_on_rgb():
    found = {
        config.__name__: configuration.score_channels(config.get_config())
        for config in (cat_r, edsr_large, short_x4, swinir_light)
    }
    assert [name for name in found if found[name] == "rgb"] == [
        "issp_keras.configs.edsr_large"
    ]


@pytest.mark.parametrize(
    "example", re.findall(r"^    issp train .*", train.__doc__, re.MULTILINE)
)
def test_a_training_takes_the_examples_of_its_help(example):
    found = dict(re.findall(r"--([\w.]+)=(\S+)", example))
    name, _, setting = found.pop("config").partition(":")
    module = importlib.import_module(f"issp_keras.configs.{name}")
    config = module.get_config(*filter(None, [setting]))
    config.update_from_flattened_dict(
        {
            entry.removeprefix("config."): int(value)
            for entry, value in found.items()
            if entry.startswith("config.")
        }
    )
    configuration.check(config)
    assert configuration.sparse_training(config).schedule.end_step > 0


def test_a_network_is_named_with_and_without_its_name():
    config = short_x4.get_config("swinir")
    assert config.network.name == "swinir"
    assert config == short_x4.get_config("name=swinir")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quickstart", "c2358e75b40005a0"),
        ("edsr_small", "151b5e9e4ea7fe8d"),
    ],
)
def test_results_of_earlier_versions_stay_valid(name, expected):
    """A result is reused only if its digest is that of the config."""
    module = importlib.import_module(f"issp_keras.configs.{name}")
    assert configuration.digest(module.get_config()) == expected


def _trainings(config, photographs, workdir):
    """The trainings of a config, on the given photographs."""
    config.score_on = ()
    config.training.data.train = str(photographs)
    return list_trainings(config, workdir)


def test_results_of_the_comparison_stay_valid(folder_of_photographs, tmp_path):
    config = recipe_comparison.get_config()
    source = config.training.data.train
    for training in _trainings(config, folder_of_photographs, tmp_path):
        if training.label == "ISS-P, 95% zeros, seed 10":
            training.config.data.train = source
            assert configuration.digest(training.config) == "55f1fbc036569636"
            return
    pytest.fail("there is no such training")


def test_all_candidates_of_the_search_can_be_trained(
    folder_of_photographs, tmp_path
):
    config = recipe_search.get_config()
    trainings = _trainings(config, folder_of_photographs, tmp_path)
    assert len(trainings) == 44
    for training in trainings:
        configuration.check(training.config)
        configuration.sparse_training(training.config)
    taught = [of for of in trainings if "teacher" in of.label]
    assert [of.config.teacher.model for of in taught] == 3 * ["x4_good"]


def test_the_winner_is_trained_longer(folder_of_photographs, tmp_path):
    config = recipe_comparison.get_config()
    trainings = _trainings(config, folder_of_photographs, tmp_path)
    assert len(trainings) == 72
    longer = [of.config for of in trainings if "60,000" in of.label]
    assert [of.steps for of in longer] == [60_000] * 2
    assert {of.sparsity.end_step for of in longer} == {36_000}
    assert {of.sparsity.target_sparsity for of in longer} == {0.95}
    only = recipe_comparison.get_config("99%").trainings
    assert len(only) == 11 and all("99%" in name for name in only)
    helped = [of for of in trainings if "teacher" in of.label]
    assert len(helped) == 14
    for training in helped:
        assert training.config.loss == "l1_fft"
        assert training.config.teacher.model == "x4_good"


def test_blocks_are_compared_with_single_weights(
    folder_of_photographs, tmp_path
):
    config = block_comparison.get_config()
    trainings = _trainings(config, folder_of_photographs, tmp_path)
    assert len(trainings) == 8
    patterns = []
    for training in trainings:
        configuration.check(training.config)
        pattern = configuration.sparse_training(training.config).pattern
        sides = getattr(pattern, "inputs", 1), getattr(pattern, "outputs", 1)
        sparsity = training.config.sparsity.target_sparsity
        patterns.append((sparsity, *sides))
    sides = [(1, 1), (2, 1), (4, 1), (1, 4)]
    assert patterns == [(of, *pair) for of in (0.9, 0.95) for pair in sides]


def test_the_frontier_has_dense_and_sparse_networks(
    folder_of_photographs, tmp_path
):
    config = frontier.get_config()
    source = config.training.data.train
    trainings = _trainings(config, folder_of_photographs, tmp_path)
    dense = [of for of in trainings if ", dense" in of.label]
    assert len(dense) == 15 + 4 + 3
    assert len(trainings) == len(dense) + 2 * (25 + 6)
    for training in trainings:
        configuration.check(training.config)
        assert training.config.network.name in NETWORKS
    only = frontier.get_config("blocks").trainings
    assert len(only) == 31 and all("blocks" in name for name in only)
    scales = {of.config.network.scale for of in trainings if " x2," in of.label}
    assert scales == {2}
    (known,) = (of for of in trainings if "plain_16x8, dense" in of.label)
    known.config.data.train = source
    # Stored networks keep their keys.
    assert configuration.digest(known.config) == "10ac81a3b1f65462"


def test_methods_are_compared_on_swinir(folder_of_photographs, tmp_path):
    config = swinir_comparison.get_config()
    trainings = _trainings(config, folder_of_photographs, tmp_path)
    assert len(trainings) == 1 + 4 * 3
    for training in trainings:
        configuration.check(training.config)
        assert training.config.network.name == "swinir"
        assert training.config.sparsity.end_step == 1800
    only = swinir_comparison.get_config("95%").trainings
    assert list(only) == [
        f"{name}, 95% zeros" for name in ("ISS-P", "L1-norm", "SRP", "recipe")
    ]


def test_all_bundled_networks_have_a_training(folder_of_photographs, tmp_path):
    config = bundled.get_config()
    names = {network.name for network in bundled_networks()}
    assert set(config.trainings) == names
    for training in _trainings(config, folder_of_photographs, tmp_path):
        configuration.check(training.config)
        scale = training.config.network.scale
        if f"x{scale}_fast" in training.label:
            assert training.config.teacher.model == f"x{scale}_good"
    assert set(bundled.get_config("x4").trainings) == {"x4_good", "x4_fast"}


def test_dense_rivals_differ_in_network_and_zeros(
    folder_of_photographs, tmp_path
):
    fast = bundled.get_config("x4_fast").trainings.x4_fast
    config = dense_rivals.get_config()
    for training in _trainings(config, folder_of_photographs, tmp_path):
        configuration.check(training.config)
        assert training.config.sparsity.method == "dense"
    for of in config.trainings.values():
        for name in ("steps", "loss", "teacher"):
            assert of[name] == fast[name]
    assert list(dense_rivals.get_config("16x8").trainings) == [
        "plain_16x8, dense, like x4_fast"
    ]


def test_the_recipe_takes_settings():
    config = recipe.get_config(
        "scale=2,sparsity=0.95,steps=1000,inputs=4,loss=l1_fft"
    )
    configuration.check(config)
    assert config.loss == "l1_fft"
    training = configuration.sparse_training(config)
    assert (training.pattern.inputs, training.pattern.outputs) == (4, 1)
    assert training.schedule.target_sparsity == 0.95
    assert training.schedule.end_step == 600
    assert training.method.pruned_rate == 1
    assert config.network.to_dict() == {"name": "plain_32x16", "scale": 2}
    single = configuration.sparse_training(recipe.get_config("plain_16x8"))
    assert not hasattr(single.pattern, "inputs")
