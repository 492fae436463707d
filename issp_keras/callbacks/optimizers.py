"""Access to the optimizer of a model, for sparse training."""

import keras
from keras import ops

from issp_keras import keras_internals


def optimizers(model):
    """Lists the model's optimizer and its inner optimizers, innermost last.

    The innermost optimizer updates the weights. For example,
    `LossScaleOptimizer` wraps another optimizer. The list is empty for a
    model without optimizer.

    Raises:
        ValueError: If the innermost optimizer is a `MultiOptimizer`.
    """
    # A model that was never compiled has no such attribute.
    found = [getattr(model, "optimizer", None)]
    if found[0] is None:
        return []
    while hasattr(found[-1], "inner_optimizer"):
        found.append(found[-1].inner_optimizer)
    # Keras 3.12 has no MultiOptimizer.
    several = getattr(keras.optimizers, "MultiOptimizer", ())
    if isinstance(found[-1], several):
        raise ValueError(
            "Sparse training needs one optimizer for all weights: compile the "
            "model with one. Received: a MultiOptimizer, in which each "
            "optimizer counts its steps separately."
        )
    return found


def own_optimizer(model):
    """Returns the optimizer that updates the weights, or None."""
    return (optimizers(model) or [None])[-1]


def momenta(optimizer, variables, paths):
    """Finds the variables in which the optimizer averages the gradients.

    Args:
        optimizer: The optimizer that updates the weights.
        variables: List of the kernels' variables.
        paths: List of the kernels' names, for the error message.

    Returns:
        List of variables, one for each kernel.

    Raises:
        ValueError: If the optimizer has no momentum for a kernel.
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
                "The pruning method needs the momentum of every kernel, but "
                f"{name} has none for '{path}': use `exclude` for the layers "
                "that the optimizer does not train."
            )
    return [found[i] for i in range(len(variables))]


def separate_averages(optimizer):
    """Copies the moving averages, so that no weight shares their buffer.

    An earlier `fit` replaced the weights by the averages. On JAX, both are
    then one buffer, and a train step cannot donate one buffer twice.
    """
    if keras.backend.backend() != "jax" or not optimizer.use_ema:
        return
    trained = keras_internals.trained_variables(optimizer)
    averages = keras_internals.moving_averages(optimizer, trained)
    for average in averages.values():
        average.assign(ops.copy(average.value))
