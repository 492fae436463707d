"""Plain networks from those that are trained as sums of branches."""

import keras
from keras import layers

from issp_keras.models.parts.reparameterized import ReparameterizedConv2D


def merge(model: keras.Model) -> keras.Model:
    """Makes a plain 3x3 convolution of each sum of branches.

    The result has the layer names and, up to rounding, the outputs of
    `model`, which stays as it is. It is the one to prune, export and publish,
    since it has fewer weights, and no layer that Keras does not know.

    Example:

    >>> model = issp_keras.models.ecbsr(scale=4, reparameterized=True)
    >>> issp_keras.models.merge(model).count_params()
    16768

    Args:
        model: A functional or sequential `keras.Model`; models inside it are
            merged too.

    Returns:
        A new `keras.Model`.

    Raises:
        ValueError: If Keras cannot clone the model, as it cannot clone a
            subclassed one.
    """
    merged = keras.models.clone_model(
        model, clone_function=_plain, recursive=True
    )
    _copy_weights(model, merged)
    return merged


def _plain(layer):
    if not isinstance(layer, ReparameterizedConv2D):
        return layer.__class__.from_config(layer.get_config())
    return layers.Conv2D(
        layer.filters,
        3,
        padding="same",
        activation=layer.activation,
        trainable=layer.trainable,
        dtype=layer.dtype_policy,
        name=layer.name,
    )


def _copy_weights(model, merged):
    for layer in model.layers:
        if not layer.weights:
            continue
        plain = merged.get_layer(layer.name)
        if isinstance(layer, ReparameterizedConv2D):
            plain.kernel.assign(layer.merged_kernel())
            plain.bias.assign(layer.merged_bias())
        elif isinstance(layer, keras.Model):
            _copy_weights(layer, plain)
        else:
            plain.set_weights(layer.get_weights())
