"""Runs a `.tflite` file with XNNPACK and without it."""

import numpy as np

# Of the largest output, what rounding can make of floats and of integers.
_FLOATS, _INTEGERS = 1e-3, 0.2
# What is tried where a file takes any size.
_SIDE = 16


def computes_alike(content: bytes, of_integers: bool) -> bool:
    """Whether TFLite computes the same with its default delegate as without.

    A kernel that is unpacked twice, from sparse and from a smaller type, is
    lost if XNNPACK takes the first step and leaves the second. No error
    tells of it.

    Args:
        content: Bytes of the file.
        of_integers: Whether any kernel is used as integers.

    Returns:
        Boolean; `True` too for a file that does not take what is tried here:
        noise of 16 by 16 pixels or features where it takes any size.
    """
    from ai_edge_litert import interpreter as litert

    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    default = litert.OpResolverType.AUTO
    try:
        expected = _run(litert, content, plain)
    except (RuntimeError, ValueError):
        return True
    found = _run(litert, content, default)
    limit = _INTEGERS if of_integers else _FLOATS
    return all(
        _are_alike(of, other, limit)
        for of, other in zip(expected, found, strict=True)
    )


def _are_alike(expected, found, limit):
    # Between two levels of integers, rounding may go either way.
    level = 1 if np.issubdtype(expected.dtype, np.integer) else 0
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    largest = np.abs(expected).max(initial=1e-30)
    difference = np.abs(expected - found).max(initial=0)
    return difference <= max(limit * largest, level)


def _run(litert, content, resolver):
    interpreter = litert.Interpreter(
        model_content=content, experimental_op_resolver_type=resolver
    )
    rng = np.random.default_rng(0)
    inputs = interpreter.get_input_details()
    for tensor in inputs:
        first, *others = tensor["shape_signature"].tolist() or [1]
        shape = [max(first, 1), *(s if s > 0 else _SIDE for s in others)]
        if -1 in tensor["shape_signature"]:
            interpreter.resize_tensor_input(tensor["index"], shape)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        noise = rng.random(tensor["shape"])
        if tensor["dtype"] in (np.int8, np.uint8):
            noise *= np.iinfo(tensor["dtype"]).max
        interpreter.set_tensor(tensor["index"], noise.astype(tensor["dtype"]))
    interpreter.invoke()
    return [
        interpreter.get_tensor(tensor["index"])
        for tensor in interpreter.get_output_details()
    ]
