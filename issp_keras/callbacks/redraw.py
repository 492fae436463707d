"""Draws weights of layers anew, as their initialisers would."""

from issp_keras.sparsity.seeds import derived_seed

# Variables of Keras' layers, and where their initialisers are.
_INITIALIZERS = {
    "kernel": ("kernel_initializer", "depthwise_initializer"),
    "recurrent_kernel": ("recurrent_initializer",),
    "depthwise_kernel": ("depthwise_initializer",),
    "pointwise_kernel": ("pointwise_initializer",),
    "bias": ("bias_initializer",),
}


def redraw(pruned_layers, seed):
    """Initialises the weights of layers again, with new seeds.

    An initialiser of Keras that is called again gives the values that it
    gave before; so each is remade with another seed. Biases of recurrent
    cells, which are constant at first, are left as they are.

    Args:
        pruned_layers: List of built `keras.layers.Layer`.
        seed: Integer.

    Raises:
        ValueError: If a layer has no initialiser for its kernel.
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
                f"The weights of layer '{layer.path}' cannot be drawn anew: "
                "expected a layer of Keras with an initialiser for its kernel."
            )


def _reseeded(initializer, seed):
    config = (
        initializer.get_config() if hasattr(initializer, "get_config") else {}
    )
    if "seed" not in config:
        return initializer
    return type(initializer).from_config({**config, "seed": seed})
