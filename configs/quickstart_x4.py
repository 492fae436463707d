"""A sparse network for phones, x4, on photographs of scikit-image.

issp-train --config=configs/quickstart_x4.py --workdir=runs/quickstart_x4
issp-evaluate --model=runs/quickstart_x4/model.keras --data=set5,set14

Takes 10 minutes on 2 cores. It makes the network that `issp-upscale` uses
without `--model`. The network has 100 thousand weights. Its 1x1 convolutions
have 80 % zeros, which is enough for XNNPACK's sparse kernels on ARM. Expect a
PSNR of 29.77 dB on Y (luma) on Set5 and 26.99 dB on Set14. Bicubic
interpolation has 28.43 and 25.99 dB.
"""

from ml_collections import ConfigDict

from issp_keras.configs import edsr_small


def get_config() -> ConfigDict:
    config = edsr_small.get_config()
    config.steps = 20_000
    config.steps_per_epoch = 1000
    config.network = ConfigDict({"name": "edge_sr_100k", "scale": 4})
    config.data.batch_size = 16
    config.sparsity.target_sparsity = 0.8
    config.sparsity.end_step = 12_000
    # Zeros do not make these layers faster.
    config.sparsity.exclude = ("stem", "depthwise")
    return config
