"""Reads `.tflite` files without trusting them, and writes them compactly."""

from issp_keras.tflite.flatbuffer.graph import Graph
from issp_keras.tflite.flatbuffer.graph import inputs_of
from issp_keras.tflite.flatbuffer.levels import Level
from issp_keras.tflite.flatbuffer.levels import leaves
from issp_keras.tflite.flatbuffer.levels import levels_of
from issp_keras.tflite.flatbuffer.levels import places_of
from issp_keras.tflite.flatbuffer.objects import DTYPES
from issp_keras.tflite.flatbuffer.objects import add_tensor
from issp_keras.tflite.flatbuffer.objects import code_of
from issp_keras.tflite.flatbuffer.objects import kind_of
from issp_keras.tflite.flatbuffer.objects import name
from issp_keras.tflite.flatbuffer.objects import operator
from issp_keras.tflite.flatbuffer.objects import shape
from issp_keras.tflite.flatbuffer.objects import values
from issp_keras.tflite.flatbuffer.reading import check_constants
from issp_keras.tflite.flatbuffer.reading import parse
from issp_keras.tflite.flatbuffer.reading import read
from issp_keras.tflite.flatbuffer.writing import write

__all__ = [
    "DTYPES",
    "Graph",
    "Level",
    "add_tensor",
    "check_constants",
    "code_of",
    "inputs_of",
    "kind_of",
    "leaves",
    "levels_of",
    "name",
    "operator",
    "parse",
    "places_of",
    "read",
    "shape",
    "values",
    "write",
]
