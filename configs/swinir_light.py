"""SwinIR-light sparse from scratch, as in the ISS-P paper.

issp-prepare DF2K/HR prepared/df2k_x2 --scale=2
issp-train --config=swinir_light:scale=2,sparsity=0.99 --workdir=runs/swinir

After every epoch, the network is scored on the photographs in data/Set5. The
paper has the scales 2, 3 and 4, and the sparsities 0.9, 0.95 and 0.99. The
defaults are 4 and 0.95. Pruning takes 100,021 steps and fine-tuning 200,000. A
step uses 32 patches of 64x64 low-resolution (LR) pixels. The training takes
days on a GPU. The time was not measured.

Source: options/train of the released code of ISS-P (arXiv 2303.09650):
Adam(0.9, 0.99) at 2e-4. The rate is halved after 250,000 and more steps of
fine-tuning, which ISS-P does not reach.
"""

from ml_collections import ConfigDict

from issp_keras.configs import paper
from issp_keras.configs.setting import parse_setting

_FINE_TUNING = 200_000


def get_config(setting: str = "") -> ConfigDict:
    scale, sparsity = parse_setting(setting, scale=4, sparsity=0.95).values()
    config = paper.training(scale, sparsity, _FINE_TUNING)
    config.steps_per_epoch = 1031  # Divides the steps.
    config.learning_rate = 2e-4
    config.halve_at = (250_000, 400_000, 450_000, 475_000, 500_000)
    config.network = ConfigDict({"name": "swinir", "scale": scale})
    return config
