"""CAT-R sparse from scratch, as in the ISS-P paper.

issp-prepare DF2K/HR prepared/df2k_x4 --scale=4
issp-train --config=cat_r:scale=4,sparsity=0.95 --workdir=runs/cat_r

After every epoch, the network is scored on the photographs in data/Set5. The
settings after the colon are optional. The defaults are those of the paper.
Pruning takes 100,021 steps and fine-tuning 500,000. A step uses 32 patches of
64x64 low-resolution (LR) pixels. The training takes days on a GPU. The time was
not measured.

Source: options/train of the released code of ISS-P (arXiv 2303.09650):
Adam(0.9, 0.99) at 2e-4, halved after 250,000, 400,000, 450,000 and 475,000
steps of fine-tuning.
"""

from ml_collections import ConfigDict

from issp_keras.configs import paper
from issp_keras.configs.setting import parse_setting

_FINE_TUNING = 500_000


def get_config(setting: str = "") -> ConfigDict:
    scale, sparsity = parse_setting(setting, scale=4, sparsity=0.95).values()
    config = paper.training(scale, sparsity, _FINE_TUNING)
    config.steps_per_epoch = 939  # Divides the steps.
    config.learning_rate = 2e-4
    config.halve_at = (250_000, 400_000, 450_000, 475_000)
    config.network = ConfigDict({"name": "cat", "scale": scale})
    # A sample gives the threshold, as for the paper's large networks.
    config.sparsity.unstructured = ConfigDict({"sample_size": 32_400})
    return config
