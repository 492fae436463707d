"""The bridge from `issp_keras.sparsity` to `model.fit`."""

import contextlib
import dataclasses
import warnings

import keras
import numpy as np
from absl import logging
from keras import ops

from issp_keras.callbacks import sparse_update
from issp_keras.callbacks.kernels import find_kernels
from issp_keras.callbacks.multiply_adds import count_uses
from issp_keras.callbacks.redraw import redraw
from issp_keras.callbacks.state import SparseState
from issp_keras.callbacks.state import attached_state
from issp_keras.sparsity import Method
from issp_keras.sparsity import Pruner
from issp_keras.sparsity import PruningSchedule
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import Unstructured
from issp_keras.sparsity import zeros
from issp_keras.sparsity.pruner import FROZEN
from issp_keras.sparsity.pruner import final_sparsity

# Height and width for which multiply-adds are counted, where a model takes any.
_PIXELS = 48


class SparseTraining(keras.callbacks.Callback):
    """Trains a model sparse with any pruning method.

    The kernels of every convolution, Dense and EinsumDense layer and
    recurrent cell are pruned (see `prunable_kernels`), in the model as it
    is: nothing is wrapped, replaced or cloned. Layers that are not pruned are
    named in the log, with the reason. All work happens inside the compiled
    train step. The phases follow `optimizer.iterations`, counted from 0:

    - before `schedule.begin_step`: dense training;
    - until `schedule.end_step`: each optimizer update for which the schedule
      says so is followed by one update of the method;
    - after the last of these, the weights just chosen become exact zeros,
      and these zeros hold for the rest of the training (fine-tuning).

    A one-shot method has no such stage: at `begin_step` the zeros are made.

    To resume, load weights and optimizer from a checkpoint that was made
    while training, and call `fit` with the same callbacks:
    `keras.callbacks.BackupAndRestore` does that, and so do
    `callback.set_model(model)` and `model.load_weights(checkpoint)`. The
    state of the method, if it has one, is in the checkpoint beside the
    optimizer's variables. A checkpoint of another training is refused.

    A callback that sets earlier weights at the end, as `EarlyStopping` does
    with `restore_best_weights=True`, can bring dense ones back. Listed before
    this callback, it is noticed, with a warning. After a `fit` that was
    interrupted, compile the model again before training without this
    callback.

    Args:
        schedule: A `tfmot.sparsity.keras.PruningSchedule` with an end, such
            as `ISSPSchedule`: when to prune, and how much overall.
        method: A `sparsity.Method`: what happens to unimportant weights.
        distribution: How much in each kernel. Defaults to `Uniform()`.
        pattern: Which weights of a kernel. Defaults to `Unstructured()`.
        include: Which layers to prune: a regular expression searched in
            their paths, a list of them, or a callable `layer -> bool`.
            Defaults to all.
        exclude: The same for layers not to prune. Defaults to none.
        optimizer_slots: `"keep"` or `"zero"`: what the optimizer remembers
            for a weight (Adam's moments) once it is zero for good. Either
            way it stays zero. Defaults to `"keep"`, as in the released code.

    Raises:
        TypeError: If `schedule` is no `PruningSchedule`.
        ValueError: If `schedule` never ends, or `optimizer_slots` is another.
            When training begins: if the model is not built or has no
            prunable layer, if a rule finds no layer, if the optimizer is
            already past `end_step` while the kernels are not sparse, or if
            the checkpoint that was loaded is of another training.
        FloatingPointError: At the end of an epoch, if a kernel holds NaN and
            no callback before this one has stopped the training.
    """

    def __init__(
        self,
        schedule,
        method,
        distribution=None,
        pattern=None,
        include=None,
        exclude=None,
        optimizer_slots="keep",
    ):
        super().__init__()
        _check_schedule(schedule)
        distribution = distribution or Uniform()
        pattern = pattern or Unstructured()
        _check_part("method", method, isinstance(method, Method))
        _check_part(
            "distribution", distribution, hasattr(distribution, "pruned_counts")
        )
        _check_part("pattern", pattern, hasattr(pattern, "unimportant"))
        if optimizer_slots not in ("keep", "zero"):
            raise ValueError(
                "`optimizer_slots` must be 'keep' or 'zero'. "
                f"Received: optimizer_slots={optimizer_slots!r}"
            )
        self.schedule = schedule
        self.method = method
        self.distribution = distribution
        self.pattern = pattern
        self.include = include
        self.exclude = exclude
        self.optimizer_slots = optimizer_slots
        # Set by callbacks that report them.
        self.record_gradients = False
        # The optimizer whose pruning stage was ended by hand, or None.
        self._finalized = None
        self._kernels = []
        self._pruner = None
        self._update = None
        self._state = None

    def set_model(self, model):
        if _own_optimizer(model) is not self._finalized:
            self._finalized = None
        super().set_model(model)
        # Here, and not when training begins, because then other callbacks
        # may already load a checkpoint.
        if model.built:
            self._look_at_model()

    def on_train_begin(self, logs=None):
        if self.model.optimizer is None:
            raise ValueError(
                "Sparse training happens in the optimizer's steps: compile "
                "the model with an optimizer. Received: optimizer=None"
            )
        optimizer = _own_optimizer(self.model)
        self._remove_stale_update(optimizer)
        skipped = self._look_at_model()
        if self.steps() == 0 and self._pruner.end == 0:
            self._prune_at_once()
        if self._is_over() and (dense := self._lacking()):
            raise ValueError(
                f"The pruning stage is over (the optimizer has made "
                f"{self.steps()} steps, end_step={self._pruner.end}), "
                f"but {dense}. Compile the model again to count steps from "
                "0, or use a schedule whose steps lie ahead."
            )
        if self.method.needs_momentum:
            # An optimizer without shows here, and not inside the train step.
            sparse_update.momenta(optimizer, self._variables())
        self._separate_averages(optimizer)
        self._update = sparse_update.SparseUpdate(
            optimizer,
            self._variables(),
            self._pruner,
            self._state,
            self._phase,
            self.optimizer_slots == "zero",
            self.record_gradients,
        )
        self._update.fit = self.params
        # Keras made the train function before, without the update.
        self.model.make_train_function(force=True)
        logging.info(
            "Sparse training of %d kernels with %d weights.",
            len(self._kernels),
            sum(kernel.facts.size for kernel in self._kernels),
        )
        for path, reason in skipped.items():
            logging.info("Not pruned: %s (%s).", path, reason)
        most = getattr(self.pattern, "most", 1.0)
        if (target := final_sparsity(self.schedule)) > most:
            logging.warning(
                "The pattern allows %.4g %% zeros, and the schedule asks for "
                "%.4g %%.",
                100 * most,
                100 * target,
            )

    def on_epoch_begin(self, epoch, logs=None):
        # Here, and not when training begins, because a callback after this
        # one may have loaded a checkpoint then.
        self._state.check(self._pruner)

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training:
            return
        for kernel, values in zip(self._kernels, self._arrays(), strict=True):
            if np.isnan(values).any():
                raise FloatingPointError(
                    f"The kernel of layer '{kernel.layer.path}' holds NaN "
                    f"after {self.steps()} optimizer steps: the training "
                    "diverged. Try a lower learning rate."
                )

    def on_train_end(self, logs=None):
        self._update.remove()
        self._update = None
        # Keras keeps the train function, and the update within, otherwise.
        self.model.make_train_function(force=True)
        if not self._is_over():
            warnings.warn(
                f"Training ended after {self.steps()} optimizer steps, "
                f"before end_step={self._pruner.end}: the kernels are "
                "not sparse yet. Call `fit` again with this callback to go "
                "on, or `callback.finalize()` to set the smallest weights to "
                "zero now.",
                stacklevel=2,
            )
            return
        self._state.detach()
        self._state = None
        if dense := self._lacking():
            warnings.warn(
                f"The pruning stage is over, but {dense}: weights from "
                "before its end may have been set, as EarlyStopping with "
                "restore_best_weights does. `callback.finalize()` sets the "
                "smallest weights to zero again.",
                stacklevel=2,
            )

    def finalize(self):
        """Ends the pruning stage now, whatever the schedule says.

        The weights that the method would prune become exact zeros. A later
        `fit` with this callback keeps these zeros, as in fine-tuning.
        """
        if self.model is None:
            raise ValueError(
                "finalize() needs a model: call `fit` with this callback, or "
                "`callback.set_model(model)`, first."
            )
        self._look_at_model()
        self._project()
        # Without an optimizer there is nothing that a later `fit` could keep.
        self._finalized = _own_optimizer(self.model)
        if self._update is not None:
            # The train function of the running `fit` knows nothing of it.
            self.model.make_train_function(force=True)

    def steps(self):
        """Returns how many steps the optimizer has made, an integer."""
        return int(ops.copy(self.model.optimizer.iterations))

    def snapshot(self):
        """Returns how the kernels are now, while `fit` runs.

        Returns:
            List of tuples, one a kernel: `Kernel`; array of its weights;
            boolean array, which of them the method presses towards zero or
            has pruned; L2 norm of the last gradient, if it is recorded.
        """
        arrays = self._arrays()
        # Copies, since one of several processes may ask alone.
        values = [ops.convert_to_tensor(array) for array in arrays]
        states = self._state.values(self._pruner.begin)
        last_step = self.steps() - 1
        masks = self._pruner.masks_at(values, states, last_step)
        norms = self._state.gradient_norms.numpy().tolist()
        masks = map(ops.convert_to_numpy, masks)
        return list(
            zip(self._pruner.kernels, arrays, masks, norms, strict=True)
        )

    def _variables(self):
        # On JAX, asking for the model brings its variables up to date.
        _ = self.model
        return [kernel.variable for kernel in self._kernels]

    def _arrays(self):
        return [variable.numpy() for variable in self._variables()]

    def _look_at_model(self):
        """Finds what to prune; returns what not to, with the reasons."""
        self._kernels, skipped = find_kernels(
            self.model, self.include, self.exclude
        )
        self._pruner = Pruner(
            self._facts(),
            self.schedule,
            self.method,
            self.distribution,
            self.pattern,
        )
        if getattr(self.model, "optimizer", None) is not None:
            self._attach_state()
        return skipped

    def _facts(self):
        """What the parts know about the kernels."""
        facts = [kernel.facts for kernel in self._kernels]
        if not getattr(self.distribution, "needs_uses", False):
            return facts
        uses = count_uses(
            self.model, self._kernels, self.distribution.input_shape, _PIXELS
        )
        if uses is None:
            raise ValueError(
                f"{type(self.distribution).__name__}() needs a model of one "
                "input of a known shape: pass `input_shape`, the batch among "
                f"it. Received: the model '{self.model.name}'"
            )
        return [
            dataclasses.replace(kernel, uses=float(number))
            for kernel, number in zip(facts, uses, strict=True)
        ]

    def _attach_state(self):
        """Takes up the state of an earlier training, or makes a new one."""
        optimizers = _optimizers(self.model)
        state = attached_state(optimizers[-1])
        if state is not None and not state.serves(self._pruner):
            state.detach()
            state = None
        if state is None:
            if not self.model.optimizer.built:
                with self._scope():
                    self.model.optimizer.build(self.model.trainable_variables)
            state = SparseState(optimizers, self._pruner, self._scope)
            state.attach()
        self._state = state

    def _scope(self):
        """Where variables are made that live as long as the model's."""
        strategy = getattr(self.model, "distribute_strategy", None)
        return strategy.scope() if strategy else contextlib.nullcontext()

    def _phase(self, step):
        if self._finalized is not None:
            return FROZEN
        return self._pruner.phase(step)

    def _prune_at_once(self):
        """What a one-shot method does before the first step."""
        self._project()
        if self.method.redraw_seed is not None:
            variables = self._variables()
            masks = [zeros.is_pruned(variable.value) for variable in variables]
            layers = [kernel.layer for kernel in self._kernels]
            redraw(layers, self.method.redraw_seed)
            for variable, mask in zip(variables, masks, strict=True):
                variable.assign(zeros.project(variable.value, mask))

    def _project(self):
        variables = self._variables()
        averages, states = [], None
        if (optimizer := _own_optimizer(self.model)) is not None:
            # Keras puts them in place of the kernels when `fit` ends.
            averages = sparse_update.moving_averages(optimizer, variables)
            states = self._state.values(self._pruner.begin)
        masks = self._pruner.final_masks(
            [variable.value for variable in variables], states
        )
        for group in (variables, averages):
            for variable, mask in zip(group, masks):
                variable.assign(zeros.project(variable.value, mask))

    def _is_over(self):
        is_finalized = self._finalized is not None
        return is_finalized or self.steps() >= self._pruner.end

    def _lacking(self):
        """Says which kernel lacks zeros; the zeros are the mask to hold."""
        values = [variable.value for variable in self._variables()]
        return self._pruner.lacking(values)

    def _separate_averages(self, optimizer):
        """Gives averages and weights buffers of their own.

        An earlier `fit` has put the averages in place of the weights. On JAX
        both then are one buffer, which a train step cannot donate twice.
        """
        if keras.backend.backend() == "jax" and optimizer.use_ema:
            for average in optimizer._model_variables_moving_average:
                average.assign(ops.copy(average.value))

    def _remove_stale_update(self, optimizer):
        """Removes what an interrupted `fit` has left on the optimizer."""
        update = vars(optimizer).get("apply")
        if not isinstance(update, sparse_update.SparseUpdate):
            return
        if self.params is not None and update.fit is self.params:
            raise ValueError(
                "One `fit` can have one sparse-training callback. "
                "Received two in its `callbacks`."
            )
        update.remove()


