"""Initialises the weights of layers again."""

from issp_keras.sparsity.seeds import derived_seed

# Variables of Keras' layers, and the attributes that hold their initialisers.
_INITIALIZERS = {
    "kernel": ("kernel_initializer", "depthwise_initializer"),
    "recurrent_kernel": ("recurrent_initializer",),
    "depthwise_kernel": ("depthwise_initializer",),
    "pointwise_kernel": ("pointwise_initializer",),
    "bias": ("bias_initializer",),
}


def redraw(pruned_layers, seed):
    """Initialises the weights of layers again, with new seeds.

    A Keras initialiser returns the same values at every call. Therefore each
    one is made again with a new seed. Recurrent cells keep their biases,
    since these start as constants.

    Args:
        pruned_layers: List of built `keras.layers.Layer`.
        seed: Integer.

    Raises:
        ValueError: If a layer has no kernel initialiser.
    """
    unique = {id(layer): layer for layer in pruned_layers}
    for i, layer in enumerate(unique.values()):
        is_cell = hasattr(layer, "recurrent_kernel")
        drawn = 0
        for j, (name, initializers) in enumerate(_INITIALIZERS.items()):
            variable = getattr(layer, name, None)
            initializer = next(
                filter(None, (getattr(layer, n, None) for n in initializers)),
                None,
            )
            if variable is None or initializer is None:
                continue
            if is_cell and name == "bias":
                continue
            drawn += name != "bias"
            variable.assign(
                _reseeded(initializer, derived_seed(seed, i, j))(
                    variable.shape, variable.dtype
                )
            )
        if not drawn:
            raise ValueError(
                f"The weights of layer '{layer.path}' cannot be initialised "
                "again: expected a Keras layer with a kernel initialiser."
            )


def _reseeded(initializer, seed):
    config = (
        initializer.get_config() if hasattr(initializer, "get_config") else {}
    )
    if "seed" not in config:
        return initializer
    return type(initializer).from_config({**config, "seed": seed})
