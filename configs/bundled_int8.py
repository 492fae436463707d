"""Fine-tunes the bundled networks with simulated int8.

issp-compare --config=configs/bundled_int8.py --workdir=runs/bundled_int8
python benchmarks/bundle.py --runs=runs/bundled_int8

Each training begins with the weights of the bundled network of its name, and
keeps its zeros. It rounds as int8 does, so that the int8 file loses less PSNR.
The data is that of `recipe_search.py`, and the loss is "L1 and FFT".
`bundled_int8.py:fast` trains only the networks whose names contain this word.
The second command puts them into the package.
"""

from ml_collections import ConfigDict

from issp_keras.configs import bundled
from issp_keras.configs import recipe_search

_STEPS = {"fast": 10_000, "good": 3_000}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    config.training.update(
        {
            "learning_rate": 5e-4,
            "dtype_policy": "float32",
            "simulated_int8": {"begin_step": 1},
        }
    )
    config.trainings = recipe_search.selected(
        {
            name: _fine_tuning(name, training)
            for name, training in bundled.get_config().trainings.items()
        },
        only,
    )
    return config


def _fine_tuning(name, training):
    return {
        "pretrained": name,
        "steps": _STEPS[name.partition("_")[2]],
        "network": training["network"],
        "loss": training["loss"],
        "sparsity": {
            **training["sparsity"],
            # It sets the smallest weights to zero. They are zero already.
            "method": "l1_norm",
            "ramp": "constant",
            "end_step": 1,
        },
    }
