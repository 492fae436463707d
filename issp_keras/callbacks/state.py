"""What sparse training remembers, in every checkpoint of the optimizer."""

import contextlib
import json
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from issp_keras.callbacks import keras_internals

_NAME = "sparse_training"


class Logged(NamedTuple):
    """What was logged last, to which the next log is compared.

    Args:
        step: Integer, the optimizer's step then.
        masks: List of boolean arrays, one a kernel.
    """

    step: int
    masks: list


class SparseState(keras.layers.Layer):
    """The state of a method, kept and saved with the optimizer.

    On JAX the compiled train step may change variables of the optimizer, and
    no others of ours; so there the state is among its `variables` while it
    is attached. `save` and `save_weights` write it beside the optimizer's
    own variables, not among them, with a description of the training and the
    optimizer's step: `load_weights` brings it back where one is attached,
    and plain Keras, which has none, loads the same file without it.

    A `Layer`, for that is the one public type that Keras saves wherever it
    finds it.

    Args:
        optimizers: List of optimizers, the one that owns the kernels last,
            after those that are wrapped around it.
        pruner: `Pruner`.
        scope: Callable that returns a context to make variables in.

    Attributes:
        arrays: List of variables, one a kernel, empty for methods without
            state.
        prepared: Variable, the next step whose state is not made yet.
        gradient_norms: Variable of shape (kernels,), of the last step.
        logged: `Logged`, the masks of the last log; None without one.
    """

    def __init__(self, optimizers, pruner, scope):
        super().__init__(name=_NAME, trainable=False)
        # Not a list: Keras would save what it finds in one.
        self._optimizers = lambda: optimizers
        self._description = pruner.describe()
        self._loaded = None
        self._shapes = tuple(kernel.shape for kernel in pruner.kernels)
        self._logged = lambda: None
        dtype = pruner.method.state_dtype
        with scope():
            self.prepared = _variable((), "int32")
            self.gradient_norms = _variable((len(pruner.kernels),), "float32")
            self.arrays = [
                _variable(kernel.shape, dtype)
                for kernel in pruner.kernels
                if dtype is not None
            ]
        self.built = True

    @property
    def logged(self):
        return self._logged()

    def remember(self, step, masks):
        """Keeps what was logged, for the next log and for checkpoints."""
        last = Logged(step, masks)
        # Not a list either.
        self._logged = lambda: last

    def serves(self, pruner):
        """Whether this is the state of a training as `pruner` does it.

        If it is, it is described as that of `pruner` from now on.
        """
        description = pruner.describe()
        if any(_differences(self._description, description)):
            return False
        self._description = description
        return True

    def values(self, pruner):
        """Returns the states, a list with one for each kernel.

        Each is None for a method without state; all is None where the
        pruning stage of `pruner` has not made them yet.
        """
        if not self.arrays:
            return [None] * self.gradient_norms.shape[0]
        if int(self.prepared.numpy()) <= pruner.begin:
            return None
        return [ops.convert_to_tensor(array.numpy()) for array in self.arrays]

    def attach(self):
        """Puts the variables among the optimizer's, and saves them beside."""
        optimizer = self._optimizers()[-1]
        setattr(optimizer, _NAME, self)
        self._put_in()
        for each in self._optimizers():
            each.save_own_variables = _aside(self, each.save_own_variables)
            each.load_own_variables = _aside(self, each.load_own_variables)

    def detach(self):
        """Leaves the optimizer as it was."""
        optimizer = self._optimizers()[-1]
        self._take_out()
        delattr(optimizer, _NAME)
        for each in self._optimizers():
            del each.save_own_variables
            del each.load_own_variables

    @contextlib.contextmanager
    def aside(self):
        """Within, the optimizer has its own variables only."""
        self._take_out()
        try:
            yield
        finally:
            self._put_in()

    def save_own_variables(self, store):
        """Writes the state; called by Keras."""
        description = json.dumps(self._description).encode()
        store["description"] = np.frombuffer(description, np.uint8)
        store["step"] = np.array(self._step())
        store["prepared"] = self.prepared.numpy()
        for i, array in enumerate(self.arrays):
            values = array.numpy()
            if values.dtype == bool:
                values = np.packbits(values)
            store[str(i)] = values
        if self.logged is not None:
            store["logged_step"] = np.array(self.logged.step)
            for i, mask in enumerate(self.logged.masks):
                store[f"logged_{i}"] = np.packbits(mask)

    def load_own_variables(self, store):
        """Reads the state; called by Keras. `check` says whether it fits."""
        if not len(store.keys()):
            # A checkpoint that was made without sparse training.
            return
        description = json.loads(np.array(store["description"]).tobytes())
        self._loaded = (description, int(np.array(store["step"])))
        if any(_differences(description, self._description)):
            return
        self.prepared.assign(np.array(store["prepared"]))
        for i, array in enumerate(self.arrays):
            values = np.array(store[str(i)])
            if array.dtype == "bool":
                values = _unpacked(values, array.shape)
            array.assign(values.reshape(array.shape))
        # Older checkpoints, and those of trainings without a log, have none.
        if "logged_step" in set(store.keys()):
            masks = [
                _unpacked(np.array(store[f"logged_{i}"]), shape)
                for i, shape in enumerate(self._shapes)
            ]
            self.remember(int(np.array(store["logged_step"])), masks)

    def check(self, pruner):
        """Raises a ValueError if this is not the state of this training."""
        step = self._step()
        if self._loaded is not None:
            description, loaded_step = self._loaded
            for difference in _differences(description, self._description):
                raise ValueError(_mismatch(*difference))
            if loaded_step != step:
                raise ValueError(
                    "The state of sparse training that was loaded is of step "
                    f"{loaded_step}, and the optimizer is at step {step}: "
                    "load both from one checkpoint."
                )
            self._loaded = None
        prepared = int(self.prepared.numpy())
        is_needed = self.arrays and pruner.begin < step < pruner.end
        # Between two batches whose gradients are accumulated, the state is
        # already that of the step they will make.
        optimizer = self._optimizers()[-1]
        ahead = 1 if optimizer.gradient_accumulation_steps else 0
        if is_needed and not step <= prepared <= step + ahead:
            raise ValueError(
                f"{type(pruner.method).__name__} cannot go on: the optimizer "
                f"is at step {step}, and the method's state at step "
                f"{prepared}. Call `callback.set_model(model)`, then "
                "`model.load_weights(checkpoint)`, so that the state is "
                "loaded too, or compile the model again."
            )

    def _step(self):
        return int(ops.copy(self._optimizers()[-1].iterations))

    def _put_in(self):
        optimizer = self._optimizers()[-1]
        keras_internals.track(optimizer, self._in_optimizer())

    def _take_out(self):
        optimizer = self._optimizers()[-1]
        keras_internals.untrack(optimizer, self._in_optimizer())

    def _in_optimizer(self):
        if keras.backend.backend() != "jax":
            return []
        return [self.prepared, self.gradient_norms, *self.arrays]


