"""Quality against time: dense and sparse networks with equal training.

issp-compare --config=configs/frontier.py --workdir=runs/frontier
issp-compare --config=configs/frontier.py:dense --workdir=runs/frontier

Every network is trained for 20,000 steps of 16 patches, at the same learning
rate, on the data of `recipe_search.py`. The sparse networks are plain networks
with 16 to 96 features. The narrow ones have 50 to 80 % zeros, the wide ones
have 70 to 98 %. They are trained with the best method of `recipe_search.py`,
with zeros in blocks of 4 input channels and with single zeros. The dense
networks are plain networks and common networks of other authors. Some of them
are also trained as sums of branches, as the authors of ECBSR do. All are
trained x4. Some of the plain networks are also trained x2; their names contain
"x2". A word after the colon selects the networks whose names contain it. Takes
some 70 hours on one core, without EDSR-baseline, which alone takes longer. The
cheapest networks come first. To reuse the results of `recipe_comparison.py`,
give `--known=runs/comparison/results.json`.
"""

import itertools

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search
from issp_keras.configs.block_comparison import pattern

_STEPS = 20_000
_KINDS = {"blocks": (4, 1), "single weights": (1, 1)}
_DENSE = (
    *("fsrcnn", "plain_16x8", "plain_16x16", "plain_24x16", "plain_32x16"),
    *("ecbsr_m4c16", "abpn_m4c28", "ecbsr_m6c40", "abpn_m6c40"),
    *("edge_sr_100k", "dipnet_relu", "plain_48x16", "plain_64x16"),
    *("plain_res48x16", "edsr"),
)
_BRANCHES = ("ecbsr_m4c16", "plain_16x16", "ecbsr_m6c40")
_DENSE_X2 = ("plain_16x8", "plain_16x16", "plain_24x16", "plain_32x16")
_WIDE = (0.9, 0.95, 0.8, 0.98)
_SPARSE = {
    "plain_16x8": (0.5, 0.7),
    "plain_16x16": (0.7, 0.5),
    "plain_24x16": (0.7, 0.8, 0.5),
    "plain_32x16": (*_WIDE, 0.7),
    "plain_48x16": (*_WIDE, 0.85),
    "plain_64x16": _WIDE,
    "plain_96x16": _WIDE,
}
_SPARSE_X2 = {
    "plain_16x16": (0.5,),
    "plain_24x16": (0.7,),
    "plain_32x16": (0.7, 0.9),
    "plain_48x16": (0.8, 0.9),
}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    config.training = recipe_search.training(_STEPS)
    trainings = {
        name: of
        for scale, dense, sparse in (
            (4, _DENSE, _SPARSE),
            (2, _DENSE_X2, _SPARSE_X2),
        )
        for name, of in (*_dense(dense, scale), *_sparse(sparse, scale))
    }
    as_branches = "dense, trained as branches"
    trainings.update(_dense(_BRANCHES, 4, as_branches, reparameterized=True))
    config.trainings = recipe_search.selected(trainings, only)
    return config


def _dense(networks, scale, kind="dense", **options):
    for network in networks:
        yield (
            f"{_name(network, scale)}, {kind}",
            {
                "network": {"name": network, "scale": scale, **options},
                "sparsity": {"method": "dense"},
            },
        )


def _sparse(networks, scale):
    best = recipe_search.CANDIDATES[recipe_search.BEST]
    for network, sparsities in networks.items():
        for sparsity, kind in itertools.product(sparsities, _KINDS):
            yield (
                f"{_name(network, scale)}, {sparsity:.0%} zeros, {kind}",
                {
                    "network": {"name": network, "scale": scale},
                    "sparsity": {
                        **best,
                        **pattern(*_KINDS[kind]),
                        "target_sparsity": sparsity,
                    },
                },
            )


def _name(network, scale):
    return network if scale == 4 else f"{network} x{scale}"
