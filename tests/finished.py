"""Trainings that `issp-compare` has finished."""

import json

import keras
import numpy as np

from issp_keras import models


def write_training(folder, name, zeros):
    """Writes what `issp-compare` leaves of a training.

    Args:
        folder: Path.
        name: String, the name of the training.
        zeros: Float, the share of zeros; 0 for a dense training.
    """
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    # Small networks are left to TFLite.
    model = models.plain(2, features=32, blocks=1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            edge = np.quantile(abs(kernel), zeros)
            layer.kernel.assign(np.where(abs(kernel) < edge, 0, kernel))
    model.save(folder / "model.keras")
    method = "latent" if zeros else "dense"
    config = {
        "network": {"name": "plain_32x16", "scale": 2, "blocks": 1},
        "sparsity": {
            "method": method,
            "pattern": "block",
            "block": {"inputs": 4, "outputs": 1},
        },
        "loss": "l1_fft",
        "data": {"train": "data/T91,data/BSD200,data/DIV2K_quarter"},
    }
    result = {
        "name": name,
        "seed": 0,
        "settings": name,
        "backend": "tensorflow",
        "steps": 5,
        "weights": 100,
        "non_zeros": 100,
        "scores": {
            name: {"psnr": 20.0, "ssim": 0.5} for name in ("set5", "Kodak24")
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "result.json").write_text(json.dumps(result))
