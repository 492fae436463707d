"""Pruning methods, one class a file."""

from issp_keras.sparsity.methods.base import Method
from issp_keras.sparsity.methods.iss_p import ISSP

__all__ = ["ISSP", "Method"]
