"""Functions with explicit gradients."""

import functools

import keras
from keras import ops


def with_gradient(function):
    """Gives a function of tensors an explicit gradient.

    Args:
        function: Callable that takes tensors, but no variables. It returns its
            value and a callable `gradient(upstream)`, which returns the
            gradient of each argument.

    Returns:
        Callable that returns the value.
    """

    # Profilers show this name. In TensorFlow, it must begin with a letter.
    scope = f"{function.__name__.lstrip('_')}_gradient"

    @ops.custom_gradient
    @functools.wraps(function)
    def valued(*tensors):
        value, gradient = function(*tensors)

        def backward(*args, upstream=None):
            # TensorFlow passes the upstream gradient by position, JAX by name.
            with keras.name_scope(scope):
                return gradient(args[0] if upstream is None else upstream)

        return value, backward

    return valued
