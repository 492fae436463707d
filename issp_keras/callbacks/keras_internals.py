"""Every name of Keras that is relied on and that Keras does not promise.

No other room reads such a name. A release of Keras that renames one shows in
`tests/test_keras_internals.py`, and to users in one sentence.
"""

import contextlib

import keras

# Names that optimizers have for the average of the gradients: Adam, Nadam,
# Lamb, Lion, RMSprop; SGD, Muon; Adamax.
_MOMENTA = ("_momentums", "momentums", "_m")
# Lists of an optimizer with one variable a kernel that are no slots.
_NO_SLOTS = (
    "_trainable_variables",
    "_model_variables_moving_average",
    "_accumulated_gradients",
)


def every_layer(layer):
    """Lists a layer and those inside it, at any depth.

    `keras.Model` has a public way, composite layers have none.
    """
    return list(_private(layer, "_flatten_layers")())


def inner_layers(layer):
    """Lists the layers inside a layer, at any depth, without itself."""
    return list(_private(layer, "_flatten_layers")(include_self=False))


def synchronise(model):
    """Brings the variables of a model up to date while `fit` runs.

    On JAX the train step keeps their values to itself.
    """
    if keras.backend.backend() == "jax":
        _private(model, "jax_state_sync")()


def strategy_scope(model):
    """Returns a context to make variables in that live as the model's do."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return _private(model, "distribute_strategy").scope()


def trained_variables(optimizer):
    """Lists the variables that a built optimizer trains."""
    return list(_private(optimizer, "_trainable_variables"))


def steps_after(optimizer, batches) -> int:
    """Says how many steps an optimizer will have made after more batches.

    Args:
        optimizer: An optimizer.
        batches: Integer, of which several make a step where gradients are
            accumulated.
    """
    seen = int(keras.ops.copy(_private(optimizer, "_iterations")))
    return (seen + batches) // (optimizer.gradient_accumulation_steps or 1)


def moving_averages(optimizer, variables):
    """Finds where `use_ema=True` keeps the averages of variables.

    Returns:
        Dict of places in `variables` to variables of the optimizer. What the
        optimizer does not train, or does not average, is not in it.
    """
    if not optimizer.use_ema or not optimizer.built:
        return {}
    averages = _private(optimizer, "_model_variables_moving_average")
    return _of_each(optimizer, averages, variables)


def momenta(optimizer, variables):
    """Finds where the optimizer averages the gradients of variables.

    Returns:
        Dict, as `moving_averages` does; None for an optimizer without.
    """
    for name in _MOMENTA:
        if found := getattr(optimizer, name, None):
            return _of_each(optimizer, found, variables)
    return None


def slots(optimizer, variables):
    """Finds what the optimizer keeps for each entry of variables.

    Returns:
        List of pairs: a place in `variables`, and a variable of the optimizer
        of the same shape, such as one of Adam's moments.
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
    """Puts variables among the `variables` of an optimizer, at the end."""
    for variable in variables:
        _private(optimizer, "_track_variable")(variable)


def untrack(optimizer, variables):
    """Takes variables out of the `variables` of an optimizer."""
    for variable in variables:
        _private(_private(optimizer, "_tracker"), "untrack")(variable)


def track_layer(model, layer):
    """Puts the variables of a layer among those of a model.

    On JAX, a train step changes no others. The layer computes nothing.
    """
    if keras.backend.backend() == "jax":
        _private(model, "_layers").append(layer)


def untrack_layer(model, layer):
    """Takes the variables of a layer out of those of a model again."""
    found = _private(model, "_layers")
    # TensorFlow refuses to save a model whose list was written to in any other
    # way than by appending.
    if any(other is layer for other in found):
        found[:] = [other for other in found if other is not layer]


def users(layer):
    """Lists the operations that take the outputs of a layer."""
    return [node.operation for node in _private(layer, "_outbound_nodes")]


def makes_output(model, operation):
    """Whether an operation makes an output of a functional model."""
    if not isinstance(model, keras.Model) or not model.built:
        return False
    ends = {id(tensor) for tensor in getattr(model, "outputs", None) or ()}
    return any(
        id(tensor) in ends
        for node in _private(operation, "_inbound_nodes")
        for tensor in node.output_tensors
    )


def forget_functions(model):
    """Lets Keras compile the steps of testing and predicting anew."""
    model.test_function = None
    model.predict_function = None


def _of_each(optimizer, kind, variables):
    """Entries of a list in the order of the trained variables."""
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
            ", which issp_keras relies on: use a release of Keras that "
            "issp_keras was tested with."
        ) from error