def _check_schedule(schedule):
    if not isinstance(schedule, PruningSchedule):
        raise TypeError(
            "`schedule` must be a tfmot.sparsity.keras.PruningSchedule, such "
            f"as ISSPSchedule. Received: schedule={schedule!r} "
            f"(of type {type(schedule).__name__})"
        )
    end_step = getattr(schedule, "end_step", None)
    if end_step is None or end_step < 1:
        raise ValueError(
            "`schedule` must have an end, after which the zeros are exact. "
            f"Received: end_step={end_step}"
        )


def _check_part(name, part, is_one):
    if isinstance(part, type) or not is_one:
        raise TypeError(
            f"`{name}` must be one of `issp_keras.sparsity`, made by a call "
            f"such as `ISSP()`, `Uniform()`, `NM(2, 4)`. "
            f"Received: {name}={part!r}"
        )


def _optimizers(model):
    """The model's optimizer, and what it wraps, the inner one last."""
    optimizers = [model.optimizer]
    while hasattr(optimizers[-1], "inner_optimizer"):
        optimizers.append(optimizers[-1].inner_optimizer)
    return optimizers


def _own_optimizer(model):
    """The optimizer that updates the weights, None without one."""
    if getattr(model, "optimizer", None) is None:
        return None
    return _optimizers(model)[-1]
