"""Compares pruning methods on SwinIR-light x4, in short trainings.

issp-compare --config=configs/swinir_comparison.py --workdir=runs/swinir

The paper on ISS-P (arXiv 2303.09650) compares methods on SwinIR-light, and
trains for about 300,000 steps of 32 patches. These trainings have 3,000 steps
of 4 patches, so they only show which method learns fastest. ISS-P, L1-norm and
SRP are rivals in the paper. The last method is the best one of
`recipe_search.py`. All trainings begin with the same random weights, and share
the data and the learning rate. There are 13: a dense one, and each method with
90, 95 and 99 % zeros. They take some 5 hours on one core.
`swinir_comparison.py:95%` trains only those whose names contain this word.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search

_STEPS = 3000
# The mask is fixed from here on.
_END = 1800
_METHODS = {
    "ISS-P": {"method": "iss_p"},
    # It trains dense until it prunes once.
    "L1-norm": {"method": "l1_norm", "begin_step": _END - 1},
    # The penalty grows at every step of this short training.
    "SRP": {"method": "srp", "srp": {"interval": 1}},
    "recipe": recipe_search.CANDIDATES[recipe_search.BEST],
}


def get_config(only: str = "") -> ConfigDict:
    config = recipe_search.get_config()
    config.training = recipe_search.training(_STEPS)
    config.training.learning_rate = 5e-4
    config.training.dtype_policy = "float32"
    config.training.network = ConfigDict({"name": "swinir", "scale": 4})
    config.training.data.batch_size = 4
    config.training.sparsity.end_step = _END
    trainings = {"dense": {"sparsity": {"method": "dense"}}}
    for sparsity in (0.95, 0.9, 0.99):
        for name, method in _METHODS.items():
            trainings[f"{name}, {sparsity:.0%} zeros"] = {
                "sparsity": {**method, "target_sparsity": sparsity}
            }
    config.trainings = recipe_search.selected(trainings, only)
    return config
