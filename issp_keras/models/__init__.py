"""Super-resolution networks, and their weights from files."""

import functools
from collections.abc import Callable

import keras

from issp_keras.models.cat import cat
from issp_keras.models.edge_sr import EDGE_SR_SIZES
from issp_keras.models.edge_sr import edge_sr
from issp_keras.models.edsr import edsr
from issp_keras.models.loading import load_model
from issp_keras.models.rcan import rcan
from issp_keras.models.swinir import swinir
from issp_keras.models.torch_weights import from_torch
from issp_keras.models.torch_weights import load_torch
from issp_keras.models.torch_weights import to_torch

# By name, for configs and binaries.
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "cat": cat,
    "edge_sr": edge_sr,
    **{
        f"edge_sr_{size}": functools.partial(edge_sr, **arguments)
        for size, arguments in EDGE_SR_SIZES.items()
    },
    "edsr": edsr,
    "rcan": rcan,
    "swinir": swinir,
}

__all__ = [
    "EDGE_SR_SIZES",
    "NETWORKS",
    "cat",
    "edge_sr",
    "edsr",
    "from_torch",
    "load_model",
    "load_torch",
    "rcan",
    "swinir",
    "to_torch",
]
