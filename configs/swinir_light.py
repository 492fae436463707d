"""SwinIR-light sparse from scratch, as in the ISS-P paper.

issp-prepare DF2K/HR prepared/df2k_x2 --scale=2
issp-train --config=configs/swinir_light.py:x2,0.99 --workdir=runs/swinir_light

The training is scored on the photographs in data/Set5 after every epoch. The
setting after the colon is scale and sparsity: x2, x3 or x4 at 0.9, 0.95
or 0.99 in the paper. Pruning takes 100,021 steps and fine-tuning 200,000, of 32
patches of 64x64 LR pixels: days on a GPU, and not measured here.

Source: options/train of the released code of ISS-P (arXiv 2303.09650):
Adam(0.9, 0.99) at 2e-4; the rate is halved after 250,000 steps of fine-tuning
and more, which ISS-P does not reach.
"""

import pathlib
import runpy

from ml_collections import ConfigDict

_EDSR = pathlib.Path(__file__).with_name("edsr_large.py")
_PRUNING, _FINE_TUNING = 100_021, 200_000


def get_config(setting: str = "x4,0.95") -> ConfigDict:
    # The data and the pruning stage are the same for all networks.
    config = runpy.run_path(str(_EDSR))["get_config"](setting)
    scale = config.network.scale
    config.steps = _PRUNING + _FINE_TUNING
    config.steps_per_epoch = 1031  # Divides the steps.
    config.learning_rate = 2e-4
    config.halve_at = (250_000, 400_000, 450_000, 475_000, 500_000)
    config.network = ConfigDict({"name": "swinir", "scale": scale})
    # Exact, where the large networks take the threshold from a sample.
    del config.sparsity.unstructured
    return config
