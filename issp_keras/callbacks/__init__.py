"""Keras callbacks that prune and quantize a model during `model.fit`."""

from issp_keras.callbacks.issp import ISSPCallback
from issp_keras.callbacks.kernels import count_zeros
from issp_keras.callbacks.kernels import prunable_kernels
from issp_keras.callbacks.simulated_int8 import SimulatedInt8
from issp_keras.callbacks.sparse_training import SparseTraining
from issp_keras.callbacks.summaries import SparsitySummaries

__all__ = [
    "ISSPCallback",
    "SimulatedInt8",
    "SparseTraining",
    "SparsitySummaries",
    "count_zeros",
    "prunable_kernels",
]
