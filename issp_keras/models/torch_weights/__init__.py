"""Reads and writes official PyTorch checkpoints without PyTorch."""

from issp_keras.models.torch_weights.conversion import from_torch
from issp_keras.models.torch_weights.conversion import load_torch
from issp_keras.models.torch_weights.conversion import to_torch

__all__ = ["from_torch", "load_torch", "to_torch"]
