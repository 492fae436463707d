"""Converts a Keras network to a dense TFLite model."""

import contextlib
import io
import warnings

import keras
import numpy as np
from absl import logging
from ai_edge_litert import schema_py_generated as schema
from keras import ops

from issp_keras import keras_internals
from issp_keras.activation_ranges import trained_ranges
from issp_keras.errors import blame
from issp_keras.extras import needed_by
from issp_keras.tflite import flatbuffer
from issp_keras.tflite import int8
from issp_keras.tflite.dense import keeping_axes
from issp_keras.tflite.flatbuffer import Graph
from issp_keras.tflite.products import split_products
from issp_keras.tflite.quantizer import quantize

_WHITE = 255
# The name of the model around the network.
_OUTER = "lr_to_sr"


def convert(
    model: keras.Model,
    precision: str,
    size: tuple[int, int] | None,
    input: str,
    ranges: str,
    calibration: list[np.ndarray],
) -> schema.ModelT:
    """Converts a super-resolution network with TensorFlow's converter.

    Inputs and outputs are 0..1 in float32 or 0..255 in uint8. The graph clips
    its result, and rounds it if it is uint8.

    Args:
        model: `keras.Model` that maps RGB images in 0..1 to larger images.
        precision: One of `PRECISIONS`.
        size: Height and width that the file takes, or None for any.
        input: One of `INPUTS`, also of the output.
        ranges: One of `RANGES`, how "int8" finds the ranges of activations.
        calibration: LR images of shape (height, width, 3), float32 in 0..1,
            of `size` if it is given. Only "int8" uses them.

    Returns:
        The converted model as objects of the schema, with short names.
    """
    with needed_by("The conversion to TFLite"):
        import tensorflow as tf

    is_int8 = precision == "int8"
    # For int8, the converter converts input and output, and `int8` clips.
    apply = model if is_int8 else _between_pixels(model, input)
    shape = (*(size or (None, None)), 3)
    dtype = "float32" if is_int8 else input
    image = keras.Input(shape, 1 if size else None, dtype, name="lr")
    network = keras.Model(image, apply(image), name=_OUTER)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    layers = {layer.name for layer in keras_internals.every_layer(model)} - {
        model.name
    }
    with keeping_axes(model):
        if is_int8:
            trained = trained_ranges(model)
            converted = _in_integers(
                converter, input, ranges, calibration, trained, layers
            )
        else:
            converted = _run(converter)
            split_products(converted)
    for graph in converted.subgraphs:
        for tensor in graph.tensors:
            name = _short_name(flatbuffer.name(tensor), layers)
            tensor.name = name.encode()
    return converted


def _in_integers(converter, input, ranges, calibration, trained, layers):
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: (
        [image[None]] for image in _with_extremes(calibration)
    )
    converter.inference_input_type = getattr(tf, input)
    converter.inference_output_type = getattr(tf, input)
    converter._experimental_calibrate_only = True
    calibrated = _run(converter)
    with _quiet():
        converted = quantize(
            calibrated,
            calibration,
            ranges,
            input,
            _of_tensors(calibrated, trained, layers),
        )
    if int8.has_float_layers(converted):
        # The converter's older quantizer knows fewer operators, but it leaves
        # no layer of CAT in float. It accepts only its own ranges.
        converter._experimental_calibrate_only = False
        converter.experimental_new_quantizer = False
        with contextlib.suppress(Exception):
            converted = _run(converter)
            int8.mend(converted)
    return converted


def _of_tensors(calibrated, trained, layers):
    """The ranges of layers' outputs, by the numbers of their tensors."""
    if not trained:
        return {}
    (graph,) = calibrated.subgraphs
    numbers = {
        # The last tensor that a layer computes is its output.
        _short_name(flatbuffer.name(graph.tensors[number]), layers): number
        for number in Graph(calibrated).makers
    }
    return {
        numbers[name]: ends for name, ends in trained.items() if name in numbers
    }


def in_float32(model: keras.Model) -> keras.Model:
    """A network that computes in float32, with the weights of `model`.

    TFLite has no mixed precision: the files of all precisions come from
    float32.

    Raises:
        InputError: If the model cannot be converted to float32.
    """
    if {layer.compute_dtype for layer in model.layers} <= {"float32", None}:
        return model

    def clone(layer):
        config = layer.get_config()
        if "dtype" in config:
            config["dtype"] = "float32"
        return type(layer).from_config(config)

    with blame(f"{model.name}: cannot be made float32", Exception):
        result = keras.models.clone_model(model, clone_function=clone)
        result.set_weights(model.get_weights())
    return result


def _between_pixels(model, input):
    """The model as a function of pixels of dtype `input`."""

    def apply(image):
        if input == "uint8":
            image = ops.cast(image, "float32") / _WHITE
        result = ops.clip(ops.cast(model(image), "float32"), 0, 1)
        if input == "uint8":
            result = ops.cast(ops.floor(result * _WHITE + 0.5), "uint8")
        return result

    return apply


def _with_extremes(images):
    """Adds black and white, so that the input's range is all of 0..1."""
    for image in images:
        yield image
    yield np.zeros_like(image)
    yield np.ones_like(image)


def _short_name(name, layers):
    """Shortens the converter's name of a tensor to the name of its layer.

    "net_1/edsr_1/conv_first_1/BiasAdd;net_1/..." becomes "conv_first". Equal
    names are stored once. The long names take 120 kB in SwinIR's files.
    """
    parts = [part.removesuffix("_1") for part in name.split(";")[0].split("/")]
    return "/".join(part for part in parts if part in layers) or name


def _run(converter):
    with _quiet():
        content = converter.convert()
    return flatbuffer.parse(content, "the converted model")


@contextlib.contextmanager
def _quiet():
    """Hides what Keras prints and logs during the conversion."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Statistics for quantized inputs")
            yield
    finally:
        logging.set_verbosity(verbosity)
