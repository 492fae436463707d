"""A network for phones, x4, at 80 % zeros, from scikit-image's photographs.

issp-train --config=configs/quickstart_x4.py --workdir=runs/quickstart_x4

The network that comes with issp_keras, for `issp-upscale` without `--model`.
"""

import pathlib
import runpy

from ml_collections import ConfigDict

_QUICKSTART = pathlib.Path(__file__).with_name("quickstart.py")


def get_config() -> ConfigDict:
    config = runpy.run_path(str(_QUICKSTART))["get_config"]()
    config.steps = 20_000
    config.steps_per_epoch = 1000
    config.network = ConfigDict({"name": "edge_sr_100k", "scale": 4})
    config.data.batch_size = 16
    config.sparsity.target_sparsity = 0.8
    config.sparsity.end_step = 12_000
    # They gain nothing from zeros.
    config.sparsity.exclude = ("stem", "depthwise")
    return config
