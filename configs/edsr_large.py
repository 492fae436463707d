"""EDSR-L (43 M weights) sparse from scratch, as in the ISS-P paper.

issp-prepare DF2K/HR prepared/df2k_x4 --scale=4
issp-train --config=edsr_large:scale=4,sparsity=0.95 --workdir=runs/edsr_large

After every epoch, the network is scored on the photographs in data/Set5, on RGB
as in the paper. The settings after the colon are optional. The defaults are
those of the paper. Pruning takes 100,021 steps and fine-tuning 300,000. A step
uses 32 patches of 64x64 low-resolution (LR) pixels. The training takes days on
a GPU. The time was not measured. Expect at most the PSNR of the dense network
on Set5, 30.55 dB.

Source: options/train of the released code of ISS-P (arXiv 2303.09650):
Adam(0.9, 0.99) at 1e-4, halved after 200,000 steps of fine-tuning.
"""

from ml_collections import ConfigDict

from issp_keras.configs import paper
from issp_keras.configs.setting import parse_setting

_FINE_TUNING = 300_000


def get_config(setting: str = "") -> ConfigDict:
    scale, sparsity = parse_setting(setting, scale=4, sparsity=0.95).values()
    config = paper.training(scale, sparsity, _FINE_TUNING)
    config.steps_per_epoch = 1303  # Divides the steps.
    config.learning_rate = 1e-4
    config.halve_at = (200_000,)
    config.score_channels = "rgb"
    config.network = ConfigDict(
        {
            "name": "edsr",
            "scale": scale,
            "features": 256,
            "blocks": 32,
            "residual_scale": 0.1,
        }
    )
    # A sample gives the threshold, as for the paper's large networks.
    config.sparsity.unstructured = ConfigDict({"sample_size": 32_400})
    return config
