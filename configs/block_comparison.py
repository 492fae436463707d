"""Compares the PSNR of zeros in blocks with that of single zeros.

issp-compare --config=configs/block_comparison.py --workdir=runs/blocks

Trains a plain network x4 with 32 features, 16 layers and 162,144 weights, for
20,000 steps of 16 patches, to 90 and 95 % zeros, with the best method of
`recipe_search.py`. The int8 kernels use blocks of 4 input channels, the float32
kernels use blocks of 4 output channels. The first layer has 3 input channels,
so it gets single zeros or blocks of output channels. The data is that of
`recipe_search.py`. Takes some 4 hours on one core.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search

_STEPS = 20_000
_BLOCKS = {
    "single weights": (1, 1),
    "2 inputs": (2, 1),
    "4 inputs": (4, 1),
    "4 outputs": (1, 4),
}


def get_config() -> ConfigDict:
    config = recipe_search.get_config()
    config.training = recipe_search.training(_STEPS)
    trainings = {}
    for sparsity in (0.9, 0.95):
        for name, sides in _BLOCKS.items():
            trainings[f"{name}, {sparsity:.0%} zeros"] = {
                "sparsity": {
                    **recipe_search.CANDIDATES[recipe_search.BEST],
                    **pattern(*sides),
                    "target_sparsity": sparsity,
                }
            }
    config.trainings = ConfigDict(trainings, allow_dotted_keys=True)
    return config


def pattern(inputs: int, outputs: int) -> dict:
    """Returns the entries of a config for blocks of these channels."""
    if inputs == outputs == 1:
        # Other configs have no pattern. Equal configs share their results.
        return {}
    block = {"inputs": inputs, "outputs": outputs}
    return {"pattern": "block", "block": block}
