"""Dense layers of images, as TFLite computes them by itself."""

import contextlib
import functools

import keras


@contextlib.contextmanager
def keeping_axes(model: keras.Model):
    """Lets Dense layers keep all axes of what they take, while they are traced.

    Keras flattens an image to a matrix before the product, and makes an image
    of the result. In a file for any size, TFLite needs nine operators for
    that, which XNNPACK does not know. Its FULLY_CONNECTED takes images as they
    are.

    Args:
        model: A `keras.Model`, of the TensorFlow backend.
    """
    changed = [
        layer
        for layer in model._flatten_layers()
        # What has a `call` of its own already is not for us to replace.
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
