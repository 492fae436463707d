"""A model that is being pruned."""

import dataclasses
from typing import Any
from typing import NamedTuple

from keras import ops

from issp_keras import keras_internals
from issp_keras.callbacks.kernels import find_kernels
from issp_keras.callbacks.multiply_adds import count_uses
from issp_keras.callbacks.optimizers import momenta
from issp_keras.callbacks.optimizers import optimizers
from issp_keras.callbacks.optimizers import own_optimizer
from issp_keras.callbacks.redraw import redraw
from issp_keras.callbacks.state import SparseState
from issp_keras.callbacks.state import attached_state
from issp_keras.sparsity import Kernel
from issp_keras.sparsity import Pruner
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import zeros
from issp_keras.sparsity.schedules import has_shares

# Multiply-adds are counted for this height and width if a model takes any size.
_PIXELS = 48


class KernelSnapshot(NamedTuple):
    """The state of one kernel at one step of the training.

    Args:
        kernel: `Kernel`, the facts about it.
        values: Array, its weights.
        mask: Boolean array. It is true for the weights that the method
            shrinks towards zero or has pruned.
        gradient_norm: Float, the L2 norm of the last gradient of the loss. It
            is 0 if norms are not recorded.
    """

    kernel: Kernel
    values: Any
    mask: Any
    gradient_norm: float


