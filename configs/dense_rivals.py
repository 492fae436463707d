"""Trains dense networks like the bundled network `x4_fast`.

issp-compare --config=configs/dense_rivals.py --workdir=runs/rivals

The networks have the same data, steps, loss and teacher. So the comparison
shows what the zeros of `x4_fast` are worth at equal time. Takes an hour on one
core. `dense_rivals.py:16x8` trains only the networks whose names contain this
word.
"""

from ml_collections import ConfigDict

from issp_keras.configs import bundled
from issp_keras.configs import recipe_search

_FAST = "x4_fast"
_NETWORKS = ("plain_16x8", "plain_16x16")


def get_config(only: str = "") -> ConfigDict:
    config = bundled.get_config(_FAST)
    fast = config.trainings[_FAST].to_dict()
    trainings = {
        f"{name}, dense, like {_FAST}": {
            **fast,
            "network": {**fast["network"], "name": name},
            "sparsity": {"method": "dense"},
        }
        for name in _NETWORKS
    }
    config.trainings = recipe_search.selected(trainings, only)
    return config
