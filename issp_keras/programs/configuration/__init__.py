"""Checks the config of a training, and builds its parts."""

from issp_keras.programs.configuration.entries import SEED
from issp_keras.programs.configuration.entries import check
from issp_keras.programs.configuration.entries import check_known
from issp_keras.programs.configuration.entries import is_seed
from issp_keras.programs.configuration.entries import score_channels
from issp_keras.programs.configuration.identity import check_same
from issp_keras.programs.configuration.identity import digest
from issp_keras.programs.configuration.int8 import simulated_int8
from issp_keras.programs.configuration.parts import begin_pretrained
from issp_keras.programs.configuration.parts import check_network
from issp_keras.programs.configuration.parts import deployed
from issp_keras.programs.configuration.parts import loss
from issp_keras.programs.configuration.parts import network
from issp_keras.programs.configuration.parts import optimizer
from issp_keras.programs.configuration.pruning import check_sparse
from issp_keras.programs.configuration.pruning import sparse_training

__all__ = [
    "SEED",
    "begin_pretrained",
    "check",
    "check_known",
    "check_network",
    "check_same",
    "check_sparse",
    "deployed",
    "digest",
    "is_seed",
    "loss",
    "network",
    "optimizer",
    "score_channels",
    "simulated_int8",
    "sparse_training",
]
