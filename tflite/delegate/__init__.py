"""The sparse delegate: computes with the zeros of `.tflite` files left out.

It is a library for TFLite, which Python, C++ and Android apps load; the
networks stay what they are.
"""

from issp_keras.tflite.delegate.loading import library
from issp_keras.tflite.delegate.loading import load
from issp_keras.tflite.delegate.report import Layer
from issp_keras.tflite.delegate.report import Part
from issp_keras.tflite.delegate.report import Report
from issp_keras.tflite.delegate.report import report

__all__ = ["Layer", "Part", "Report", "library", "load", "report"]
