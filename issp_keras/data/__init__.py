"""Photographs, MATLAB's `imresize`, and training patches."""

from issp_keras.data.imresize import imresize
from issp_keras.data.patches import random_patches
from issp_keras.data.photographs import Photograph
from issp_keras.data.photographs import crop_to_multiple
from issp_keras.data.photographs import load_photographs
from issp_keras.data.photographs import read_photograph
from issp_keras.data.photographs import to_grey
from issp_keras.data.photographs import to_rgb
from issp_keras.data.photographs import write_photograph

__all__ = [
    "Photograph",
    "crop_to_multiple",
    "imresize",
    "load_photographs",
    "random_patches",
    "read_photograph",
    "to_grey",
    "to_rgb",
    "write_photograph",
]
