"""All private names of Keras that this package uses.

No other module uses a private name. If a release of Keras renames one,
`tests/test_keras_internals.py` fails, and users get a one-sentence error.
"""

import contextlib

import keras

# The names of the averages of the gradients, in three groups of optimizers:
# Adam, Nadam, Lamb, Lion, RMSprop; SGD, Muon; Adamax.
_MOMENTA = ("_momentums", "momentums", "_m")
# These lists of an optimizer have a variable for each kernel, but are no slots.
_NO_SLOTS = (
    "_trainable_variables",
    "_model_variables_moving_average",
    "_accumulated_gradients",
)


def every_layer(layer):
    """Lists a layer and the layers inside it, at any depth.

    Keras has a public function for models, but none for composite layers.
    """
    return list(_private(layer, "_flatten_layers")())


def inner_layers(layer):
    """Lists the layers inside a layer, at any depth, without itself."""
    return list(_private(layer, "_flatten_layers")(include_self=False))


def synchronise(model):
    """Updates the variables of a model while `fit` runs.

    On JAX, the train step holds their values during `fit`.
    """
    if keras.backend.backend() == "jax":
        _private(model, "jax_state_sync")()


def strategy_scope(model):
    """Returns a context for making variables with the model's strategy."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return _private(model, "distribute_strategy").scope()


def trained_variables(optimizer):
    """Lists the variables that a built optimizer trains."""
    return list(_private(optimizer, "_trainable_variables"))


def steps_after(optimizer, batches) -> int:
    """Returns the number of steps that an optimizer will have made.

    Args:
        optimizer: An optimizer.
        batches: Integer, the number of batches to come. With gradient
            accumulation, several batches make one step.
    """
    seen = int(keras.ops.copy(_private(optimizer, "_iterations")))
    return (seen + batches) // (optimizer.gradient_accumulation_steps or 1)


def moving_averages(optimizer, variables):
    """Finds the moving averages of variables, which `use_ema=True` keeps.

    Returns:
        Dict from an index in `variables` to a variable of the optimizer. It
        lacks variables that the optimizer does not train or average.
    """
    if not optimizer.use_ema or not optimizer.built:
        return {}
    averages = _private(optimizer, "_model_variables_moving_average")
    return _of_each(optimizer, averages, variables)


def momenta(optimizer, variables):
    """Finds the optimizer's averages of the gradients of variables.

    Returns:
        Dict from an index in `variables` to a variable of the optimizer; None
        for an optimizer without momentum.
    """
    for name in _MOMENTA:
        if found := getattr(optimizer, name, None):
            return _of_each(optimizer, found, variables)
    return None


def slots(optimizer, variables):
    """Finds the optimizer's slots: its variables for each trained variable.

    Returns:
        List of pairs: an index in `variables`, and a variable of the optimizer
        with the same shape, such as one of Adam's moments.
    """
    trained = len(trained_variables(optimizer))
    kinds = [
        value
        for name, value in vars(optimizer).items()
        if name not in _NO_SLOTS
        and isinstance(value, (list, tuple))
        and len(value) == trained
    ]
    return [
        (i, slot)
        for kind in kinds
        for i, slot in _of_each(optimizer, kind, variables).items()
        if getattr(slot, "shape", None) == variables[i].shape
    ]


def track(optimizer, variables):
    """Appends variables to the `variables` of an optimizer."""
    for variable in variables:
        _private(optimizer, "_track_variable")(variable)


def untrack(optimizer, variables):
    """Removes variables from the `variables` of an optimizer."""
    for variable in variables:
        _private(_private(optimizer, "_tracker"), "untrack")(variable)


def track_layer(model, layer):
    """Adds the variables of a layer to the variables of a model.

    On JAX, a train step only changes variables of the model. The layer does
    not compute anything.
    """
    if keras.backend.backend() == "jax":
        _private(model, "_layers").append(layer)


def untrack_layer(model, layer):
    """Removes the variables of a layer from the variables of a model."""
    found = _private(model, "_layers")
    # TensorFlow refuses to save a model if its list was changed other than by
    # appending. So write only if there is a change.
    if any(other is layer for other in found):
        found[:] = [other for other in found if other is not layer]


def users(layer):
    """Lists the operations that use the outputs of a layer."""
    return [node.operation for node in _private(layer, "_outbound_nodes")]


def makes_output(model, operation):
    """Whether an operation computes an output of a functional model."""
    if not isinstance(model, keras.Model) or not model.built:
        return False
    ends = {id(tensor) for tensor in getattr(model, "outputs", None) or ()}
    return any(
        id(tensor) in ends
        for node in _private(operation, "_inbound_nodes")
        for tensor in node.output_tensors
    )


def forget_functions(model):
    """Makes Keras compile the test and predict steps again."""
    model.test_function = None
    model.predict_function = None


def _of_each(optimizer, kind, variables):
    """Maps indices in `variables` to entries of a list of the optimizer.

    The list has the order of the trained variables.
    """
    entries = dict(
        zip(map(id, trained_variables(optimizer)), kind, strict=True)
    )
    found = {i: entries.get(id(v)) for i, v in enumerate(variables)}
    return {i: entry for i, entry in found.items() if entry is not None}


def _private(owner, name):
    try:
        return getattr(owner, name)
    except AttributeError as error:
        raise AttributeError(
            f"Keras {keras.__version__} has no `{type(owner).__name__}.{name}`"
            ", which issp_keras needs: use a release of Keras that "
            "issp_keras was tested with."
        ) from error
