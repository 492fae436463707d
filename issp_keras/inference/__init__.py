"""A network from a file, applied to whole photographs."""

from issp_keras.inference.interpreter import TFLiteInterpreter
from issp_keras.inference.network import TILE
from issp_keras.inference.network import Network
from issp_keras.inference.network_files import BUNDLED
from issp_keras.inference.network_files import fixed_size
from issp_keras.inference.network_files import keras_network
from issp_keras.inference.network_files import load_network
from issp_keras.inference.network_files import network_of

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
