"""The internals of Keras that this package uses exist and still work."""

import ast
import pathlib

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from issp_keras import keras_internals

pytestmark = pytest.mark.versions

WITH_MOMENTA = {
    "SGD.momentums": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "Adam._momentums": lambda: keras.optimizers.Adam(0.1),
    "Adamax._m": lambda: keras.optimizers.Adamax(0.1),
}


class Composite(layers.Layer):
    """A layer that holds another layer in a list."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(2)]

    def call(self, x):
        return self.parts[0](x)


def _built(optimizer):
    """A model, and an optimizer that has made one step."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    optimizer.build(model.trainable_variables)
    optimizer.apply([ops.ones(v.shape) for v in model.trainable_variables])
    return model, optimizer


def _adam(**arguments):
    return _built(keras.optimizers.Adam(0.1, **arguments))


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("_flatten_layers", Composite),
        ("_trainable_variables", lambda: _adam()[1]),
        (
            "_model_variables_moving_average",
            lambda: _adam(use_ema=True)[1],
        ),
        (
            "_accumulated_gradients",
            lambda: _adam(gradient_accumulation_steps=2)[1],
        ),
        ("_track_variable", lambda: _adam()[1]),
        ("_tracker", lambda: _adam()[1]),
        ("inner_optimizer", lambda: _scaled()),
        ("loss_scale_factor", lambda: _adam()[1]),
        ("make_train_function", keras.Sequential),
        *((name.split(".")[1], make) for name, make in WITH_MOMENTA.items()),
    ],
)
def test_keras_has_what_is_relied_on(name, owner):
    made = owner()
    if name in ("momentums", "_momentums", "_m"):
        _built(made)
    assert hasattr(made, name), (
        f"Keras {keras.__version__} broke issp_keras.callbacks: its "
        f"{type(made).__name__} has no `{name}` any more."
    )


def _scaled():
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1))


def test_a_missing_name_is_told_in_one_sentence():
    with pytest.raises(
        AttributeError,
        match=rf"Keras {keras.__version__} has no `object._flatten_layers`",
    ):
        keras_internals.every_layer(object())


def test_layers_inside_a_composite_layer_are_found():
    model = keras.Sequential([keras.Input((3,)), Composite()])
    composite = model.layers[0]
    inner = composite.parts[0]
    assert keras_internals.every_layer(model)[-2:] == [composite, inner]
    assert keras_internals.inner_layers(composite) == [inner]


def test_trained_variables_are_those_of_build():
    model, optimizer = _adam()
    found = keras_internals.trained_variables(optimizer)
    assert list(map(id, found)) == list(map(id, model.trainable_variables))


def test_moving_averages_belong_to_the_variables():
    model, optimizer = _adam(use_ema=True)
    kernel, bias = model.trainable_variables
    stranger = keras.Variable(ops.zeros((3, 2)))
    found = keras_internals.moving_averages(optimizer, [bias, stranger, kernel])
    assert sorted(found) == [0, 2]
    # The first average is the value after the first step.
    for place, variable in ((0, bias), (2, kernel)):
        np.testing.assert_allclose(found[place].numpy(), variable.numpy())
    _, plain = _adam()
    assert keras_internals.moving_averages(plain, [kernel]) == {}


@pytest.mark.parametrize("name", sorted(WITH_MOMENTA))
def test_momenta_are_averages_of_gradients(name):
    model, optimizer = _built(WITH_MOMENTA[name]())
    found = keras_internals.momenta(optimizer, model.trainable_variables)
    assert sorted(found) == [0, 1]
    for place, variable in enumerate(model.trainable_variables):
        values = found[place].numpy()
        assert values.shape == variable.shape
        # All gradients were 1. SGD's momentum has the sign of the step.
        assert abs(values).min() == abs(values).max() > 0


def test_an_optimizer_without_momentum_has_none():
    model, optimizer = _built(keras.optimizers.SGD(0.1))
    variables = model.trainable_variables
    assert keras_internals.momenta(optimizer, variables) is None


def test_slots_are_the_moments_and_nothing_else():
    model, optimizer = _adam(use_ema=True, gradient_accumulation_steps=2)
    kernel = model.layers[0].kernel
    stranger = keras.Variable(ops.zeros((3, 2)))
    found = keras_internals.slots(optimizer, [stranger, kernel])
    assert [place for place, _ in found] == [1, 1]
    names = {slot.path.split("_")[-1] for _, slot in found}
    assert names == {"momentum", "velocity"}


def test_tracked_variables_come_last_and_go_again():
    _, optimizer = _adam()
    before = list(map(id, optimizer.variables))
    variable = keras.Variable(ops.zeros(()))
    keras_internals.track(optimizer, [variable])
    assert list(map(id, optimizer.variables)) == [*before, id(variable)]
    keras_internals.untrack(optimizer, [variable])
    assert list(map(id, optimizer.variables)) == before


def test_variables_are_up_to_date_while_fit_runs():
    class Ask(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            keras_internals.synchronise(model)
            seen.append(float(model.layers[0].kernel.numpy()[0, 0]))

    seen = []
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.ones((6, 1))
    model.fit(x, x, batch_size=2, verbose=0, callbacks=[Ask()])
    assert len(seen) == 3
    assert 0 < seen[0] < seen[1] < seen[2]


def test_variables_can_be_made_in_the_scope_of_the_strategy():
    model, _ = _adam()
    with keras_internals.strategy_scope(model):
        assert keras.Variable(ops.ones(())).numpy() == 1


def test_the_users_of_a_layer_are_found():
    image = keras.Input((3,))
    first, relu, last = layers.Dense(2), layers.ReLU(), layers.Dense(1)
    keras.Model(image, last(relu(first(image))))
    assert keras_internals.users(first) == [relu]
    assert keras_internals.users(relu) == [last]
    assert keras_internals.users(last) == []


def test_a_layer_beside_a_model_is_taken_away_again():
    model, _ = _adam()
    before = len(model.variables)
    beside = layers.Dense(2)
    beside.build((3,))
    keras_internals.track_layer(model, beside)
    is_jax = keras.backend.backend() == "jax"
    assert len(model.variables) == before + (2 if is_jax else 0)
    keras_internals.untrack_layer(model, beside)
    assert len(model.variables) == before


# Private names of other packages, and of classes in the same room.
_OTHERS = {
    "_exit",
    "_getframe",
    "_replace",
    # LiteRT has no public way to call a loaded delegate.
    "_get_native_delegate_pointer",
    "_interpreter",
    "_experimental_calibrate_only",
    # Of `issp_keras.network`, which is one room.
    "_delegate",
    "_file",
    "_network",
}


def test_no_other_module_uses_a_private_name_of_keras():
    root = pathlib.Path(__file__).parent.parent
    found = {
        f"{path.relative_to(root)}: {ast.unparse(node)}"
        for folder in ("issp_keras", "tflite")
        for path in (root / folder).rglob("*.py")
        if path.name != "keras_internals.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in ("self", "cls")
        and node.attr not in _OTHERS
    }
    assert not found
