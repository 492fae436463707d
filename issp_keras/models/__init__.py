"""Super-resolution networks, and functions that load their weights."""

import functools
from collections.abc import Callable

import keras

from issp_keras.models.abpn import ABPN_SIZES
from issp_keras.models.abpn import abpn
from issp_keras.models.cat import cat
from issp_keras.models.dipnet import dipnet
from issp_keras.models.ecbsr import ECBSR_SIZES
from issp_keras.models.ecbsr import ecbsr
from issp_keras.models.edge_sr import EDGE_SR_SIZES
from issp_keras.models.edge_sr import edge_sr
from issp_keras.models.edsr import edsr
from issp_keras.models.finite import check_finite
from issp_keras.models.fsrcnn import fsrcnn
from issp_keras.models.keras_files import load_model
from issp_keras.models.merging import merge
from issp_keras.models.plain import PLAIN_SIZES
from issp_keras.models.plain import plain
from issp_keras.models.rcan import rcan
from issp_keras.models.swinir import swinir
from issp_keras.models.torch_weights import from_torch
from issp_keras.models.torch_weights import load_torch
from issp_keras.models.torch_weights import to_torch

# By name, for configs and binaries.
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "abpn": abpn,
    **{
        f"abpn_{size}": functools.partial(abpn, **arguments)
        for size, arguments in ABPN_SIZES.items()
    },
    "cat": cat,
    "dipnet": dipnet,
    "dipnet_relu": functools.partial(dipnet, activation="relu"),
    "ecbsr": ecbsr,
    **{
        f"ecbsr_{size}": functools.partial(ecbsr, **arguments)
        for size, arguments in ECBSR_SIZES.items()
    },
    "edge_sr": edge_sr,
    **{
        f"edge_sr_{size}": functools.partial(edge_sr, **arguments)
        for size, arguments in EDGE_SR_SIZES.items()
    },
    "edsr": edsr,
    "fsrcnn": fsrcnn,
    "plain": plain,
    **{
        f"plain_{size}": functools.partial(plain, **arguments)
        for size, arguments in PLAIN_SIZES.items()
    },
    "rcan": rcan,
    "swinir": swinir,
}

__all__ = [
    "ABPN_SIZES",
    "ECBSR_SIZES",
    "EDGE_SR_SIZES",
    "NETWORKS",
    "PLAIN_SIZES",
    "abpn",
    "cat",
    "check_finite",
    "dipnet",
    "ecbsr",
    "edge_sr",
    "edsr",
    "from_torch",
    "fsrcnn",
    "load_model",
    "load_torch",
    "merge",
    "plain",
    "rcan",
    "swinir",
    "to_torch",
]
