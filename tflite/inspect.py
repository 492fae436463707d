"""What is inside a `.tflite` file."""

import dataclasses
import pathlib
import struct

import numpy as np

from issp_keras.errors import InputError
from issp_keras.errors import blame


@dataclasses.dataclass(frozen=True)
class Weights:
    """The kernels of a network: its constants of rank 2 and more.

    They may be stored as float32, float16 or int8.

    Attributes:
        count: Integer, weights in all kernels.
        nonzeros: Integer, how many of them are not zero.
        sparse_kernels: Integer, kernels that are stored sparse.
        kernels: Integer, kernels in all.
    """

    count: int
    nonzeros: int
    sparse_kernels: int
    kernels: int


def inspect(path) -> Weights:
    """Counts the weights of a `.tflite` file.

    Raises:
        InputError: If the file is missing, is no TFLite model, or holds no
            kernel.
    """
    from ai_edge_litert import schema_py_generated as schema

    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise InputError(f"{path}: is not a TFLite model.")
    dtypes = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT8: np.int8,
    }
    broken = (struct.error, IndexError, TypeError, ValueError)
    with blame(f"{path}: is not a TFLite model", *broken):
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
        found = [
            (
                tensor,
                model.buffers[tensor.buffer].data.view(dtypes[tensor.type]),
            )
            for graph in model.subgraphs
            for tensor in graph.tensors
            if tensor.type in dtypes
            and _is_kernel(tensor, model.buffers[tensor.buffer])
        ]
    if not found:
        raise InputError(f"{path}: holds no kernel, expected a network.")
    return Weights(
        count=sum(int(np.prod(tensor.shape)) for tensor, _ in found),
        nonzeros=sum(int(np.count_nonzero(values)) for _, values in found),
        sparse_kernels=sum(tensor.sparsity is not None for tensor, _ in found),
        kernels=len(found),
    )


def _is_kernel(tensor, buffer):
    return (
        buffer.data is not None
        and len(buffer.data) > 0
        and len(tensor.shape) >= 2
    )
