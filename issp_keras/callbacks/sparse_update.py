"""The sparse update inside the compiled train step."""

from keras import ops

from issp_keras.sparsity import zeros

# What an optimizer step is followed by.
DENSE, PRUNE, PROJECT, FROZEN = range(4)


class SparseUpdate:
    """Stands in for `optimizer.apply`, and prunes after each update.

    Keras calls `optimizer.apply` once a batch inside the train step it
    compiles, on every backend, so what is done here is compiled with it. The
    variables' own constraints have then been applied already.

    It holds no state of its own: everything follows from the kernels and
    from `optimizer.iterations`. In the `FROZEN` phase the zeros that a kernel
    has before an update are the mask that holds after it. Moving averages
    (`use_ema=True`) get the same zeros.

    Args:
        optimizer: The optimizer that owns the kernels; a wrapper such as
            `LossScaleOptimizer` must be taken off first.
        kernels: List of `keras.Variable` trained by it.
        phase: Callable `step -> phase`, a scalar integer tensor.
        prune: Callable `(step, values) -> values`: the method, applied to
            the values of all kernels.
        choose: Callable `values -> masks`: what the last step prunes.

    Attributes:
        fit: The `params` that Keras gives to all callbacks of one `fit`.
    """

    fit = None

    def __init__(self, optimizer, kernels, phase, prune, choose):
        self._optimizer = optimizer
        self._kernels = kernels
        self._phase = phase
        self._prune = prune
        self._choose = choose
        self._apply = optimizer.apply
        optimizer.apply = self

    def remove(self):
        """Gives the optimizer its own `apply` back."""
        if vars(self._optimizer).get("apply") is self:
            del self._optimizer.apply

    def __call__(self, grads, trainable_variables=None):
        step = ops.copy(self._optimizer.iterations)
        pruned = [zeros.is_pruned(kernel.value) for kernel in self._kernels]
        self._apply(grads, trainable_variables)
        # Under gradient accumulation most calls are no update.
        updated = self._optimizer.iterations > step
        phase = ops.where(updated, self._phase(step), DENSE)
        variables = (
            self._kernels,
            moving_averages(self._optimizer, self._kernels),
        )
        kernels, averages = [[v.value for v in group] for group in variables]
        branches = {
            DENSE: lambda: (kernels, averages),
            PRUNE: lambda: (self._prune(step, kernels), averages),
            PROJECT: lambda: _project(self._choose(kernels), kernels, averages),
            FROZEN: lambda: _project(pruned, kernels, averages),
        }
        updates = ops.switch(phase, [branches[i] for i in sorted(branches)])
        for group, values in zip(variables, updates, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)


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


def _project(masks, *groups):
    return tuple(
        [zeros.project(value, mask) for value, mask in zip(group, masks)]
        for group in groups
    )
