"""Sparse super-resolution for the edge, with Keras 3."""

from typing import TYPE_CHECKING

from issp_keras.late import import_before
from issp_keras.late import import_late
from issp_keras.late import import_with
from issp_keras.version import __version__ as __version__

if TYPE_CHECKING:
    from issp_keras import models
    from issp_keras.callbacks import ISSPCallback
    from issp_keras.callbacks import SimulatedInt8
    from issp_keras.callbacks import SparseTraining
    from issp_keras.callbacks import SparsitySummaries
    from issp_keras.network import load
    from issp_keras.network import networks
    from issp_keras.sparsity import ISSPSchedule
    from issp_keras.summary import summary

__all__ = [
    "ISSPCallback",
    "ISSPSchedule",
    "SimulatedInt8",
    "SparseTraining",
    "SparsitySummaries",
    "load",
    "models",
    "networks",
    "summary",
]

import_late(__name__)
# Keras then knows the layers and schedules of saved networks, and `tf.keras`
# stays Keras 3 when tfmot is imported later.
_REGISTERED = ("issp_keras.models", "issp_keras.sparsity")
import_with("keras", *_REGISTERED)
import_with("tensorflow", *_REGISTERED, unless="keras")
import_before("tensorflow_model_optimization", "tensorflow")
