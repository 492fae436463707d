"""Finds the kernels of a Keras model that can be pruned."""

from keras import layers

_PRUNABLE_LAYERS = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.Dense,
    layers.EinsumDense,
)


def prunable_kernels(model):
    """Returns the kernels of a built model that pruning applies to.

    These are the trainable kernels of every Conv2D, DepthwiseConv2D, Dense
    and EinsumDense layer (and of their subclasses), at any depth: inside
    nested models, composite layers such as MultiHeadAttention, and
    subclassed models. A kernel that layers share is listed once.

    Args:
        model: A built `keras.Model`, or any built `keras.layers.Layer`.

    Returns:
        List of `keras.Variable`, in the order of the model.

    Raises:
        ValueError: If the model is not built, or has no such kernel.
    """
    if not model.built:
        raise ValueError(
            f"Only a built model can be pruned. Call the model '{model.name}' "
            "on data, or `model.build(input_shape)`, first."
        )
    trainable = {id(variable) for variable in model.trainable_variables}
    # The one way Keras offers to walk composite layers, not only models.
    kernels = {
        id(layer.kernel): layer.kernel
        for layer in model._flatten_layers()
        if isinstance(layer, _PRUNABLE_LAYERS) and layer.built
    }
    kernels = [k for key, k in kernels.items() if key in trainable]
    if not kernels:
        names = ", ".join(kind.__name__ for kind in _PRUNABLE_LAYERS)
        raise ValueError(
            f"The model '{model.name}' has no prunable layer: expected a "
            f"trainable layer of type {names}."
        )
    return kernels
