"""The networks in sizes that tests can afford."""

from issp_keras import models

TINY = {
    "cat": lambda scale=2: models.cat(scale, 32, (2,), heads=2, features=4),
    "cat_axial": lambda scale=2: models.cat(
        scale, 32, (2,), heads=2, windows=(2, None), features=4
    ),
    "edge_sr": lambda scale=2: models.edge_sr(scale, width=6, blocks=2),
    "edsr": lambda scale=2: models.edsr(scale, features=4, blocks=1),
    "rcan": lambda scale=2: models.rcan(
        scale, 4, groups=1, blocks=2, squeeze=2
    ),
    "swinir": lambda scale=2: models.swinir(scale, 6, (2,), heads=2),
    "swinir_classical": lambda scale=2: models.swinir(
        scale, 6, (2,), heads=2, upsampler="pixelshuffle", features=4
    ),
}
