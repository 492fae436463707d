"""Dense layers that TFLite computes on images, without reshaping them."""

import contextlib
import functools

import keras

from issp_keras import keras_internals


@contextlib.contextmanager
def keeping_axes(model: keras.Model):
    """Lets Dense layers keep all axes of their input, while they are traced.

    Keras reshapes an image to a matrix before the product, and reshapes the
    result back. In a file for any size, that takes nine operators, which
    XNNPACK does not support. TFLite's FULLY_CONNECTED accepts images.

    Args:
        model: A `keras.Model`, of the TensorFlow backend.
    """
    changed = [
        layer
        for layer in keras_internals.every_layer(model)
        # A `call` that someone else replaced is kept.
        if type(layer) is keras.layers.Dense and "call" not in vars(layer)
    ]
    for layer in changed:
        layer.call = functools.partial(_call, layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def _call(layer, x, training=None):
    import tensorflow as tf

    x = tf.matmul(x, tf.convert_to_tensor(layer.kernel))
    if layer.bias is not None:
        x = tf.nn.bias_add(x, tf.convert_to_tensor(layer.bias))
    return x if layer.activation is None else layer.activation(x)
