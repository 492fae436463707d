"""The state of sparse training, which checkpoints of the optimizer hold."""

import contextlib
import json
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from issp_keras import keras_internals

_NAME = "sparse_training"


class Logged(NamedTuple):
    """The last log, which the next log is compared with.

    Args:
        step: Integer, the optimizer's step at that log.
        masks: List of boolean arrays, one for each kernel.
    """

    step: int
    masks: list


class Length(NamedTuple):
    """The length of a training with a schedule of shares.

    Args:
        steps: Integer, the steps that the shares refer to.
        batches: Integer, the batches of all epochs of `fit`.
    """

    steps: int
    batches: int


class SparseState(keras.layers.Layer):
    """The state of a method, which the optimizer holds and saves.

    On JAX, the compiled train step only changes variables of the model and of
    the optimizer. So on JAX, the state is in the optimizer's `variables` while
    it is attached.

    `save` and `save_weights` write the state beside the optimizer's
    variables, with a description of the training and the optimizer's step.
    `load_weights` loads it if a state is attached. Plain Keras loads the same
    file and ignores the state.

    It is a `Layer`, since Keras saves a layer wherever it finds one. No other
    public type is saved like this.

    Args:
        optimizers: List of optimizers. The one that owns the kernels is last,
            after the optimizers that wrap it.
        pruner: `Pruner`.
        scope: Callable that returns a context for making variables.

    Attributes:
        arrays: List of variables, one for each kernel. It is empty for a
            method without state.
        prepared: Variable, the first step that the state is not ready for.
        gradient_norms: Variable of shape (kernels,), the norms of the last
            step.
        logged: `Logged`, the masks of the last log; None before a log.
    """

    def __init__(self, optimizers, pruner, scope):
        super().__init__(name=_NAME, trainable=False)
        # Not a list: Keras would save the contents of a list.
        self._optimizers = lambda: optimizers
        self._pruner = pruner
        self._description = pruner.describe()
        self._loaded = None
        self._shapes = tuple(kernel.shape for kernel in pruner.kernels)
        self._logged = lambda: None
        self._length: Length | None = None
        self._loaded_length: Length | None = None
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
        """Keeps the last log, for the next log and for checkpoints."""
        last = Logged(step, masks)
        # Not a list, for the same reason.
        self._logged = lambda: last

    def serves(self, pruner):
        """Whether this state fits the training of `pruner`.

        If it does, the state belongs to `pruner` from now on.
        """
        description = pruner.describe()
        if any(_differences(self._description, description)):
            return False
        pruner.finalized_at = self._pruner.finalized_at
        self._pruner = pruner
        self._description = description
        return True

    def values(self, pruner):
        """Returns the states, a list with one for each kernel.

        Each entry is None for a method without state. The whole result is
        None if the pruning stage of `pruner` has not made the states yet.
        """
        if not self.arrays:
            return [None] * self.gradient_norms.shape[0]
        if int(self.prepared.numpy()) <= pruner.begin:
            return None
        return [ops.convert_to_tensor(array.numpy()) for array in self.arrays]

    def attach(self):
        """Attaches the state to the optimizer, which then saves it too."""
        optimizer = self._optimizers()[-1]
        setattr(optimizer, _NAME, self)
        self._put_in()
        for each in self._optimizers():
            each.save_own_variables = _aside(self, each.save_own_variables)
            each.load_own_variables = _aside(self, each.load_own_variables)

    def detach(self):
        """Restores the optimizer as it was before `attach`."""
        optimizer = self._optimizers()[-1]
        self._take_out()
        delattr(optimizer, _NAME)
        for each in self._optimizers():
            del each.save_own_variables
            del each.load_own_variables

    @contextlib.contextmanager
    def aside(self):
        """Removes the state from the optimizer's variables in the block."""
        self._take_out()
        try:
            yield
        finally:
            self._put_in()

    def save_own_variables(self, store):
        """Writes the state. Keras calls this."""
        description = json.dumps(self._description).encode()
        store["description"] = np.frombuffer(description, np.uint8)
        store["step"] = np.array(self._step())
        store["prepared"] = self.prepared.numpy()
        if self._pruner.finalized_at is not None:
            store["finalized_at"] = np.array(self._pruner.finalized_at)
        if self._length is not None:
            store["length"] = np.array(self._length)
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
        """Reads the state. Keras calls this; `check` tests whether it fits."""
        if not len(store.keys()):
            # The checkpoint was made without sparse training.
            self.prepared.assign(0)
            self._pruner.finalized_at = self._loaded_length = None
            return
        description = json.loads(np.array(store["description"]).tobytes())
        self._loaded = (description, int(np.array(store["step"])))
        if any(_differences(description, self._description)):
            return
        self.prepared.assign(np.array(store["prepared"]))
        self._pruner.finalized_at = _entry(store, "finalized_at")
        # Only trainings with a schedule of shares have a length.
        length = _entry(store, "length")
        self._loaded_length = None if length is None else Length(*length)
        for i, array in enumerate(self.arrays):
            values = np.array(store[str(i)])
            if array.dtype == "bool":
                values = _unpacked(values, array.shape)
            array.assign(values.reshape(array.shape))
        # Older checkpoints and trainings without a log have no logged masks.
        if (logged_step := _entry(store, "logged_step")) is not None:
            masks = [
                _unpacked(np.array(store[f"logged_{i}"]), shape)
                for i, shape in enumerate(self._shapes)
            ]
            self.remember(logged_step, masks)

    def length_of(self, steps, batches) -> int:
        """Returns the steps of the training that shares refer to.

        These are the steps up to the end of `fit`. But after a checkpoint
        inside an epoch, Keras repeats epochs, so there are more steps. If a
        checkpoint is loaded, and `fit` has as many batches as before, the
        steps of before stay.

        Args:
            steps: Integer, the steps up to the end of `fit`.
            batches: Integer, the batches of all epochs of `fit`.
        """
        loaded, self._loaded_length = self._loaded_length, None
        if loaded is not None and loaded.batches == batches:
            steps = loaded.steps
        self._length = Length(steps, batches)
        return steps

    def check(self, pruner):
        """Raises a ValueError if the state is from another training."""
        step = self._step()
        if self._loaded is not None:
            description, loaded_step = self._loaded
            for difference in _differences(description, self._description):
                raise ValueError(_mismatch(*difference))
            if loaded_step != step:
                raise ValueError(
                    "The loaded state of sparse training is from step "
                    f"{loaded_step}, but the optimizer is at step {step}: "
                    "load both from the same checkpoint."
                )
            self._loaded = None
        prepared = int(self.prepared.numpy())
        is_needed = self.arrays and pruner.begin < step < pruner.end
        # With gradient accumulation, the state is one step ahead of the
        # optimizer between two batches.
        optimizer = self._optimizers()[-1]
        ahead = 1 if optimizer.gradient_accumulation_steps else 0
        if is_needed and not step <= prepared <= step + ahead:
            raise ValueError(
                f"{type(pruner.method).__name__} cannot continue: the "
                f"optimizer is at step {step}, but the method's state is at "
                f"step {prepared}. Call `callback.set_model(model)` before "
                "`model.load_weights(checkpoint)` to load the state too, or "
                "compile the model again."
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
    """Returns the state that an earlier training left, or None."""
    return getattr(optimizer, _NAME, None)


def _variable(shape, dtype):
    return keras.Variable(
        lambda shape, dtype: ops.zeros(shape, dtype),
        shape=shape,
        dtype=dtype,
        trainable=False,
        # All replicas have the same value, since their kernels are equal.
        aggregation="only_first_replica",
    )


def _entry(store, name):
    """Returns an entry of a checkpoint without its array type, or None."""
    if name not in set(store.keys()):
        return None
    return np.array(store[name]).tolist()


def _unpacked(bits, shape):
    size = int(np.prod(shape))
    return np.unpackbits(bits, count=size).astype(bool).reshape(shape)


def _aside(state, function):
    def without_state(store):
        with state.aside():
            return function(store)

    return without_state


def _differences(before, current):
    """Yields each part that differs: its name and both descriptions.

    A schedule of None is unknown. An unknown schedule does not differ.
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
        f"The checkpoint has another {part}: it was trained with {before}, "
        f"but this training has {current}. Continue with the same {part}, or "
        "compile the model and start again."
    )


def _first_difference(before, current):
    if len(before) != len(current):
        return f"{len(before)} kernels", f"{len(current)} kernels"
    return next((b, c) for b, c in zip(before, current) if b != c)
