"""Trains the networks that come with the package.

issp-compare --config=configs/bundled.py --workdir=runs/bundled
python benchmarks/bundle.py --runs=runs/bundled

Trains plain networks x4, x2 and x3 by the best method of `recipe_search.py`, on
its data, with the loss "L1 and FFT". `good` has 48 features and single zeros.
`fast` has 16 features and zeros in blocks of 4 input channels, is trained
longer, and also learns from the results of `good`. This uses the `good` network
that already comes with the package. Takes some 7 hours on one core.
`bundled.py:x4` trains only the networks whose names contain this word. The
second command puts them into the package.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search
from issp_keras.configs.block_comparison import pattern

# Magnification: the share of zeros in `fast`. Those of x4 make it run in less
# than a third of the time of the dense network ECBSR-M4C16.
_SCALES = {4: 0.65, 2: 0.6, 3: 0.6}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    trainings = {}
    for scale, sparsity in _SCALES.items():
        trainings[f"x{scale}_good"] = _training(
            scale, "plain_48x16", 30_000, sparsity=0.9
        )
        trainings[f"x{scale}_fast"] = {
            **_training(scale, "plain_16x16", 60_000, sparsity, inputs=4),
            "teacher": {
                "model": f"x{scale}_good",
                "weight": 0.5,
                "self_ensemble": True,
            },
        }
    config.trainings = recipe_search.selected(trainings, only)
    return config


def _training(scale, network, steps, sparsity, inputs=1):
    return {
        "steps": steps,
        "network": {"name": network, "scale": scale},
        "loss": "l1_fft",
        "sparsity": {
            **recipe_search.CANDIDATES[recipe_search.BEST],
            **pattern(inputs, 1),
            "target_sparsity": sparsity,
            "end_step": recipe_search.training(steps).sparsity.end_step,
        },
    }
