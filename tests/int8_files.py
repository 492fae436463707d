"""Small full-integer `.tflite` files, written by TensorFlow's converter."""

import numpy as np
import tensorflow as tf


def convert(function, *shapes, ends=tf.int8, denied=(), int16=False):
    """Converts a function of images to a file that computes in integers.

    Args:
        function: Function of tensors, which returns one or a list of them.
        *shapes: Shapes of the images; None in height and width for any.
        ends: The type of input and output.
        denied: Operators that stay in float32.
        int16: Whether activations have 16 bits.
    """
    module = tf.Module()
    module.function = tf.function(
        function,
        input_signature=[tf.TensorSpec(shape) for shape in shapes],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.function.get_concrete_function()], module
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    kinds = tf.lite.OpsSet
    converter.target_spec.supported_ops = [
        kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        if int16
        else kinds.TFLITE_BUILTINS_INT8
    ]
    converter.representative_dataset = lambda: _images(shapes)
    converter.inference_input_type = ends
    converter.inference_output_type = ends
    if denied:
        return _without(converter, denied)
    return converter.convert()


def _without(converter, denied):
    """Leaves operators in float32."""
    options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_ops=list(denied)
    )
    return tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=options,
    ).get_nondebug_quantized_model()


def _images(shapes):
    """Images whose range gives neither a round scale nor zero point 0."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        yield [
            rng.uniform(-1.3, 2.9, [n or 16 for n in shape]).astype(np.float32)
            for shape in shapes
        ]
