"""Packs the objects of the schema without repetition."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
# The schema asks for this alignment of weights, in bytes.
_ALIGNMENT = 16


def write(model: schema.ModelT, keep_ranges: bool = False) -> bytes:
    """Packs a model. Equal vectors, texts and buffers are stored once.

    Buffers that nothing refers to are left out.

    Args:
        model: `schema.ModelT`.
        keep_ranges: Boolean, whether to keep the ranges of calibration. Only
            the quantizer needs them. Defaults to `False`.
    """
    model.buffers = _shared_buffers(model)
    # It is deprecated, and the buffers have new numbers.
    model.metadataBuffer = None
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    quantizations = [tensor.quantization for tensor in tensors]
    known: dict[bytes, _Once] = {}
    if not keep_ranges:
        for tensor in tensors:
            tensor.quantization = _shared(tensor.quantization, known)
    builder = _Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    for tensor, quantization in zip(tensors, quantizations, strict=True):
        tensor.quantization = quantization
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """Stores equal vectors of numbers and equal texts once."""

    def __init__(self):
        super().__init__(1024)
        self._places: dict[Any, int] = {}

    def CreateNumpyVector(self, x):
        key = x.dtype.str, x.tobytes()
        if key not in self._places:
            self._places[key] = super().CreateNumpyVector(x)
        return self._places[key]

    def CreateString(self, s, *arguments, **keywords):
        key = s.encode() if isinstance(s, str) else bytes(s)
        if key not in self._places:
            self._places[key] = super().CreateString(s, *arguments, **keywords)
        return self._places[key]


class _Once:
    """Packs an object of the schema only the first time."""

    def __init__(self, content):
        self._content = content
        self._place = None

    def Pack(self, builder):
        if self._place is None:
            self._place = self._content.Pack(builder)
        return self._place


class _Buffer:
    """A buffer that is aligned. The schema's own `Pack` does not align it."""

    def __init__(self, data: bytes):
        self.data = np.frombuffer(data, np.uint8) if data else None
        self.offset = self.size = 0

    def Pack(self, builder):
        if self.data is not None:
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = (
                self.data.tobytes()
            )
            place = builder.EndVector()
        schema.BufferStart(builder)
        if self.data is not None:
            schema.BufferAddData(builder, place)
        return schema.BufferEnd(builder)


def _shared_buffers(model):
    """Lets tensors and metadata with equal content share a buffer."""
    # The schema requires that the first buffer is empty.
    numbers = {b"": 0}
    for user in [
        *(tensor for graph in model.subgraphs for tensor in graph.tensors),
        *(model.metadata or ()),
    ]:
        data = model.buffers[user.buffer].data
        content = b"" if data is None else bytes(data)
        user.buffer = numbers.setdefault(content, len(numbers))
    return [_Buffer(content) for content in numbers]


def _shared(quantization, known):
    """None for an empty quantization, and one object for equal ones."""
    if quantization is None or quantization.details is not None:
        return quantization
    parts = [quantization.scale, quantization.zeroPoint]
    if all(part is None or len(part) == 0 for part in parts):
        return None
    # The interpreter does not need the ranges of calibration.
    quantization = schema.QuantizationParametersT(
        scale=quantization.scale,
        zeroPoint=quantization.zeroPoint,
        quantizedDimension=quantization.quantizedDimension,
    )
    key = b"|".join(np.asarray(part).tobytes() for part in parts)
    key += bytes([quantization.quantizedDimension])
    return known.setdefault(key, _Once(quantization))
