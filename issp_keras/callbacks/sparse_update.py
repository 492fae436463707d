"""The sparse update inside the compiled train step."""

import keras
from keras import ops

from issp_keras.sparsity import Method
from issp_keras.sparsity import zeros
from issp_keras.sparsity.pruner import DENSE
from issp_keras.sparsity.pruner import FROZEN
from issp_keras.sparsity.pruner import PROJECT
from issp_keras.sparsity.pruner import PRUNE

# Names that Keras' optimizers have for the average of the gradients.
_MOMENTA = ("_momentums", "momentums", "_m")


class SparseUpdate:
    """Stands in for `optimizer.apply`, and prunes after each update.

    Keras calls `optimizer.apply` once a batch inside the train step it
    compiles, on every backend, so what is done here is compiled with it. The
    variables' own constraints have then been applied already.

    It holds no mask: in the `FROZEN` phase the zeros that a kernel has
    before an update are the mask that holds after it. Moving averages
    (`use_ema=True`) get the same zeros.

    Args:
        optimizer: The optimizer that owns the kernels; a wrapper such as
            `LossScaleOptimizer` must be taken off first.
        kernels: List of `keras.Variable` trained by it.
        pruner: `Pruner` of these kernels.
        state: `SparseState`, attached to the optimizer.
        phase: Callable `step -> phase`, a scalar integer tensor.
        zero_slots: Boolean, whether the optimizer's slots (such as Adam's
            moments) of pruned weights are set to zero too.
        record_gradients: Boolean, whether to record the kernels' gradient
            norms in the state.

    Attributes:
        fit: The `params` that Keras gives to all callbacks of one `fit`.
    """

    fit = None

    def __init__(
        self,
        optimizer,
        kernels,
        pruner,
        state,
        phase,
        zero_slots=False,
        record_gradients=False,
    ):
        self._optimizer = optimizer
        self._kernels = kernels
        self._pruner = pruner
        self._state = state
        self._phase = phase
        self._zero_slots = zero_slots
        self._record_gradients = record_gradients
        self._apply = optimizer.apply
        optimizer.apply = self

    def remove(self):
        """Gives the optimizer its own `apply` back."""
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
        """Changes the gradients as the method wants them."""
        if trainable_variables is None:
            trainable_variables = self._optimizer._trainable_variables
        place = {id(v): i for i, v in enumerate(trainable_variables)}
        # A part of the model may have no gradient, or not be trained here.
        places = {
            i: place[id(kernel)]
            for i, kernel in enumerate(self._kernels)
            if id(kernel) in place and grads[place[id(kernel)]] is not None
        }
        gradients = {i: grads[j] for i, j in places.items()}
        if self._record_gradients:
            norms = [_norm(gradients.get(i)) for i in range(len(self._kernels))]
            self._state.gradient_norms.assign(ops.stack(norms))
        if type(self._pruner.method).gradient is Method.gradient:
            return grads
        self._renew_state(step)
        changed = ops.cond(
            self._pruner.in_stage(step),
            lambda: self._with_penalty(gradients, step),
            lambda: list(gradients.values()),
        )
        for j, gradient in zip(places.values(), changed, strict=True):
            grads[j] = gradient
        return grads

    def _renew_state(self, step):
        """Lets the method renew its state, once per optimizer step.

        Under gradient accumulation this is called more often.
        """
        prepared, arrays = self._state.prepared, self._state.arrays
        values = [kernel.value for kernel in self._kernels]
        states = [array.value for array in arrays]
        method = self._pruner.method

        def renewed():
            masks = self._pruner.unimportant(values, step)
            return [
                ops.cast(method.refresh(state, mask), state.dtype)
                for state, mask in zip(states, masks, strict=True)
            ]

        is_due = ops.logical_and(
            ops.logical_and(self._pruner.in_stage(step), prepared <= step),
            method.refreshes(self._pruner.clock(step)),
        )
        new_states = ops.cond(
            is_due, renewed, lambda: [ops.copy(state) for state in states]
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
        """One tensor a kernel; None where the method has no state."""
        states = [array.value for array in self._state.arrays]
        return states or [None] * len(self._kernels)

    def _after(self, step, before, rate):
        """Prunes, where the optimizer has made an update."""
        # Under gradient accumulation most calls are no update.
        updated = ops.cast(self._optimizer.iterations, "int32") > step
        phase = ops.where(updated, self._phase(step), DENSE)
        averages = moving_averages(self._optimizer, self._kernels)
        slots = self._slots()
        renewed = self._state.arrays if self._pruner.renews_states else []
        variables = (self._kernels, averages, [v for _, v in slots], renewed)
        kernel_values, average_values, slot_values, state_values = [
            [v.value for v in group] for group in variables
        ]

        def projected(values, masks):
            return (
                [zeros.project(*pair) for pair in zip(values, masks)],
                [zeros.project(*pair) for pair in zip(average_values, masks)],
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
            return projected(values, self._pruner.final_masks(values, states))

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
        return [v.value for v in momenta(self._optimizer, self._kernels)]

    def _slots(self):
        """Pairs of a kernel's place and a variable of the optimizer for it."""
        if not self._zero_slots:
            return []
        return optimizer_slots(self._optimizer, self._kernels)


def moving_averages(optimizer, kernels):
    """The variables in which `use_ema=True` keeps the kernels' averages."""
    if not optimizer.use_ema or not optimizer.built:
        return []
    # Keras has no public way to them.
    averages = dict(
        zip(
            map(id, optimizer._trainable_variables),
            optimizer._model_variables_moving_average,
            strict=True,
        )
    )
    return [averages[id(kernel)] for kernel in kernels]


def momenta(optimizer, kernels):
    """The variables in which the optimizer averages the kernels' gradients.

    Raises:
        ValueError: If the optimizer has none.
    """
    # Keras has no public way to them.
    found = next(
        filter(None, (getattr(optimizer, name, None) for name in _MOMENTA)),
        None,
    )
    if not found:
        raise ValueError(
            "The pruning method needs an optimizer with momentum, such as "
            f"Adam. Received: optimizer={type(optimizer).__name__}"
        )
    place = {id(v): i for i, v in enumerate(optimizer._trainable_variables)}
    return [found[place[id(kernel)]] for kernel in kernels]


def optimizer_slots(optimizer, kernels):
    """Finds what the optimizer keeps for each weight of the kernels.

    Returns:
        List of pairs: a kernel's place in `kernels`, and a variable of its
        shape, such as one of Adam's moments.
    """
    place = {id(v): i for i, v in enumerate(optimizer._trainable_variables)}
    others = (
        "_trainable_variables",
        "_model_variables_moving_average",
        "_accumulated_gradients",
    )
    # Keras has no public way to them: each kind is a list with one variable
    # for each trainable variable.
    kinds = [
        value
        for name, value in vars(optimizer).items()
        if name not in others
        and isinstance(value, (list, tuple))
        and len(value) == len(place)
    ]
    return [
        (i, kind[place[id(kernel)]])
        for i, kernel in enumerate(kernels)
        for kind in kinds
        if getattr(kind[place[id(kernel)]], "shape", None) == kernel.shape
    ]


def _norm(gradient):
    if gradient is None:
        return ops.zeros((), "float32")
    return ops.sqrt(ops.sum(ops.square(ops.cast(gradient, "float32"))))


def _replicas():
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
