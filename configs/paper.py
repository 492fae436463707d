"""Settings that all trainings of the ISS-P paper share; not a config itself.

Source: options/train of the released code of ISS-P (arXiv 2303.09650).
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

_PRUNING = 100_021


def training(scale: int, sparsity: float, fine_tuning: int) -> ConfigDict:
    """Returns a config without network, learning rate and steps per epoch.

    Args:
        scale: Integer, the magnification.
        sparsity: Float, the share of zeros at the end.
        fine_tuning: Integer, the steps after pruning.
    """
    config = ConfigDict()
    config.seed = 10
    config.steps = _PRUNING + fine_tuning
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
            "target_sparsity": sparsity,
            "begin_step": 0,
            "end_step": _PRUNING,
            "ramp": "constant",
            "distribution": "uniform",
            "pattern": "unstructured",
            "iss_p": {"shrink_ratio": 0.95},
        }
    )
    # A .keras file or a bundled network whose weights the training begins with.
    config.pretrained = placeholder(str)
    # The first step with simulated int8, or None.
    config.simulated_int8 = ConfigDict({"begin_step": placeholder(int)})
    return config
