"""Reads objects of the schema, and makes new operators and tensors."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_OPERATORS: dict[int, str] = {
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


def values(model: schema.ModelT, tensor) -> np.ndarray | None:
    """The values that the file stores of a tensor, flat.

    None if it is not a constant. A sparse tensor has only its stored values.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0 or tensor.type not in DTYPES:
        return None
    # A view, because weights may be as large as the file.
    return np.asarray(data).view(DTYPES[tensor.type])


def kind_of(model, operator) -> str:
    """The name of an operator, such as "CONV_2D"."""
    code = model.operatorCodes[operator.opcodeIndex]
    return kind_of_code(code.builtinCode, code.deprecatedBuiltinCode)


def kind_of_code(code: int, deprecated: int) -> str:
    """The name of an operator that a file gives these two codes."""
    # The wider field came later. Old files only have the narrow one.
    number = max(code, deprecated)
    return _OPERATORS.get(number, f"operator {number}")


def operator(
    model: schema.ModelT,
    kind: str,
    inputs: list[int],
    output: int,
    version: int = 1,
    options=None,
):
    """Creates an operator, and adds its code.

    Args:
        model: `schema.ModelT`.
        kind: String, such as "DENSIFY".
        inputs: List of integers, numbers of tensors.
        output: Integer, likewise.
        version: Integer, the least version of the operator that is needed.
        options: Object of the schema, such as `schema.MulOptionsT()`. Defaults
            to the default options of the operator, whose name is one word.
    """
    if options is None:
        options = getattr(schema, f"{kind.capitalize()}OptionsT")()
    name = type(options).__name__.removesuffix("T")
    return schema.OperatorT(
        opcodeIndex=code_of(model, kind, version),
        inputs=np.array(inputs, np.int32),
        outputs=np.array([output], np.int32),
        builtinOptionsType=getattr(schema.BuiltinOptions, name),
        builtinOptions=options,
    )


def code_of(model: schema.ModelT, kind: str, version: int) -> int:
    """The number of an operator's code. It is added if it is missing."""
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


def add_tensor(
    model: schema.ModelT,
    graph,
    name: str,
    shape: tuple[int, ...],
    dtype: type[np.generic],
    values: np.ndarray | None = None,
    quantization=None,
) -> int:
    """Adds a tensor to a graph.

    Args:
        model: `schema.ModelT`.
        graph: One of its subgraphs.
        name: String.
        shape: Tuple of integers.
        dtype: One of the values of `DTYPES`.
        values: Array of `dtype`, the values of a constant. None for a tensor
            that an operator computes.
        quantization: Object of the schema, or None.

    Returns:
        Integer, the number of the tensor.
    """
    buffer = 0
    if values is not None:
        model.buffers.append(schema.BufferT(values.ravel().view(np.uint8)))
        buffer = len(model.buffers) - 1
    (number,) = (n for n, known in DTYPES.items() if known is dtype)
    graph.tensors.append(
        schema.TensorT(
            shape=np.array(shape, np.int32),
            type=number,
            buffer=buffer,
            name=name.encode(),
            quantization=quantization,
            hasRank=True,
        )
    )
    return len(graph.tensors) - 1


def shape(tensor) -> tuple[int, ...]:
    """The shape of a tensor, with -1 for unknown sizes."""
    has_signature = tensor.shapeSignature is not None
    sizes = tensor.shapeSignature if has_signature else tensor.shape
    return () if sizes is None else tuple(int(size) for size in sizes)


def name(tensor) -> str:
    """The name of a tensor, or an empty string."""
    return (tensor.name or b"").decode(errors="replace")
