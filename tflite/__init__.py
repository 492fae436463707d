"""From a `.keras` file to a `.tflite` file, and what came of it."""

from issp_keras.tflite.export import export
from issp_keras.tflite.inspect import Weights
from issp_keras.tflite.inspect import inspect

__all__ = ["Weights", "export", "inspect"]
