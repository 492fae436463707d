"""Inference: loads networks from files and applies them to photographs."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.inference.bundled import DEFAULT
    from issp_keras.inference.bundled import BundledNetwork
    from issp_keras.inference.bundled import bundled_networks
    from issp_keras.inference.bundled import find_bundled
    from issp_keras.inference.bundled import keras_path
    from issp_keras.inference.bundled import name_for_scale
    from issp_keras.inference.bundled import network_path
    from issp_keras.inference.delegate_names import NO_DELEGATE
    from issp_keras.inference.delegate_names import SPARSE
    from issp_keras.inference.interpreter import TFLiteInterpreter
    from issp_keras.inference.network import Network
    from issp_keras.inference.network_files import KerasNetwork
    from issp_keras.inference.network_files import fixed_size
    from issp_keras.inference.network_files import load_network
    from issp_keras.inference.network_files import network_of
    from issp_keras.inference.tile_sizes import ALIGNMENT
    from issp_keras.inference.tile_sizes import TILE
    from issp_keras.inference.tile_sizes import check_tile
    from issp_keras.inference.whole_photographs import upscale_photograph

__all__ = [
    "ALIGNMENT",
    "DEFAULT",
    "BundledNetwork",
    "KerasNetwork",
    "NO_DELEGATE",
    "SPARSE",
    "TILE",
    "Network",
    "TFLiteInterpreter",
    "bundled_networks",
    "check_tile",
    "find_bundled",
    "fixed_size",
    "keras_path",
    "load_network",
    "name_for_scale",
    "network_of",
    "network_path",
    "upscale_photograph",
]

import_late(__name__)
