"""`.tflite` files: read with distrust, written without repetition."""

import pathlib
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.tflite import levels

_IDENTIFIER = b"TFL3"
# More tables, or more bytes of names, than any network has. A table may be
# referred to many times, so that a small file can unfold to any size.
_MOST_TABLES = 200_000
_MOST_NAMES = 1 << 24
# Characters of a name in an error.
_LONGEST = 60
# Bytes, of the data of weights, as the schema asks.
_ALIGNMENT = 16

OPERATORS: dict[int, str] = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if isinstance(number, int)
}
DTYPES: dict[int, type[np.generic]] = {
    getattr(schema.TensorType, dtype.__name__.upper()): dtype
    for dtype in (
        np.float32,
        np.float16,
        np.int8,
        np.uint8,
        np.int16,
        np.int32,
        np.int64,
        np.bool,
    )
}


def read(path) -> schema.ModelT:
    """Reads a `.tflite` file into the objects of the official schema.

    Nothing in the file is trusted: it is bounded before it is unpacked, and
    all numbers of buffers, tensors and operators lie within their lists.

    Args:
        path: Path of the file.

    Returns:
        `schema.ModelT`; vectors of numbers are views of the file.

    Raises:
        InputError: If the file is missing or no TFLite model.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file.")
    with blame(f"{path}: cannot be read", OSError):
        content = path.read_bytes()
    return parse(content, path)


def parse(content: bytes, path) -> schema.ModelT:
    """As `read`, of what stands in memory; `path` names it in errors."""
    # A foreign file can break the generated readers in any way.
    with blame(f"{path}: is not a TFLite model", Exception):
        if content[4:8] != _IDENTIFIER:
            raise ValueError("has no 'TFL3' in its fifth to eighth byte.")
        root = schema.Model.GetRootAs(content)
        _check_bounds(root)
        model = schema.ModelT.InitFromObj(root)
        _fill(model)
        _check(model)
    return model


def write(model: schema.ModelT) -> bytes:
    """Packs a model; equal vectors, texts and buffers are stored once.

    Buffers that nothing refers to are left out.
    """
    model.buffers = _shared_buffers(model)
    # Deprecated, and its numbers are no longer those of the buffers.
    model.metadataBuffer = None
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    quantizations = [tensor.quantization for tensor in tensors]
    known: dict[bytes, _Once] = {}
    for tensor in tensors:
        tensor.quantization = _shared(tensor.quantization, known)
    builder = _Builder()
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    for tensor, quantization in zip(tensors, quantizations, strict=True):
        tensor.quantization = quantization
    return bytes(builder.Output())


def values(model: schema.ModelT, tensor) -> np.ndarray | None:
    """What the file stores of a tensor, flat, or None for no constant.

    Of a sparse tensor, this is what is left of it.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0 or tensor.type not in DTYPES:
        return None
    # A view, for weights may be as large as the file.
    return np.asarray(data).view(DTYPES[tensor.type])


def kind_of(model, operator) -> str:
    """The name of an operator, such as "CONV_2D"."""
    code = model.operatorCodes[operator.opcodeIndex]
    # The wider field came later; old files have the narrow one alone.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return OPERATORS.get(number, f"operator {number}")


def operator(
    model: schema.ModelT,
    kind: str,
    inputs: list[int],
    output: int,
    version: int = 1,
):
    """A new operator without options, and its code in the model.

    Args:
        model: `schema.ModelT`.
        kind: String, such as "DENSIFY".
        inputs: List of integers, numbers of tensors.
        output: Integer, likewise.
        version: Integer, the least version of the operator that will do.
    """
    name = f"{kind.capitalize()}Options"
    return schema.OperatorT(
        opcodeIndex=_code(model, kind, version),
        inputs=np.array(inputs, np.int32),
        outputs=np.array([output], np.int32),
        builtinOptionsType=getattr(schema.BuiltinOptions, name),
        builtinOptions=getattr(schema, f"{name}T")(),
    )


def _code(model, kind, version):
    number = getattr(schema.BuiltinOperator, kind)
    for i, code in enumerate(model.operatorCodes):
        if code.builtinCode == number and code.version >= version:
            return i
    model.operatorCodes.append(
        schema.OperatorCodeT(
            deprecatedBuiltinCode=min(number, 127),
            builtinCode=number,
            version=version,
        )
    )
    return len(model.operatorCodes) - 1


def shape(tensor) -> tuple[int, ...]:
    """The shape of a tensor, -1 for what is not known."""
    has_signature = tensor.shapeSignature is not None
    sizes = tensor.shapeSignature if has_signature else tensor.shape
    return () if sizes is None else tuple(int(size) for size in sizes)


def name(tensor) -> str:
    """The name of a tensor, or an empty string."""
    return (tensor.name or b"").decode(errors="replace")


def _check_bounds(model):
    tables = names = 0

    def count(some):
        nonlocal tables
        tables += some
        if tables > _MOST_TABLES:
            raise ValueError("unfolds to more tables than any network has.")

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
    """Makes lists that a file leaves out empty ones."""
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
            raise ValueError("keeps weights outside of the flatbuffer.")
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
        _check_sparse(model, graph)


def _check_sparse(model, graph):
    """Refuses sparse tensors that would break the interpreter."""
    sparse = {
        number: tensor
        for number, tensor in enumerate(graph.tensors)
        if tensor.sparsity is not None
    }
    if not sparse:
        return
    for tensor in sparse.values():
        stored = values(model, tensor)
        try:
            levels.check(tensor, [] if stored is None else stored)
        except ValueError as error:
            raise ValueError(f"tensor {_quoted(tensor)}: {error}") from error
    for operator in graph.operators:
        kind = kind_of(model, operator)
        for number in {int(number) for number in operator.inputs} & {*sparse}:
            tensor = sparse[number]
            if kind != "DENSIFY":
                raise ValueError(
                    f"tensor {_quoted(tensor)}: is sparse, and {kind} takes "
                    "it; expected DENSIFY, which unpacks it."
                )
            for made in operator.outputs:
                if list(graph.tensors[made].shape) != list(tensor.shape):
                    raise ValueError(
                        f"tensor {_quoted(tensor)}: is unpacked to another "
                        "shape, expected its own."
                    )


def _quoted(tensor):
    """The name of a tensor, on one line and not too long."""
    text = name(tensor)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _check_index(index, count, what):
    if not 0 <= index < count:
        raise ValueError(f"refers to {what} {index} of {count}.")


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
    """Packs an object of the schema when it is first asked to."""

    def __init__(self, content):
        self._content = content
        self._place = None

    def Pack(self, builder):
        if self._place is None:
            self._place = self._content.Pack(builder)
        return self._place


class _Buffer:
    """A buffer, of which the schema's own `Pack` ignores the alignment."""

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
    """Makes tensors and metadata refer to buffers that differ from another."""
    # The schema wants the first one empty.
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
    """None for one that says nothing, and one object for equal ones."""
    if quantization is None or quantization.details is not None:
        return quantization
    parts = [quantization.scale, quantization.zeroPoint]
    if all(part is None or len(part) == 0 for part in parts):
        return None
    # Without calibration's ranges, of no use to the interpreter.
    quantization = schema.QuantizationParametersT(
        scale=quantization.scale,
        zeroPoint=quantization.zeroPoint,
        quantizedDimension=quantization.quantizedDimension,
    )
    key = b"|".join(np.asarray(part).tobytes() for part in parts)
    key += bytes([quantization.quantizedDimension])
    return known.setdefault(key, _Once(quantization))