class PrunedModel:
    """The pruned kernels of a model, the pruning rules and the progress.

    Args:
        model: A built `keras.Model`.
        include: Which layers to prune, see `prunable_kernels`.
        exclude: Which layers not to prune, see `prunable_kernels`.
        **parts: `schedule`, `method`, `distribution` and `pattern`, see
            `Pruner`.

    Attributes:
        model: The model.
        kernels: List of `PrunableKernel`.
        skipped: Dict from the path of each other layer to the reason why it
            is not pruned.
        pruner: `Pruner` of these kernels.
        optimizer: The optimizer that updates the weights, without the
            optimizers that wrap it. It is None if the model has none.
        state: `SparseState`, attached to the optimizer. It is None if there
            is no optimizer, and if it is not needed any more.

    Raises:
        ValueError: If the model has nothing to prune, the parts cannot prune
            it, or the model has a `MultiOptimizer`.
    """

    def __init__(self, model, include=None, exclude=None, **parts):
        self.model = model
        self.kernels, self.skipped = find_kernels(model, include, exclude)
        self.pruner = Pruner(self._facts(parts["distribution"]), **parts)
        self.state: SparseState | None = None
        self.optimizer = own_optimizer(model)
        self._trainable = _trainable(model)
        if self.optimizer is not None:
            self._attach()

    @property
    def variables(self):
        """List of the kernels' variables."""
        return [kernel.variable for kernel in self.kernels]

    def is_current(self):
        """Whether optimizer and trainable weights are still the same."""
        return (
            self.optimizer is own_optimizer(self.model)
            and self._trainable == _trainable(self.model)
            and (self.optimizer is None or self.state is not None)
        )

    def steps(self):
        """Returns how many steps the optimizer has made, an integer."""
        keras_internals.synchronise(self.model)
        return int(ops.copy(self.optimizer.iterations))

    def steps_after(self, batches):
        """Returns how many steps the optimizer will have made in all.

        Args:
            batches: Integer, the number of batches to come.
        """
        keras_internals.synchronise(self.model)
        return keras_internals.steps_after(self.optimizer, batches)

    def is_over(self):
        """Whether the kernels must hold their zeros now."""
        return self.steps() >= self.pruner.end

    def arrays(self):
        """Returns the weights of each kernel, a list of arrays."""
        return [variable.numpy() for variable in self._synchronised()]

    def lacking(self):
        """Returns a clause about a kernel with too few zeros, or None."""
        values = [variable.value for variable in self._synchronised()]
        return self.pruner.lacking(values)

    def not_pruned(self):
        """Lists the layers and kernels that keep all their weights.

        Returns:
            List of pairs: a list of paths, and the reason for all of them.
        """
        by_reason: dict[str, list[str]] = {}
        for path, reason in self.skipped.items():
            by_reason.setdefault(reason, []).append(path)
        pattern, kind = self.pruner.pattern, type(self.pruner.pattern).__name__
        is_uniform = isinstance(self.pruner.distribution, Uniform)
        sparsity = self.pruner.final_sparsity
        for kernel in self.pruner.kernels:
            if not pattern.allows_zeros(kernel):
                reason = f"{kind} allows no zero in it"
            elif is_uniform and not pattern.allows_zeros(kernel, sparsity):
                reason = f"{kind} allows no zero in it at {sparsity:.0%} zeros"
            else:
                continue
            by_reason.setdefault(reason, []).append(kernel.path)
        return [(paths, reason) for reason, paths in by_reason.items()]

    def snapshot(self):
        """Returns the current kernels, a list of `KernelSnapshot`."""
        arrays = self.arrays()
        # Copies, since only one of several processes may call this.
        values = [ops.convert_to_tensor(array) for array in arrays]
        masks = self.pruner.masks_at(values, self._states(), self.steps() - 1)
        norms = self.state.gradient_norms.numpy().tolist()
        masks = map(ops.convert_to_numpy, masks)
        return list(
            map(KernelSnapshot, self.pruner.kernels, arrays, masks, norms)
        )

    def project(self):
        """Sets the pruned weights to exact zeros, as at the stage's end."""
        variables = self._synchronised()
        averages = self.averages()
        masks = self.pruner.final_masks(
            [variable.value for variable in variables], self._states()
        )
        was_over = averages and not self._may_prune()
        for i, (variable, mask) in enumerate(zip(variables, masks)):
            variable.assign(zeros.project(variable.value, mask))
            # Keras replaces the kernels by their averages when `fit` ends.
            if i in averages:
                # Averages over earlier masks are those of other networks.
                of = averages[i] if was_over else variable
                averages[i].assign(zeros.project(of.value, mask))

    def prune_at_once(self):
        """Prunes by a one-shot method, before the first step."""
        self.project()
        seed = self.pruner.method.redraw_seed
        if seed is None:
            return
        variables = self._synchronised()
        masks = [zeros.is_pruned(variable.value) for variable in variables]
        redraw([kernel.layer for kernel in self.kernels], seed)
        for variable, mask in zip(variables, masks, strict=True):
            variable.assign(zeros.project(variable.value, mask))

    def follow(self, schedule):
        """Uses a schedule whose steps are known, before training begins."""
        self.pruner.follow(schedule)
        if self.optimizer is not None:
            self._attach()

    def averages(self):
        """The moving averages of the kernels, which `use_ema=True` keeps.

        Returns:
            Dict from the index in `kernels` to a variable.
        """
        if self.optimizer is None:
            return {}
        return keras_internals.moving_averages(self.optimizer, self.variables)

    def momenta(self):
        """The optimizer's variables that average the gradients."""
        paths = [kernel.path for kernel in self.pruner.kernels]
        return momenta(self.optimizer, self.variables, paths)

    def finalize(self):
        """Ends the pruning stage now."""
        self.project()
        # Only a model with an optimizer can go on with `fit`.
        if self.optimizer is not None and self._may_prune():
            self.pruner.finalized_at = self.steps()

    def inherit(self, before):
        """Stays finalized if an earlier `PrunedModel` was finalized.

        A schedule whose steps are shares of the training also keeps the steps
        that were found for them.

        Args:
            before: `PrunedModel`. It is ignored if it has another optimizer.
        """
        if self.optimizer is before.optimizer:
            self.pruner.finalized_at = before.pruner.finalized_at
            if has_shares(self.pruner.schedule):
                self.follow(before.pruner.schedule)

    def detach_if_over(self):
        """Removes the state from the optimizer if it is not needed.

        If the stage was ended before the schedule's end, the state stays until
        then, so that checkpoints tell it.
        """
        if self.state is None or has_shares(self.pruner.schedule):
            return
        if self.steps() >= self.pruner.planned_end:
            self.state.detach()
            self.state = None

    def _may_prune(self):
        """Whether the pruning stage is not over, or its steps are unknown."""
        is_known = self.pruner.finalized_at is not None or not has_shares(
            self.pruner.schedule
        )
        return not (is_known and self.is_over())

    def _synchronised(self):
        """Updates the variables of the kernels and returns them."""
        keras_internals.synchronise(self.model)
        return self.variables

    def _states(self):
        """The states of the method; None before they exist."""
        if self.state is None:
            return None
        return self.state.values(self.pruner)

    def _facts(self, distribution):
        """The facts about the kernels that the parts read."""
        facts = [kernel.facts for kernel in self.kernels]
        if not distribution.needs_uses:
            return facts
        uses = count_uses(
            self.model, self.kernels, distribution.input_shape, _PIXELS
        )
        if uses is None:
            raise ValueError(
                f"{type(distribution).__name__}() needs a model with one "
                "input of a known shape: pass `input_shape`, including the "
                f"batch. Received: the model '{self.model.name}'"
            )
        return [
            dataclasses.replace(kernel, uses=float(number))
            for kernel, number in zip(facts, uses, strict=True)
        ]

    def _attach(self):
        """Uses the state of an earlier training, or makes a new one."""
        state = attached_state(self.optimizer)
        if state is not None and not state.serves(self.pruner):
            state.detach()
            state = None
        if state is None:
            if not self.model.optimizer.built:
                with keras_internals.strategy_scope(self.model):
                    self.model.optimizer.build(self.model.trainable_variables)
            state = SparseState(
                optimizers(self.model),
                self.pruner,
                lambda: keras_internals.strategy_scope(self.model),
            )
            state.attach()
        self.state = state


def _trainable(model):
    return [id(variable) for variable in model.trainable_variables]
