"""A plain network x2 with 90 % zeros, on photographs of scikit-image.

issp-train --config=configs/quickstart.py --workdir=runs/quickstart

Uses the recipe that `configs/recipe_search.py` found: a latent (dense) copy of
the weights with Feather's operator, a cubic ramp of the sparsity for 60 % of
the steps, and a learning rate that falls to 0 as a cosine. Zeros come in blocks
of 4 input channels. Takes about 4 minutes on 2 cores. Expect a PSNR of 34.0 dB
on Y (luma), the mean of the three held-out photographs. Bicubic interpolation
has 32.7 dB.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 10
    config.steps = 3000
    # A .keras file or a bundled network whose weights the training begins with.
    config.pretrained = placeholder(str)
    config.steps_per_epoch = 250
    config.learning_rate = 1e-3
    config.decay_begin = 0
    config.network = ConfigDict({"name": "plain_32x16", "scale": 2})
    config.data = ConfigDict(
        {
            "train": "embedded",
            "held_out": "embedded",
            "patch_size": 32,
            "batch_size": 8,
        }
    )
    config.sparsity = ConfigDict(
        {
            "method": "latent",
            # The number of zero blocks is rounded down. So every kernel has at
            # least 90 % zeros.
            "target_sparsity": 0.902,
            "begin_step": 0,
            "end_step": 1800,
            "ramp": "cubic",
            "distribution": "uniform",
            "pattern": "block",
            "block": {"inputs": 4, "outputs": 1},
            # Arguments of the method.
            "latent": {"power": 3.0, "pruned_rate": 1.0},
        }
    )
    # The first step with simulated int8, or None.
    config.simulated_int8 = ConfigDict({"begin_step": placeholder(int)})
    return config
