"""Functions with explicit gradients."""

import functools

import keras
from keras import ops


def with_gradient(function):
    """Makes a function of tensors with an explicit gradient.

    Args:
        function: Callable that takes tensors, but no variables. It returns its
            value and a callable `gradient(upstream)`, which returns the
            gradient of each argument.

    Returns:
        Callable that returns the value.
    """

    # Profilers show it; TensorFlow wants it to begin with a letter.
    scope = f"{function.__name__.lstrip('_')}_gradient"

    @ops.custom_gradient
    @functools.wraps(function)
    def valued(*tensors):
        value, gradient = function(*tensors)

        def backward(*args, upstream=None):
            # TensorFlow passes it as an argument, JAX by its name.
            with keras.name_scope(scope):
                return gradient(args[0] if upstream is None else upstream)

        return value, backward

    return valued
