"""A small EDSR x2 with 90 % zeros by ISS-P, on photographs of scikit-image.

issp-train --config=configs/edsr_small.py --workdir=runs/edsr_small

This is ISS-P as published, on a network that trains in about 100 seconds on 2
cores. Expect a PSNR of 33.5 dB on Y (luma), the mean of the three held-out
photographs. Bicubic interpolation has 32.7 dB.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 10
    config.steps = 3000
    config.steps_per_epoch = 250
    config.learning_rate = 1e-3
    config.network = ConfigDict(
        {
            "name": "edsr",
            "scale": 2,
            "features": 32,
            "blocks": 4,
            "residual_scale": 1.0,
        }
    )
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
            "method": "iss_p",
            "target_sparsity": 0.9,
            "begin_step": 0,
            "end_step": 2000,
            "ramp": "constant",
            "distribution": "uniform",
            "pattern": "unstructured",
            # Arguments of the method.
            "iss_p": {"shrink_ratio": 0.95},
        }
    )
    # A .keras file or a bundled network whose weights the training begins with.
    config.pretrained = placeholder(str)
    # The first step with simulated int8, or None.
    config.simulated_int8 = ConfigDict({"begin_step": placeholder(int)})
    return config