def attached_state(optimizer):
    """Returns the state that an earlier training has left, or None."""
    return getattr(optimizer, _NAME, None)


def _variable(shape, dtype):
    return keras.Variable(
        lambda shape, dtype: ops.zeros(shape, dtype),
        shape=shape,
        dtype=dtype,
        trainable=False,
        # Equal on all replicas, since all compute it from the same kernels.
        aggregation="only_first_replica",
    )


def _unpacked(bits, shape):
    size = int(np.prod(shape))
    return np.unpackbits(bits, count=size).astype(bool).reshape(shape)


def _aside(state, function):
    def without_state(store):
        with state.aside():
            return function(store)

    return without_state


def _differences(before, current):
    """Yields the name of a part, and how each description has it.

    The schedule of either may be unknown, and is none then.
    """
    for part, now in current.items():
        then = before.get(part)
        is_unknown = part == "schedule" and None in (then, now)
        if then != now and not is_unknown:
            yield part, then, now


def _mismatch(part, before, current):
    if part == "model":
        before, current = _first_difference(
            (before or "").split("; "), current.split("; ")
        )
    return (
        f"The checkpoint is of another {part}: it was trained with {before}, "
        f"and this training has {current}. Go on with the same {part}, or "
        "compile the model and begin anew."
    )


def _first_difference(before, current):
    if len(before) != len(current):
        return f"{len(before)} kernels", f"{len(current)} kernels"
    return next((b, c) for b, c in zip(before, current) if b != c)
