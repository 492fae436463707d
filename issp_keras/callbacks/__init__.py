"""The one bridge from `issp_keras.sparsity` to `model.fit`."""

from issp_keras.callbacks.issp import ISSPCallback
from issp_keras.callbacks.kernels import prunable_kernels
from issp_keras.callbacks.sparse_training import SparseTraining

__all__ = ["ISSPCallback", "SparseTraining", "prunable_kernels"]
