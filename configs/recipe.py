r"""A plain network with many zeros, trained by the best recipe that we know.

issp-train --config=recipe:scale=2,sparsity=0.9 --workdir=runs/mine \
    --config.data.train=photographs

`recipe_search.py` found the recipe: a latent (dense) copy of the weights with
Feather's operator, a cubic ramp of the sparsity for 60 % of the steps, and a
learning rate that falls to 0 as a cosine. `photographs` stands for your
folders, separated by commas. The settings after the colon and their defaults
are network=plain_32x16, scale=4, sparsity=0.9, steps=20000, inputs=1, and
loss=l1. Write inputs=4 for zeros in blocks of 4 input channels, which are
faster in int8. Write loss=l1_fft for a loss of pixels and of their Fourier
transform. The default training takes about half an hour on one core with
TensorFlow.
"""

from ml_collections import ConfigDict

from issp_keras.configs import recipe_search
from issp_keras.configs.block_comparison import pattern
from issp_keras.configs.setting import parse_setting


def get_config(setting: str = "") -> ConfigDict:
    network, scale, sparsity, steps, inputs, loss = parse_setting(
        setting,
        network="plain_32x16",
        scale=4,
        sparsity=0.9,
        steps=20_000,
        inputs=1,
        loss="l1",
    ).values()
    config = recipe_search.training(steps)
    config.loss = loss
    config.network = ConfigDict({"name": network, "scale": scale})
    config.sparsity.update(
        {
            **recipe_search.CANDIDATES[recipe_search.BEST],
            **pattern(inputs, 1),
            "target_sparsity": sparsity,
        }
    )
    return config
