"""Trains the networks that come with the package.

issp-compare --config=configs/bundled.py --workdir=runs/bundled
python benchmarks/bundle.py --runs=runs/bundled

Trains plain networks by the best method of `recipe_search.py`, on its data:
`fast` with 32 features and `good` with 48, for x4, x2 and x3. The training of
`good` is longer, and its loss is "L1 and FFT". Takes some 10 hours on one core.
`bundled.py:x4` trains only the networks whose names contain this word. The
second command puts them into the package.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search

_SCALES = (4, 2, 3)
_SPARSITY = 0.9
# The networks, and the steps and the loss of their trainings.
_KINDS = {
    "good": ("plain_48x16", 30_000, "l1_fft"),
    "fast": ("plain_32x16", 20_000, "l1"),
}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    trainings = {
        f"x{scale}_{kind}": _changes(scale, *of)
        for scale in _SCALES
        for kind, of in _KINDS.items()
    }
    config.trainings = recipe_search.selected(trainings, only)
    return config


def _changes(scale, network, steps, loss):
    training = recipe_search.training(steps)
    return {
        "steps": steps,
        "network": {"name": network, "scale": scale},
        "loss": loss,
        "sparsity": {
            **recipe_search.CANDIDATES[recipe_search.BEST],
            "target_sparsity": _SPARSITY,
            "end_step": training.sparsity.end_step,
        },
    }
