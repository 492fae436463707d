"""Quantizes a calibrated float network to int8, with the best ranges.

The quantizer takes the ranges that calibration wrote into the file. So other
ranges can be written there before it runs.
"""

import copy
from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from issp_keras.tflite import flatbuffer
from issp_keras.tflite import int8
from issp_keras.tflite import ranges


def quantize(
    calibrated: schema.ModelT,
    images: list[np.ndarray],
    method: str,
    input: str,
    trained: dict[int, tuple[float, float]],
) -> schema.ModelT:
    """Quantises a network with the ranges that lose least.

    Args:
        calibrated: `schema.ModelT` of float32, with calibration's ranges.
        images: List of float32 arrays of shape (height, width, 3) in 0..1.
        method: One of `RANGES`.
        input: String, the dtype of input and output.
        trained: Ranges that training has found, by the tensors' numbers. If
            `method` is "best", they are tried too.

    Returns:
        `schema.ModelT`. For "best", the one whose output for the images has
        the least squared error.
    """
    values = ranges.sampled(calibrated, images)
    ways = ranges.methods()
    if method != "best":
        ways = {method: ways[method]}
    found = [
        {number: way(of) for number, of in values.items()}
        for way in ways.values()
    ]
    if trained and method == "best":
        found += [{**others, **trained} for others in found]
    candidates = [_quantized(calibrated, each, input) for each in found]
    if len(candidates) == 1:
        return candidates[0]
    expected = _outputs(calibrated, images)
    return min(candidates, key=_loss(images, expected))


def _quantized(calibrated, found, input):
    import tensorflow as tf

    # The converter's own function. `tf.lite` does not export it.
    from tensorflow.lite.python.convert import mlir_quantize

    model = copy.deepcopy(calibrated)
    ranges.set_ranges(model, found)
    content = mlir_quantize(
        flatbuffer.write(model, keep_ranges=True),
        input_data_type=getattr(tf, input),
        output_data_type=getattr(tf, input),
    )
    model = flatbuffer.parse(content, "the quantised model")
    int8.mend(model)
    return model


def _loss(images, expected) -> Callable[[schema.ModelT], float]:
    def loss(model):
        return sum(
            float(np.mean((output - wanted) ** 2))
            for output, wanted in zip(
                _outputs(model, images), expected, strict=True
            )
        )

    return loss


def _outputs(model, images):
    """The outputs of a network for images, in 0..1."""
    from ai_edge_litert import interpreter as litert

    # `write` changes the model, so it gets a copy.
    runner = litert.Interpreter(
        model_content=flatbuffer.write(copy.deepcopy(model)), num_threads=1
    )
    (given,), (made,) = runner.get_input_details(), runner.get_output_details()
    outputs = []
    for image in images:
        pixels = image[None]
        runner.resize_tensor_input(given["index"], pixels.shape)
        runner.allocate_tensors()
        white = 1
        if given["dtype"] == np.uint8:
            white = 255
            pixels = np.round(pixels * white).astype(np.uint8)
        runner.set_tensor(given["index"], pixels)
        runner.invoke()
        output = runner.get_tensor(made["index"]).astype(np.float32) / white
        outputs.append(np.clip(output, 0, 1))
    return outputs
