"""Conversion of networks with sums of branches to plain networks."""

import keras
from keras import layers

from issp_keras.models.parts.reparameterized import ReparameterizedConv2D


def merge(model: keras.Model) -> keras.Model:
    """Replaces each sum of branches by a plain 3x3 convolution.

    The result has the layer names of `model` and, up to rounding, its outputs.
    `model` does not change. Prune, export and publish the result: it has fewer
    weights, and its branches are plain Keras layers.

    Example:

    >>> model = issp_keras.models.ecbsr(scale=4, reparameterized=True)
    >>> issp_keras.models.merge(model).count_params()
    16768

    Args:
        model: A functional or sequential `keras.Model`. Models inside it are
            merged too.

    Returns:
        A new `keras.Model`.

    Raises:
        ValueError: If Keras cannot clone the model, for example a subclassed
            model.
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
