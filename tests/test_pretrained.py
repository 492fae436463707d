"""Trainings that begin with the weights of another network."""

import json

import keras
import numpy as np
import pytest
from ml_collections import ConfigDict

from issp_keras import models
from issp_keras.configs import quickstart
from issp_keras.errors import InputError
from issp_keras.programs import configuration
from issp_keras.programs.compare import compare
from issp_keras.programs.train import train

NETWORK = {"name": "plain", "features": 4, "blocks": 1, "scale": 2}


@pytest.fixture
def before():
    """A network with random weights, half of which are zero."""
    keras.utils.set_random_seed(1)
    arguments = {name: NETWORK[name] for name in ("features", "blocks")}
    network = models.plain(2, **arguments)
    for weight in network.weights:
        value = np.array(weight)
        value.flat[::2] = 0
        weight.assign(value)
    return network


@pytest.fixture
def config(before, folder_of_photographs, tmp_path):
    before.save(tmp_path / "before.keras")
    config = quickstart.get_config()
    config.steps, config.steps_per_epoch = 4, 2
    config.network = ConfigDict(NETWORK)
    config.data.train = config.data.held_out = str(folder_of_photographs)
    config.data.patch_size = 8
    config.data.batch_size = 2
    config.sparsity.method = "dense"
    config.pretrained = str(tmp_path / "before.keras")
    return config


def test_begins_with_the_weights_of_the_network(config, before, tmp_path):
    config.learning_rate = 1e-30
    after = train(config, tmp_path / "run")
    for a, b in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-20)


def test_fine_tunes_and_keeps_zeros(config, before, tmp_path):
    config.sparsity.update(
        {
            "method": "l1_norm",
            "target_sparsity": 0.5,
            "pattern": "unstructured",
            "end_step": 1,
        }
    )
    after = train(config, tmp_path / "run")
    kernels = zip(before.layers, after.layers, strict=True)
    found = [
        (np.array(a.kernel), np.array(b.kernel))
        for a, b in kernels
        if hasattr(a, "kernel")
    ]
    assert len(found) == 4
    for a, b in found:
        np.testing.assert_array_equal(a == 0, b == 0)
        assert (a != b).any()


def test_goes_on_without_the_first_weights(config, tmp_path):
    whole = train(config, tmp_path / "whole").get_weights()

    # There is only time for the first epoch.
    assert train(config, tmp_path / "run", until=0) is None
    resumed = train(config, tmp_path / "run").get_weights()
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_does_not_go_on_after_another_beginning(config, before, tmp_path):
    assert train(config, tmp_path / "run", until=0) is None
    before.layers[1].kernel.assign(before.layers[1].kernel + 1)
    before.save(config.pretrained)
    message = "--config.pretrained: is another network than when .*run was st"
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "run")


def test_goes_on_with_a_folder_of_an_earlier_version(config, tmp_path):
    assert train(config, tmp_path / "run", until=0) is None
    path = tmp_path / "run" / "inputs.json"
    inputs = json.loads(path.read_text())
    del inputs["pretrained"]
    path.write_text(json.dumps(inputs))
    assert train(config, tmp_path / "run") is not None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere.keras", "--config.pretrained: nowhere.keras: no such file."),
        ("x9_fast", "--config.pretrained: x9_fast: no such file, and no bund"),
        ("", "--config.pretrained: is '', expected the path of a .keras"),
        (3, "--config.pretrained: is 3, expected the path of a .keras"),
        (__file__, "test_pretrained.py: is not a Keras model"),
        (
            "x2_fast",
            "--config.pretrained: x2_fast: has conv_first/kernel of shape "
            r"\(3, 3, 3, 16\), expected \(3, 3, 3, 4\), as in --config.network",
        ),
    ],
)
def test_refuses_other_files_before_it_writes(config, tmp_path, value, message):
    with config.ignore_type():
        config.pretrained = value
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_refuses_a_network_with_other_layers(config, tmp_path):
    with config.unlocked():
        config.network.last_conv = True
    message = (
        r"before.keras: has head/kernel of shape \(3, 3, 4, 12\), expected "
        r"\(3, 3, 4, 4\), as in --config.network\."
    )
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "run")


def test_new_weights_cannot_begin_with_others(config, tmp_path):
    config.sparsity.update({"method": "scratch", "end_step": 1})
    message = "--config.sparsity.method: is scratch, which draws new weights"
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "run")


def test_a_comparison_names_the_training(config, tmp_path):
    pretrained = config.pretrained
    del config.pretrained
    of = ConfigDict(
        {
            "training": config.to_dict(),
            "seeds": (1,),
            "score_on": (),
            "data_dir": "data",
            "trainings": {
                "good": {"pretrained": pretrained},
                "bad": {"pretrained": "nowhere.keras"},
            },
        }
    )
    with pytest.raises(InputError, match=r"^bad: --config.pretrained: nowhere"):
        compare(of, tmp_path / "run")


def test_only_another_beginning_is_another_training(config):
    begun = configuration.digest(config)
    del config.pretrained
    plain = configuration.digest(config)
    assert begun != plain
    config.pretrained = None
    assert configuration.digest(config) == plain
