"""Reads `.tflite` files without trusting them."""

import contextlib
import pathlib
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras import files
from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.tflite.flatbuffer import levels
from issp_keras.tflite.flatbuffer.objects import kind_of
from issp_keras.tflite.flatbuffer.objects import kind_of_code
from issp_keras.tflite.flatbuffer.objects import name
from issp_keras.tflite.flatbuffer.objects import values
from issp_keras.tflite.flatbuffer.writing import IDENTIFIER

# More tables, or more bytes of names, than any network has. A file may refer
# to a table many times, so a small file can expand to any size.
_MOST_TABLES = 200_000
_MOST_NAMES = 1 << 24
_FLOATS = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
}
# Operators whose constants are weights. Others may have infinite constants,
# such as the bounds of MINIMUM, or a mask that ADD applies.
_WEIGHTED = {
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MUL",
    "PRELU",
    "TRANSPOSE_CONV",
}
# Operators that make a kernel of a smaller one.
_UNPACKING = {"DENSIFY", "DEQUANTIZE", "GATHER"}
# The most characters of a name in an error.
_LONGEST = 60


def read(path) -> schema.ModelT:
    """Reads a `.tflite` file into the objects of the official schema.

    The file is not trusted. Its size is checked before it is unpacked, and all
    numbers of buffers, tensors and operators are checked against their lists.

    Args:
        path: Path of the file.

    Returns:
        `schema.ModelT`; vectors of numbers are views of the file.

    Raises:
        InputError: If the file is missing, or is not a TFLite model.
    """
    path = pathlib.Path(path)
    files.check_file(path, "a .tflite file")
    with blame(f"{path}: cannot be read", OSError):
        content = path.read_bytes()
    return parse(content, path)


def parse(content: bytes, path) -> schema.ModelT:
    """Like `read`, for bytes in memory; `path` names them in errors."""
    _check_identifier(content, path)
    # A foreign file can break the generated readers in any way.
    with blame(f"{path}: is not a TFLite model", Exception):
        try:
            model = _unpacked(content)
        except struct.error as error:
            raise ValueError("the file is truncated or broken.") from error
        _check(model)
        _check_sparse(model, path)
    return model


def _check_identifier(content, path):
    if content[4:8] != IDENTIFIER:
        raise InputError(
            f"{path}: is not a TFLite model, expected one, such as `issp "
            "export` writes."
        )


def _unpacked(content):
    root = schema.Model.GetRootAs(content)
    _check_bounds(root)
    model = schema.ModelT.InitFromObj(root)
    _fill(model)
    return model


def check_constants(path):
    """Refuses a file with constants that the interpreter does not check.

    TFLite crashes at sparse tensors that contradict themselves, and computes
    with NaN. The interpreter itself finds other faults of a file.

    Args:
        path: Path of the file.

    Raises:
        InputError: If the file is not a TFLite model, a sparse tensor
            contradicts itself, a tensor or its quantisation holds NaN, or a
            weight is infinite.
    """
    files.check_file(path, "a .tflite file")
    with blame(f"{path}: cannot be read", OSError):
        content = pathlib.Path(path).read_bytes()
    _check_identifier(content, path)
    has_sparse, broken = False, None
    # A foreign file can break the generated readers in any way.
    with contextlib.suppress(Exception):
        model = schema.Model.GetRootAs(content)
        has_sparse = _has_sparse(model)
        broken = _first_broken(model)
    if has_sparse:
        parse(content, path)
    if broken:
        raise InputError(
            f"{path}: {broken}, expected finite numbers. The training of the "
            "network has diverged."
        )


def _first_broken(model):
    """Says which constant is the first with NaN or an infinite weight."""
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        weights = _weights(model, graph)
        for j in range(graph.TensorsLength()):
            tensor = graph.Tensors(j)
            what = _broken(model, tensor, j in weights)
            if what:
                name = (tensor.Name() or b"").decode(errors="replace")
                return f"tensor {_short(name)} holds {what}"
    return None


def _broken(model, tensor, is_weight):
    """What a tensor holds that is no finite number, or None."""
    about = tensor.Quantization()
    scales = 0 if about is None else about.ScaleAsNumpy()
    if not np.isfinite(scales).all():
        return "a scale that is NaN or infinite"
    dtype = _FLOATS.get(tensor.Type())
    data = model.Buffers(tensor.Buffer()).DataAsNumpy()
    # Without data, this is the number 0.
    if dtype is None or isinstance(data, int):
        return None
    numbers = data.view(dtype)
    if np.isnan(numbers).any():
        return "NaN"
    if is_weight and np.isinf(numbers).any():
        return "infinite weights"
    return None


