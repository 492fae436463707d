"""Quality against time: dense and sparse networks with equal training.

issp-compare --config=configs/frontier.py --workdir=runs/frontier
issp-compare --config=configs/frontier.py:dense --workdir=runs/frontier

Every network is trained x4 for 20,000 steps of 16 patches, at the same learning
rate, on the data of `recipe_search.py`. The sparse networks are plain networks
with 32 to 96 features and 80 to 98 % zeros. They are trained with the best
method of `recipe_search.py`, with single zeros and with zeros in blocks of 4
input channels. The dense networks are plain networks and common small networks
of other authors. A word after the colon selects the networks whose names
contain it. Takes some 60 hours on one core; the cheapest networks come first.
`--known=runs/comparison/results.json` reuses the results of
`recipe_comparison.py`.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search
from issp_keras.configs.block_comparison import pattern

_STEPS = 20_000
_DENSE = (
    *("fsrcnn", "plain_16x8", "plain_16x16", "plain_24x16", "plain_32x16"),
    *("ecbsr_m4c16", "abpn_m4c28", "ecbsr_m6c40", "abpn_m6c40"),
    *("edge_sr_100k", "dipnet_relu", "plain_48x16", "plain_64x16"),
)
_SPARSE = ("plain_32x16", "plain_48x16", "plain_64x16", "plain_96x16")
_SPARSITIES = (0.9, 0.95, 0.8, 0.98)


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    config.training = recipe_search.training(_STEPS)
    trainings = _dense()
    for network in _SPARSE:
        trainings |= _sparse(network)
    config.trainings = ConfigDict(
        {name: of for name, of in trainings.items() if only in name},
        allow_dotted_keys=True,
    )
    return config


def _dense():
    return {
        f"{name}, dense": {
            "network": {"name": name},
            "sparsity": {"method": "dense"},
        }
        for name in _DENSE
    }


def _sparse(network):
    return {
        f"{network}, {sparsity:.0%} zeros, {kind}": {
            "network": {"name": network},
            "sparsity": {
                **recipe_search.CANDIDATES[recipe_search.BEST],
                **pattern(*sides),
                "target_sparsity": sparsity,
            },
        }
        for sparsity in _SPARSITIES
        for kind, sides in {"blocks": (4, 1), "single weights": (1, 1)}.items()
    }
