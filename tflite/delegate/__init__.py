"""The sparse delegate: runs `.tflite` files and skips zero weights.

It is a library for TFLite, which Python, C++ and Android apps can load. The
files need no change.
"""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.tflite.delegate.compiled import compiled_model
    from issp_keras.tflite.delegate.loading import is_compiled
    from issp_keras.tflite.delegate.loading import library
    from issp_keras.tflite.delegate.loading import load
    from issp_keras.tflite.delegate.report import Layer
    from issp_keras.tflite.delegate.report import Part
    from issp_keras.tflite.delegate.report import Report
    from issp_keras.tflite.delegate.report import report

__all__ = [
    "Layer",
    "Part",
    "Report",
    "compiled_model",
    "is_compiled",
    "library",
    "load",
    "report",
]

import_late(__name__)
