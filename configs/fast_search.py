"""Searches for a narrow network that is fast in int8 and still good.

issp-compare --config=configs/fast_search.py --workdir=runs/fast

Trains two plain networks x4 with zeros in blocks of 4 input channels. Both take
about the same time in int8 with the sparse delegate. They are trained by the
best method of `recipe_search.py` on its data, with the loss "L1 and FFT", for
60,000 steps. They also learn from the results of the bundled network `x4_good`.
Takes some 2 hours on one core.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search
from issp_keras.configs.block_comparison import pattern

_STEPS = 60_000
# The networks and the share of zeros.
_NETWORKS = {"plain_16x16": 0.6, "plain_24x16": 0.8}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    trainings = {
        f"{network}, {sparsity:.0%} zeros": training(4, network, sparsity)
        for network, sparsity in _NETWORKS.items()
    }
    config.trainings = recipe_search.selected(trainings, only)
    return config


def training(scale: int, network: str, sparsity: float) -> dict:
    """Returns the changes of a training that has `good` as a teacher."""
    teacher = {
        "model": f"x{scale}_good",
        "weight": 0.5,
        "self_ensemble": True,
    }
    return {
        "steps": _STEPS,
        "network": {"name": network, "scale": scale},
        "loss": "l1_fft",
        "teacher": teacher,
        "sparsity": {
            **recipe_search.CANDIDATES[recipe_search.BEST],
            **pattern(4, 1),
            "target_sparsity": sparsity,
            "end_step": recipe_search.training(_STEPS).sparsity.end_step,
        },
    }
