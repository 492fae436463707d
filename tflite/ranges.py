"""Three ways to find the ranges of activations for int8.

int8 has 256 levels for a tensor. If the range contains the rarest values, the
levels are coarse for all others. If it is narrower, rare values are clipped.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite import int8
from issp_keras.tflite.flatbuffer import Graph

_LEVELS = 255
# The share of the values, in percent, that each end may clip.
_CLIPPED = 0.01
# How many values of a tensor are kept for each image.
_SAMPLE = 40_000
_BINS = 2048
_SIDES = np.linspace(0.3, 1, 29)


def methods() -> dict:
    """The ways to find a range of values, by name."""
    return {
        "min_max": min_max,
        "percentile": percentile,
        "mse": least_squares,
    }


def min_max(values: np.ndarray) -> tuple[float, float]:
    """The range of all values and zero, which TFLite's ranges contain."""
    return min(0.0, float(values.min())), max(0.0, float(values.max()))


def percentile(values: np.ndarray) -> tuple[float, float]:
    """The range without one in 10,000 values at each end."""
    low, high = np.percentile(values, (_CLIPPED, 100 - _CLIPPED))
    return min(0.0, float(low)), max(0.0, float(high))


def least_squares(values: np.ndarray) -> tuple[float, float]:
    """The range in which int8 has the least squared error."""
    low, high = min_max(values)
    if low == high:
        return low, high
    counts, edges = np.histogram(values, _BINS, (low, high))
    centres = (edges[1:] + edges[:-1]) / 2
    lows = low * _SIDES if low < 0 else np.zeros(1)
    highs = high * _SIDES if high > 0 else np.zeros(1)
    lows, highs = (side.ravel() for side in np.meshgrid(lows, highs))
    errors = [
        _squared_error(centres, counts, *side)
        for side in zip(lows, highs, strict=True)
    ]
    best = int(np.argmin(errors))
    return float(lows[best]), float(highs[best])


def sampled(
    model: schema.ModelT, images: list[np.ndarray]
) -> dict[int, np.ndarray]:
    """Runs a float network, and samples the values of each tensor.

    Args:
        model: `schema.ModelT` that was calibrated.
        images: List of float32 arrays of shape (height, width, 3).

    Returns:
        Dict from the tensors' numbers to arrays of values. The input and
        tensors without a range are not in it.
    """
    from ai_edge_litert import interpreter as litert

    runner = litert.Interpreter(
        model_content=flatbuffer.write(model),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=(
            litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    (given,) = runner.get_input_details()
    numbers = _with_range(model)
    found: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    rng = np.random.default_rng(0)
    for image in images:
        runner.resize_tensor_input(given["index"], (1, *image.shape))
        runner.allocate_tensors()
        runner.set_tensor(given["index"], image[None])
        runner.invoke()
        for number, kept in found.items():
            values = runner.get_tensor(number).ravel()
            if values.size > _SAMPLE:
                places = rng.integers(0, values.size, _SAMPLE)
                # The search begins at the extremes, so they are kept too.
                ends = values.min(), values.max()
                values = np.append(values[places], ends)
            kept.append(values)
    return {number: np.concatenate(kept) for number, kept in found.items()}


def set_ranges(model: schema.ModelT, ranges: dict[int, tuple[float, float]]):
    """Replaces the ranges that calibration wrote into a model.

    The output of an operator that only moves values gets the input's range.
    """
    graph = Graph(model)
    spread = dict(ranges)
    for number, operator in graph.makers.items():
        if graph.kind(operator) in int8.MOVING:
            given = int(operator.inputs[0])
            if given in spread:
                spread[number] = spread[given]
    for number, (low, high) in spread.items():
        of = graph.tensors[number].quantization
        of.min = np.array([low], np.float32)
        of.max = np.array([high], np.float32)


def _with_range(model):
    """The tensors with a range of their own that calibration has seen."""
    graph = Graph(model)
    numbers = []
    for number, operator in graph.makers.items():
        if graph.kind(operator) in (*int8.MOVING, "CONCATENATION"):
            # Their range is that of their input.
            continue
        of = graph.tensors[number].quantization
        if of is not None and of.min is not None and len(of.min) == 1:
            numbers.append(number)
    return numbers


def _squared_error(values, counts, low, high):
    scale = (high - low) / _LEVELS
    zero = np.round(low / scale)
    levels = np.clip(np.round(values / scale), zero, zero + _LEVELS)
    return np.sum(counts * (levels * scale - values) ** 2)
