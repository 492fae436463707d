"""Compares all pruning methods on a small EDSR, under equal conditions.

issp-compare --config=configs/compare_methods.py --workdir=runs/compare

Every method trains the network of `edsr_small.py` from the same random weights,
on the same patches, for 1000 steps. They are pruning and fine-tuning
together. Each method divides them in its own way. The sparsities are 0.9, 0.95
and 0.99, with two seeds. These are 78 trainings, which take about an hour on 2
cores.
"""

from ml_collections import ConfigDict

from issp_keras.configs import edsr_small


def get_config() -> ConfigDict:
    training = edsr_small.get_config()
    training.steps = 1000
    training.steps_per_epoch = 500
    training.sparsity.end_step = 700
    # The penalties of ISS-R, SRP and ASSL grow at every step of this short
    # training.
    every_step = {"interval": 1}
    config = ConfigDict()
    config.training = training
    config.seeds = (10, 11)
    config.score_on = ("embedded",)
    config.data_dir = "data"
    methods = {
        "ISS-P": {"method": "iss_p"},
        # 2,000 of the 9,216 weights of a kernel in the body give its threshold.
        "ISS-P, sampled": {
            "method": "iss_p",
            "unstructured": {"sample_size": 2000},
        },
        "ISS-R": {"method": "iss_r", "iss_r": every_step},
        "IHT": {"method": "iht"},
        "L1-norm": {"method": "l1_norm"},
        "Scratch": {"method": "scratch"},
        "SRP": {"method": "srp", "srp": every_step},
        "ASSL": {
            "method": "assl",
            "assl": {"constrained": r"body\.", **every_step},
        },
        "gradual magnitude": {"method": "iht", "ramp": "cubic"},
        "random": {"method": "random"},
        "latent copy, Feather": {"method": "latent", "ramp": "cubic"},
        "regrowth by momentum": {"method": "regrowth", "ramp": "cubic"},
        "AC/DC": {"method": "ac_dc"},
    }
    config.trainings = ConfigDict(
        {
            f"{name}, {sparsity:.0%} zeros": {
                "sparsity": {**changes, "target_sparsity": sparsity}
            }
            for sparsity in (0.9, 0.95, 0.99)
            for name, changes in methods.items()
        },
        allow_dotted_keys=True,
    )
    return config
