"""Pruning as pure functions on tensors, without input and output.

`schedules` says when to prune, and the overall sparsity. `distributions` says
how many weights each kernel loses. `patterns` and `selection` choose the
weights. `methods` says what happens to the chosen weights. `zeros` defines a
pruned weight. These parts do not depend on each other. `pruner` combines
them, and `issp_keras.callbacks` runs them in `model.fit`.
"""

from issp_keras.sparsity.distributions import DISTRIBUTIONS
from issp_keras.sparsity.distributions import ERK
from issp_keras.sparsity.distributions import Cost
from issp_keras.sparsity.distributions import Distribution
from issp_keras.sparsity.distributions import Global
from issp_keras.sparsity.distributions import Map
from issp_keras.sparsity.distributions import Uniform
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods import ACDC
from issp_keras.sparsity.methods import ASSL
from issp_keras.sparsity.methods import IHT
from issp_keras.sparsity.methods import ISSP
from issp_keras.sparsity.methods import ISSR
from issp_keras.sparsity.methods import METHODS
from issp_keras.sparsity.methods import SRP
from issp_keras.sparsity.methods import Change
from issp_keras.sparsity.methods import Clock
from issp_keras.sparsity.methods import L1Norm
from issp_keras.sparsity.methods import Latent
from issp_keras.sparsity.methods import Method
from issp_keras.sparsity.methods import Random
from issp_keras.sparsity.methods import Regrowth
from issp_keras.sparsity.methods import Scratch
from issp_keras.sparsity.patterns import NM
from issp_keras.sparsity.patterns import PATTERNS
from issp_keras.sparsity.patterns import Block
from issp_keras.sparsity.patterns import Pattern
from issp_keras.sparsity.patterns import Unstructured
from issp_keras.sparsity.pruner import Pruner
from issp_keras.sparsity.schedules import ISSPSchedule
from issp_keras.sparsity.schedules import PruningSchedule
from issp_keras.sparsity.selection import Exact
from issp_keras.sparsity.selection import Sampled

__all__ = [
    "ACDC",
    "ASSL",
    "DISTRIBUTIONS",
    "ERK",
    "IHT",
    "ISSP",
    "ISSR",
    "METHODS",
    "NM",
    "PATTERNS",
    "SRP",
    "Block",
    "Change",
    "Clock",
    "Cost",
    "Distribution",
    "Exact",
    "Global",
    "ISSPSchedule",
    "Kernel",
    "L1Norm",
    "Latent",
    "Map",
    "Method",
    "Pattern",
    "Pruner",
    "PruningSchedule",
    "Random",
    "Regrowth",
    "Sampled",
    "Scratch",
    "Uniform",
    "Unstructured",
]
