"""The pruning update inside the compiled train step."""

import keras
from keras import ops

from issp_keras import keras_internals
from issp_keras.sparsity import zeros
from issp_keras.sparsity.pruner import DENSE
from issp_keras.sparsity.pruner import FROZEN
from issp_keras.sparsity.pruner import PROJECT
from issp_keras.sparsity.pruner import PRUNE


class SparseUpdate:
    """Replaces `optimizer.apply`, and prunes after each update.

    Keras calls `optimizer.apply` once for each batch inside the compiled
    train step, on every backend. So this code is compiled with it. It runs
    after the constraints of the variables.

    It stores no mask. In the `FROZEN` phase, the zeros of a kernel before an
    update are the mask after it. Moving averages (`use_ema=True`) get the
    same zeros. Those of kernels begin anew in the `PROJECT` phase, when the
    mask becomes final. So they average nothing if the training ends then.

    Args:
        pruned: `PrunedModel` with an optimizer.
        zero_slots: Boolean, whether to set the optimizer's slots (such as
            Adam's moments) of pruned weights to zero too.
        record_gradients: Boolean, whether to record the kernels' gradient
            norms in the state.

    Attributes:
        fit: The `params` that Keras gives to all callbacks of one `fit`.
    """

    fit = None

    def __init__(self, pruned, zero_slots=False, record_gradients=False):
        self._pruned = pruned
        self._optimizer = pruned.optimizer
        self._kernels = pruned.variables
        self._pruner = pruned.pruner
        self._state = pruned.state
        self._zero_slots = zero_slots
        self._record_gradients = record_gradients
        self._apply = self._optimizer.apply
        self._optimizer.apply = self

    def remove(self):
        """Restores the `apply` of the optimizer."""
        if vars(self._optimizer).get("apply") is self:
            del self._optimizer.apply

    def __call__(self, grads, trainable_variables=None):
        step = ops.cast(ops.copy(self._optimizer.iterations), "int32")
        before = [ops.copy(kernel.value) for kernel in self._kernels]
        rate = ops.convert_to_tensor(self._optimizer.learning_rate)
        grads = self._before(step, list(grads), trainable_variables)
        self._apply(grads, trainable_variables)
        self._after(step, before, rate)

    def _before(self, step, grads, trainable_variables):
        """Returns the gradients with the changes of the method."""
        if trainable_variables is None:
            trainable_variables = keras_internals.trained_variables(
                self._optimizer
            )
        place = {id(v): i for i, v in enumerate(trainable_variables)}
        # A part of the model may have no gradient, or not be trained here.
        places = {
            i: place[id(kernel)]
            for i, kernel in enumerate(self._kernels)
            if id(kernel) in place and grads[place[id(kernel)]] is not None
        }
        scaled = [grads[j] for j in places.values()]
        # Keras unscales them later, in the optimizer's own `apply`.
        scale = self._optimizer.loss_scale_factor
        gradients = dict(zip(places, _divided(scaled, scale)))
        if self._record_gradients:
            norms = [_norm(gradients.get(i)) for i in range(len(self._kernels))]
            self._state.gradient_norms.assign(ops.stack(norms))
        if self._pruner.resets_momentum:
            self._reset_momentum(step)
        if self._pruner.refreshes_states:
            self._refresh_state(step)
        if not self._pruner.changes_gradients:
            return grads
        changed = ops.cond(
            self._pruner.in_stage(step),
            lambda: _multiplied(self._with_penalty(gradients, step), scale),
            lambda: scaled,
        )
        for j, gradient in zip(places.values(), changed, strict=True):
            grads[j] = gradient
        return grads

    def _reset_momentum(self, step):
        """Sets the momentum of all weights to zero if the method says so."""
        is_due = ops.logical_and(
            self._pruner.in_stage(step),
            self._pruner.method.resets_momentum(self._pruner.clock(step)),
        )
        trained = keras_internals.trained_variables(self._optimizer)
        # An optimizer may have no momentum.
        momenta = keras_internals.momenta(self._optimizer, trained) or {}
        for variable in momenta.values():
            variable.assign(ops.where(is_due, 0.0, variable.value))

    def _refresh_state(self, step):
        """Renews the state of the method, once for each optimizer step.

        With gradient accumulation, this is called more often than that.
        """
        prepared, arrays = self._state.prepared, self._state.arrays
        values = [kernel.value for kernel in self._kernels]
        states = [array.value for array in arrays]
        is_due = ops.logical_and(
            ops.logical_and(self._pruner.in_stage(step), prepared <= step),
            self._pruner.method.refreshes(self._pruner.clock(step)),
        )
        new_states = ops.cond(
            is_due,
            lambda: self._pruner.refreshed(values, states, step),
            lambda: [ops.copy(state) for state in states],
        )
        for array, state in zip(arrays, new_states, strict=True):
            array.assign(state)
        prepared.assign(step + 1)

    def _with_penalty(self, gradients, step):
        replicas = _replicas()
        clock = self._pruner.clock(step)
        states = self._states()
        changed = []
        for i, gradient in gradients.items():
            own = self._pruner.method.gradient(
                gradient,
                self._kernels[i].value,
                states[i],
                self._pruner.kernels[i],
                clock,
            )
            # Keras will add up the replicas' gradients.
            changed.append(gradient + (own - gradient) / replicas)
        return changed

    def _states(self):
        """One tensor for each kernel; None if the method has no state."""
        states = [array.value for array in self._state.arrays]
        return states or [None] * len(self._kernels)

    def _after(self, step, before, rate):
        """Prunes if the optimizer has made an update."""
        # With gradient accumulation, most calls make no update.
        updated = ops.cast(self._optimizer.iterations, "int32") > step
        phase = ops.where(updated, self._pruner.phase(step), DENSE)
        averages = self._pruned.averages()
        slots = self._slots()
        renewed = self._state.arrays if self._pruner.renews_states else []
        variables = (
            self._kernels,
            list(averages.values()),
            [slot for _, slot in slots],
            renewed,
        )
        kernel_values, average_values, slot_values, state_values = [
            [v.value for v in group] for group in variables
        ]

        def projected(values, masks):
            return (
                [zeros.project(*pair) for pair in zip(values, masks)],
                [
                    zeros.project(value, masks[i])
                    for i, value in zip(averages, average_values)
                ],
                [
                    ops.where(masks[i], 0.0, value)
                    for (i, _), value in zip(slots, slot_values)
                ],
                state_values,
            )

        def advanced():
            values, states = self._pruner.advanced(
                before,
                kernel_values,
                self._states(),
                self._momenta(),
                step,
                rate,
            )
            states = states if renewed else []
            return values, average_values, slot_values, states

        def final():
            values, states = kernel_values, self._states()
            if self._pruner.follows_changes:
                values, _, _, renewed_states = advanced()
                states = renewed_states or states
            masks = self._pruner.final_masks(values, states)
            values, _, slots, states = projected(values, masks)
            # Averages of earlier values are those of other networks, since
            # the zeros have moved.
            return values, [values[i] for i in averages], slots, states

        branches = {
            DENSE: lambda: (
                kernel_values,
                average_values,
                slot_values,
                state_values,
            ),
            PRUNE: advanced,
            PROJECT: final,
            FROZEN: lambda: projected(
                kernel_values, list(map(zeros.is_pruned, before))
            ),
        }
        updates = ops.switch(phase, [branches[i] for i in sorted(branches)])
        for group, values in zip(variables, updates, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        if renewed:
            prepared = self._state.prepared
            prepared.assign(ops.where(updated, step + 1, prepared.value))

    def _momenta(self):
        """The optimizer's average of each kernel's gradients."""
        if not self._pruner.method.needs_momentum:
            return [None] * len(self._kernels)
        return [variable.value for variable in self._pruned.momenta()]

    def _slots(self):
        """Pairs of a kernel's index and an optimizer variable for it."""
        if not self._zero_slots:
            return []
        return keras_internals.slots(self._optimizer, self._kernels)


def _divided(gradients, scale):
    return gradients if scale is None else [g / scale for g in gradients]


def _multiplied(gradients, scale):
    return gradients if scale is None else [g * scale for g in gradients]


def _norm(gradient):
    if gradient is None:
        return ops.zeros((), "float32")
    return ops.sqrt(ops.sum(ops.square(ops.cast(gradient, "float32"))))


def _replicas():
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
