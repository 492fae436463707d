"""Data sets for TensorFlow Datasets. The import registers them.

import issp_keras.data.tfds
import tensorflow_datasets as tfds

set5 = tfds.load("sr_benchmark/set5_x4", split="test")
"""

from issp_keras.data.tfds.df2k import df2k_dataset_builder
from issp_keras.data.tfds.sr_benchmark import sr_benchmark_dataset_builder

__all__ = ["df2k_dataset_builder", "sr_benchmark_dataset_builder"]
