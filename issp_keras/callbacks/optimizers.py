"""What sparse training needs of a model's optimizer."""

import keras
from keras import ops

from issp_keras.callbacks import keras_internals


def optimizers(model):
    """Lists the model's optimizer and those within it, the innermost last.

    The innermost updates the weights: `LossScaleOptimizer` is wrapped around
    one. The list is empty for a model without optimizer.

    Raises:
        ValueError: If it is a `MultiOptimizer`.
    """
    # A model that was never compiled has no such attribute.
    found = [getattr(model, "optimizer", None)]
    if found[0] is None:
        return []
    while hasattr(found[-1], "inner_optimizer"):
        found.append(found[-1].inner_optimizer)
    # Keras 3.12 has none.
    several = getattr(keras.optimizers, "MultiOptimizer", ())
    if isinstance(found[-1], several):
        raise ValueError(
            "Sparse training follows the steps of one optimizer. Received: a "
            "MultiOptimizer, whose optimizers count steps of their own; "
            "compile the model with one optimizer for all weights."
        )
    return found


def own_optimizer(model):
    """Returns the optimizer that updates the weights, None without one."""
    return (optimizers(model) or [None])[-1]


def momenta(optimizer, variables, paths):
    """Finds where the optimizer averages the gradients of kernels.

    Args:
        optimizer: The optimizer that updates the weights.
        variables: List of the kernels' variables.
        paths: List of the kernels' names, for the message.

    Returns:
        List of variables.

    Raises:
        ValueError: If the optimizer has none for a kernel.
    """
    found = keras_internals.momenta(optimizer, variables)
    name = type(optimizer).__name__
    if found is None:
        raise ValueError(
            "The pruning method needs an optimizer with momentum, such as "
            f"Adam. Received: optimizer={name}"
        )
    for i, path in enumerate(paths):
        if i not in found:
            raise ValueError(
                "The pruning method needs the momentum of every kernel, and "
                f"{name} has none for '{path}': pass `exclude` for the layers "
                "that it does not train."
            )
    return [found[i] for i in range(len(variables))]


def separate_averages(optimizer):
    """Gives averages and weights buffers of their own.

    An earlier `fit` has put the averages in place of the weights. On JAX
    both then are one buffer, which a train step cannot donate twice.
    """
    if keras.backend.backend() != "jax" or not optimizer.use_ema:
        return
    trained = keras_internals.trained_variables(optimizer)
    averages = keras_internals.moving_averages(optimizer, trained)
    for average in averages.values():
        average.assign(ops.copy(average.value))
