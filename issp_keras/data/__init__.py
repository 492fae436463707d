"""Photographs, MATLAB's `imresize`, LR/HR pairs and training patches."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.data.all_pairs import load_pairs
    from issp_keras.data.benchmarks import BENCHMARKS
    from issp_keras.data.benchmarks import LAYOUTS
    from issp_keras.data.benchmarks import find_benchmark
    from issp_keras.data.benchmarks import find_folder
    from issp_keras.data.device_patches import DevicePatches
    from issp_keras.data.device_patches import PlacesDataset
    from issp_keras.data.embedded import EMBEDDED
    from issp_keras.data.imresize import imresize
    from issp_keras.data.imresize import tf_imresize
    from issp_keras.data.layouts import PairFiles
    from issp_keras.data.layouts import find_pairs
    from issp_keras.data.layouts import find_source
    from issp_keras.data.pairs import Pair
    from issp_keras.data.pairs import make_pair
    from issp_keras.data.patches import PatchDataset
    from issp_keras.data.patches import RandomPatches
    from issp_keras.data.patches import tf_patches
    from issp_keras.data.photographs import Photograph
    from issp_keras.data.photographs import from_pil
    from issp_keras.data.photographs import photographs_in
    from issp_keras.data.photographs import read_opaque_photograph
    from issp_keras.data.photographs import read_photograph
    from issp_keras.data.photographs import to_8_bits
    from issp_keras.data.photographs import to_pil
    from issp_keras.data.photographs import to_rgb
    from issp_keras.data.photographs import write_photograph
    from issp_keras.data.prepared import is_prepared
    from issp_keras.data.prepared import open_prepared
    from issp_keras.data.prepared import prepare
    from issp_keras.data.suffixes import SUFFIXES
    from issp_keras.data.turns import TURNS
    from issp_keras.data.turns import turn
    from issp_keras.data.turns import turn_back

__all__ = [
    "BENCHMARKS",
    "DevicePatches",
    "EMBEDDED",
    "LAYOUTS",
    "Pair",
    "PairFiles",
    "PatchDataset",
    "Photograph",
    "PlacesDataset",
    "RandomPatches",
    "SUFFIXES",
    "TURNS",
    "find_benchmark",
    "find_folder",
    "find_pairs",
    "find_source",
    "from_pil",
    "imresize",
    "is_prepared",
    "load_pairs",
    "make_pair",
    "open_prepared",
    "photographs_in",
    "prepare",
    "read_opaque_photograph",
    "read_photograph",
    "tf_imresize",
    "tf_patches",
    "to_8_bits",
    "to_pil",
    "to_rgb",
    "turn",
    "turn_back",
    "write_photograph",
]

import_late(__name__)