def _weights(model, graph):
    """The numbers of the tensors that are weights, packed or unpacked."""
    packed, weights = {}, set()
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = kind_of_code(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = np.atleast_1d(operator.InputsAsNumpy()).tolist()
        if kind in _UNPACKING:
            packed[operator.Outputs(0)] = inputs[0]
        elif kind in _WEIGHTED:
            weights.update(inputs)
    # A kernel may be unpacked in several steps.
    for _ in _UNPACKING:
        weights |= {packed[number] for number in weights if number in packed}
    return weights


def _has_sparse(model):
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    return any(
        graph.Tensors(i).Sparsity() is not None
        for graph in graphs
        for i in range(graph.TensorsLength())
    )


def _check_bounds(model):
    tables = names = 0

    def count(some):
        nonlocal tables
        tables += some
        if tables > _MOST_TABLES:
            raise ValueError("expands to more tables than any network has.")

    count(model.OperatorCodesLength())
    count(model.BuffersLength())
    count(model.MetadataLength())
    count(model.SignatureDefsLength())
    count(model.SubgraphsLength())
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        count(signature.InputsLength() + signature.OutputsLength())
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        count(graph.TensorsLength())
        count(graph.OperatorsLength())
        for j in range(graph.TensorsLength()):
            tensor = graph.Tensors(j)
            count(tensor.VariantTensorsLength())
            names += len(tensor.Name() or b"")
            if names > _MOST_NAMES:
                raise ValueError("has longer names than any network has.")
            sparsity = tensor.Sparsity()
            if sparsity is not None:
                count(sparsity.DimMetadataLength())


def _fill(model):
    """Adds empty lists for those that a file leaves out."""
    model.operatorCodes = model.operatorCodes or []
    none = np.zeros(0, np.int32)
    for graph in model.subgraphs or ():
        graph.tensors = graph.tensors or []
        graph.operators = graph.operators or []
        for user in (graph, *graph.operators):
            user.inputs = none if user.inputs is None else user.inputs
            user.outputs = none if user.outputs is None else user.outputs


def _check(model):
    codes = len(model.operatorCodes)
    if not model.subgraphs or not model.buffers:
        raise ValueError("has no graph.")
    for buffer in model.buffers:
        if buffer.offset > 1 or buffer.size > 1:
            raise ValueError("stores weights outside of the flatbuffer.")
    for entry in model.metadata or ():
        _check_index(entry.buffer, len(model.buffers), "buffer")
    for graph in model.subgraphs:
        count = len(graph.tensors)
        for tensor in graph.tensors:
            _check_index(tensor.buffer, len(model.buffers), "buffer")
        for operator in graph.operators:
            _check_index(operator.opcodeIndex, codes, "operator code")
            for index in (*operator.inputs, *operator.outputs):
                # An optional input that is missing is number -1.
                _check_index(index + 1, count + 1, "tensor")
        for index in (*graph.inputs, *graph.outputs):
            _check_index(index, count, "tensor")


def _check_sparse(model, path):
    for graph in model.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            if tensor.sparsity is None:
                continue
            stored = values(model, tensor)
            with blame(f"{path}: tensor {_quoted(tensor)}", ValueError):
                levels.check(tensor, [] if stored is None else stored)
                for operator in graph.operators:
                    if number in operator.inputs:
                        _check_user(model, graph, operator, tensor)


def _check_user(model, graph, operator, tensor):
    """Refuses an operator that would read a sparse tensor as a dense one."""
    kind = kind_of(model, operator)
    if kind != "DENSIFY":
        raise ValueError(
            f"is sparse and an input of {kind}, expected DENSIFY, which "
            "unpacks it."
        )
    for number in operator.outputs:
        if list(graph.tensors[number].shape) != list(tensor.shape):
            raise ValueError(
                "is unpacked to another shape, expected the same shape."
            )


def _quoted(tensor):
    return _short(name(tensor))


def _short(text):
    """A name in quotes, on one line and not too long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _check_index(index, count, what):
    if not 0 <= index < count:
        raise ValueError(f"refers to {what} {index} of {count}.")
