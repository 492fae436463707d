"""A network from a file, applied to whole photographs."""

from issp_keras.inference.interpreter import TFLiteInterpreter
from issp_keras.inference.loading import BUNDLED
from issp_keras.inference.loading import fixed_size
from issp_keras.inference.loading import keras_network
from issp_keras.inference.loading import load_network
from issp_keras.inference.loading import network_of
from issp_keras.inference.network import TILE
from issp_keras.inference.network import Network

__all__ = [
    "BUNDLED",
    "TILE",
    "Network",
    "TFLiteInterpreter",
    "fixed_size",
    "keras_network",
    "load_network",
    "network_of",
]
