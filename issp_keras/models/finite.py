"""A check for weights that are NaN or infinite."""

import keras
import numpy as np

from issp_keras.errors import InputError


def check_finite(model: keras.Model, name: object) -> None:
    """Refuses a model with weights that are NaN or infinite.

    Args:
        model: `keras.Model`.
        name: The name of the model for the error, such as its path.

    Raises:
        InputError: If there are such weights. The error names their layer.
    """
    for variable in model.variables:
        if not keras.backend.is_float_dtype(variable.dtype):
            continue
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise InputError(
                f"{name}: the weights '{variable.path}' are NaN or infinite, "
                "expected finite numbers. Their training has diverged."
            )
