"""Converts Keras networks to `.tflite` files, and inspects such files."""

from typing import TYPE_CHECKING

from issp_keras.late import import_late

if TYPE_CHECKING:
    from issp_keras.tflite import delegate
    from issp_keras.tflite.contents import Inspection
    from issp_keras.tflite.contents import Weights
    from issp_keras.tflite.export import Exported
    from issp_keras.tflite.export import export
    from issp_keras.tflite.inspection import inspect
    from issp_keras.tflite.parity import Reference
    from issp_keras.tflite.sparse import encode_sparse
    from issp_keras.tflite.variants import export_all

__all__ = [
    "Exported",
    "Inspection",
    "Reference",
    "Weights",
    "delegate",
    "encode_sparse",
    "export",
    "export_all",
    "inspect",
]

import_late(__name__)
