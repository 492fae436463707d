"""EDSR-L (43 M weights) sparse from scratch, as in the ISS-P paper.

issp-prepare DF2K/HR prepared/df2k_x4 --scale=4
issp-train --config=configs/edsr_large.py:x4,0.95 --workdir=runs/edsr_large

The training is scored on the photographs in data/Set5 after every epoch. The
setting after the colon is scale and sparsity; the paper's is x4,0.95.
Pruning takes 100,021 steps and fine-tuning 300,000, of 32 patches of 64x64 LR
pixels: days on a GPU, and not measured here. Expect at most the dense
network's PSNR on Set5, 30.55 dB on RGB, which the paper compares here.

Source: options/train of the released code of ISS-P (arXiv 2303.09650):
Adam(0.9, 0.99) at 1e-4, halved after 200,000 steps of fine-tuning.
"""

from ml_collections import ConfigDict

_PRUNING, _FINE_TUNING = 100_021, 300_000


def get_config(setting: str = "x4,0.95") -> ConfigDict:
    scale, sparsity = setting.removeprefix("x").split(",")
    config = ConfigDict()
    config.seed = 10
    config.steps = _PRUNING + _FINE_TUNING
    config.steps_per_epoch = 1303  # Divides the steps.
    config.learning_rate = 1e-4
    config.halve_at = (200_000,)
    config.network = ConfigDict(
        {
            "name": "edsr",
            "scale": int(scale),
            "features": 256,
            "blocks": 32,
            "residual_scale": 0.1,
        }
    )
    config.data = ConfigDict(
        {
            "train": f"prepared/df2k_x{scale}",
            "held_out": "set5",
            "patch_size": 64,
            "batch_size": 32,
        }
    )
    config.sparsity = ConfigDict(
        {
            "method": "iss_p",
            "target_sparsity": float(sparsity),
            "begin_step": 0,
            "end_step": _PRUNING,
            "ramp": "constant",
            "distribution": "uniform",
            "pattern": "unstructured",
            "iss_p": {"shrink_ratio": 0.95},
            # The threshold from a sample, as in the paper's large networks.
            "unstructured": {"sample_size": 32_400},
        }
    )
    return config
