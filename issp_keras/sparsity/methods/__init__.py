"""Pruning methods, one class in each file."""

from issp_keras.sparsity.methods.ac_dc import ACDC
from issp_keras.sparsity.methods.assl import ASSL
from issp_keras.sparsity.methods.base import Change
from issp_keras.sparsity.methods.base import Clock
from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.methods.iht import IHT
from issp_keras.sparsity.methods.iss_p import ISSP
from issp_keras.sparsity.methods.iss_r import ISSR
from issp_keras.sparsity.methods.l1_norm import L1Norm
from issp_keras.sparsity.methods.latent import Latent
from issp_keras.sparsity.methods.random import Random
from issp_keras.sparsity.methods.regrowth import Regrowth
from issp_keras.sparsity.methods.scratch import Scratch
from issp_keras.sparsity.methods.srp import SRP

# By name, for configs.
METHODS = {
    "ac_dc": ACDC,
    "assl": ASSL,
    "iht": IHT,
    "iss_p": ISSP,
    "iss_r": ISSR,
    "l1_norm": L1Norm,
    "latent": Latent,
    "random": Random,
    "regrowth": Regrowth,
    "scratch": Scratch,
    "srp": SRP,
}

__all__ = [
    "ACDC",
    "ASSL",
    "IHT",
    "ISSP",
    "ISSR",
    "METHODS",
    "SRP",
    "Change",
    "Clock",
    "L1Norm",
    "Latent",
    "Method",
    "Random",
    "Regrowth",
    "Scratch",
]
