"""EDSR-baseline, SwinIR-light or edge_sr x4 with 95 % zeros, trained briefly.

issp-train --config=configs/short_x4.py:edsr --workdir=runs/short_edsr
issp-export runs/short_edsr/model.keras --all

Use it to measure the size and speed of files. These need the zeros of a trained
network, but not its quality. The name after the colon is edsr, swinir or
edge_sr_100k. Each takes some 10 minutes on 2 cores.
"""

from ml_collections import ConfigDict

from issp_keras.configs import edsr_small
from issp_keras.configs.setting import parse_setting


def get_config(setting: str = "") -> ConfigDict:
    (name,) = parse_setting(setting, name="edsr").values()
    config = edsr_small.get_config()
    config.steps = 3000
    config.steps_per_epoch = 500
    config.learning_rate = 5e-4
    config.network = ConfigDict({"name": name, "scale": 4})
    config.data.patch_size = 24
    config.data.batch_size = 4
    config.sparsity.target_sparsity = 0.95
    if name.startswith("edge_sr"):
        config.steps = 6000
        config.data.batch_size = 16
        # Zeros do not make these layers faster.
        config.sparsity.exclude = ("stem", "depthwise")
    config.sparsity.end_step = config.steps * 2 // 3
    return config
