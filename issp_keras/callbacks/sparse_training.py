"""The bridge from `issp_keras.sparsity` to `model.fit`."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import logging

from issp_keras.callbacks.kernels import Where
from issp_keras.callbacks.optimizers import own_optimizer
from issp_keras.callbacks.optimizers import separate_averages
from issp_keras.callbacks.pruned_model import KernelSnapshot
from issp_keras.callbacks.pruned_model import PrunedModel
from issp_keras.callbacks.sparse_update import SparseUpdate
from issp_keras.reprs import Readable
from issp_keras.sparsity import ISSP
from issp_keras.sparsity import Distribution
from issp_keras.sparsity import Method
from issp_keras.sparsity import Pattern
from issp_keras.sparsity import PruningSchedule
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import Unstructured
from issp_keras.sparsity.pruner import final_sparsity
from issp_keras.sparsity.schedules import has_shares

# So many names of one kind are told, and how many more there are.
_NAMES = 5


class SparseTraining(Readable, keras.callbacks.Callback):
    """Trains a model sparse, with ISS-P or any other pruning method.

    The kernels of every convolution, Dense and EinsumDense layer and
    recurrent cell are pruned (see `prunable_kernels`), in the model as it
    is: nothing is wrapped, replaced or cloned. Layers that are not pruned are
    named when training begins, with the reason. All work happens inside the
    compiled train step. The phases follow `optimizer.iterations`, counted
    from 0:

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
            Defaults to `ISSP()`.
        distribution: How much in each kernel. Defaults to `Uniform()`.
        pattern: Which weights of a kernel. Defaults to `Unstructured()`.
        include: Which layers to prune: a regular expression searched in
            their paths, a list of them, or a callable `layer -> bool`.
            Defaults to all.
        exclude: The same for layers not to prune. Defaults to none.
        optimizer_slots: `"keep"` or `"zero"`: what the optimizer remembers
            for a weight (Adam's moments) once it is zero for good. Either
            way it stays zero. Defaults to `"keep"`, as in the released code.
        verbose: `0` or `1`. With 1, what is not pruned is told when training
            begins. It is printed, or logged by absl if absl shows lines of
            level INFO or Keras' interactive logging is off. Defaults to `1`.
        record_gradients: Boolean, whether the train step computes the norm of
            each kernel's gradient, which `SparsitySummaries` writes. Defaults
            to `True`.

    Attributes:
        pruned_model: `PrunedModel`, the model of this callback; None before
            there is one that is built.

    Raises:
        TypeError: If `schedule` is no `PruningSchedule`.
        ValueError: If `schedule` never ends, or `optimizer_slots` or
            `verbose` is another. When training begins: if the model is not
            built or has no prunable layer, if a rule finds no layer, if the
            model has a `MultiOptimizer`, if the optimizer is already past
            `end_step` while the kernels are not sparse, or if the checkpoint
            that was loaded is of another training.
        FloatingPointError: At the end of an epoch, if a kernel holds NaN and
            no callback before this one has stopped the training.
    """

    def __init__(
        self,
        schedule: Callable[..., Any],
        method: Method | None = None,
        distribution: Distribution | None = None,
        pattern: Pattern | None = None,
        include: Where = None,
        exclude: Where = None,
        optimizer_slots: str = "keep",
        verbose: int = 1,
        record_gradients: bool = True,
    ) -> None:
        super().__init__()
        _check_schedule(schedule)
        method = method or ISSP()
        distribution = distribution or Uniform()
        pattern = pattern or Unstructured()
        _check_part("method", method, Method)
        _check_part("distribution", distribution, Distribution)
        _check_part("pattern", pattern, Pattern)
        _check_choice("optimizer_slots", optimizer_slots, ("keep", "zero"))
        _check_choice("verbose", verbose, (0, 1))
        self.schedule: Any = schedule
        self.method = method
        self.distribution = distribution
        self.pattern = pattern
        self.include = include
        self.exclude = exclude
        self.optimizer_slots = optimizer_slots
        self.verbose = verbose
        self.record_gradients = record_gradients
        # A `PrunedModel` from the beginning of `fit` on.
        self.pruned_model: Any = None
        self._update: Any = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        # Here, and not when training begins, because then other callbacks
        # may already load a checkpoint.
        self._look_at(model if model.built else None)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.model.optimizer is None:
            raise ValueError(
                "Sparse training happens in the optimizer's steps: compile "
                "the model with an optimizer. Received: optimizer=None"
            )
        self._remove_stale_update(own_optimizer(self.model))
        pruned = self._current()
        if not has_shares(pruned.pruner.schedule):
            self._begin()
        elif (self.params or {}).get("steps") is None:
            raise ValueError(
                f"{self.schedule!r}: has shares of a training whose length "
                "Keras does not know, expected whole numbers of steps, or "
                "`steps_per_epoch` in the call of `fit`."
            )
        if self.method.needs_momentum:
            # An optimizer without shows here, and not inside the train step.
            pruned.momenta()
        separate_averages(pruned.optimizer)
        self._update = SparseUpdate(
            pruned, self.optimizer_slots == "zero", self.record_gradients
        )
        self._update.fit = self.params
        # Keras made the train function before, without the update.
        self.model.make_train_function(force=True)
        self._tell()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # Here, and not when training begins, because a callback after this
        # one may have loaded a checkpoint then.
        self.find_steps(epoch)
        self.pruned_model.state.check(self.pruned_model.pruner)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self.model.stop_training:
            return
        pruned = self.pruned_model
        for kernel, values in zip(pruned.kernels, pruned.arrays(), strict=True):
            if np.isnan(values).any():
                raise FloatingPointError(
                    f"The kernel of layer '{kernel.layer.path}' holds NaN "
                    f"after {self.steps()} optimizer steps: the training "
                    "diverged. Try a lower learning rate."
                )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        # Where a checkpoint of the end was loaded, there was no epoch.
        self.find_steps(None)
        self._update.remove()
        self._update = None
        # Keras keeps the train function, and the update within, otherwise.
        self.model.make_train_function(force=True)
        pruned = self.pruned_model
        if not pruned.is_over():
            warnings.warn(
                f"Training ended after {self.steps()} optimizer steps, "
                f"before end_step={pruned.pruner.end}: the kernels are "
                "not sparse yet. Call `fit` again with this callback to go "
                "on, or `callback.finalize()` to set the smallest weights to "
                "zero now.",
                stacklevel=2,
            )
            return
        pruned.detach()
        if dense := pruned.lacking():
            warnings.warn(
                f"The pruning stage is over, but {dense}: weights from "
                "before its end may have been set, as EarlyStopping with "
                "restore_best_weights does. `callback.finalize()` sets the "
                "smallest weights to zero again.",
                stacklevel=2,
            )

    def finalize(self) -> None:
        """Ends the pruning stage now, whatever the schedule says.

        The weights that the method would prune become exact zeros. A later
        `fit` with this callback keeps these zeros, as in fine-tuning.
        """
        if self.model is None:
            raise ValueError(
                "finalize() needs a model: call `fit` with this callback, or "
                "`callback.set_model(model)`, first."
            )
        self._current().finalize()
        if self._update is not None:
            # The train function of the running `fit` knows nothing of it.
            self.model.make_train_function(force=True)

    def find_steps(self, epoch: int | None) -> None:
        """Finds the steps of a schedule with shares of the training.

        Called by Keras' hooks, it does nothing where they are known.

        Args:
            epoch: Integer, the epoch that begins; None after the last.
        """
        pruned = self.pruned_model
        if has_shares(pruned.pruner.schedule):
            epochs = 0 if epoch is None else self.params["epochs"] - epoch
            steps = pruned.steps_after(epochs * self.params["steps"])
            pruned.follow(self.schedule.for_steps(steps))
            self._begin()

    def steps(self) -> int:
        """Returns how many steps the optimizer has made, an integer."""
        return self.pruned_model.steps()

    def snapshot(self) -> list[KernelSnapshot]:
        """Returns how the kernels are now, while `fit` runs.

        Returns:
            List of `KernelSnapshot`, one a kernel.
        """
        return self.pruned_model.snapshot()

    def _begin(self):
        """Does what comes before the first step that the schedule knows."""
        pruned = self.pruned_model
        if pruned.steps() == 0 and pruned.pruner.end == 0:
            pruned.prune_at_once()
        if pruned.is_over() and (dense := pruned.lacking()):
            raise ValueError(
                f"The pruning stage is over (the optimizer has made "
                f"{pruned.steps()} steps, end_step={pruned.pruner.end}), "
                f"but {dense}. Compile the model again to count steps from "
                "0, or use a schedule whose steps lie ahead."
            )

    def _current(self):
        """The model under pruning, looked at anew where it has changed."""
        pruned = self.pruned_model
        # What a running `fit` has compiled is about the model as it was.
        is_running = pruned is not None and self._is_installed()
        if not is_running and (pruned is None or not pruned.is_current()):
            self._look_at(self.model)
        return self.pruned_model

    def _is_installed(self):
        """Whether the train step of the running `fit` prunes."""
        optimizer = own_optimizer(self.model)
        if self._update is None or optimizer is None:
            return False
        return vars(optimizer).get("apply") is self._update

    def _look_at(self, model):
        before, self.pruned_model = self.pruned_model, None
        if model is None:
            return
        self.pruned_model = PrunedModel(
            model,
            self.include,
            self.exclude,
            schedule=self.schedule,
            method=self.method,
            distribution=self.distribution,
            pattern=self.pattern,
        )
        if before is not None:
            self.pruned_model.inherit(before)

    def _tell(self):
        """Says what is pruned and, with the reasons, what is not."""
        pruned = self.pruned_model
        logging.info(
            "Sparse training of %d kernels with %d weights.",
            len(pruned.kernels),
            sum(kernel.facts.size for kernel in pruned.kernels),
        )
        if self.verbose:
            for names, reason in pruned.not_pruned():
                more = len(names) - _NAMES
                listed = ", ".join(names[:_NAMES])
                listed += f" and {more} more" if more > 0 else ""
                _say(f"Not pruned: {listed} ({reason}).")
        most = self.pattern.most
        if (target := final_sparsity(self.schedule)) > most:
            logging.warning(
                "The pattern allows %.4g %% zeros, and the schedule asks for "
                "%.4g %%.",
                100 * most,
                100 * target,
            )

    def _remove_stale_update(self, optimizer):
        """Removes what an interrupted `fit` has left on the optimizer."""
        update = vars(optimizer).get("apply")
        if not isinstance(update, SparseUpdate):
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
    if end_step is None or not end_step > 0:
        raise ValueError(
            "`schedule` must have an end, after which the zeros are exact. "
            f"Received: end_step={end_step}"
        )


def _check_part(name, part, kind):
    if not isinstance(part, kind):
        raise TypeError(
            f"`{name}` must be a {kind.__name__} of `issp_keras.sparsity`, "
            f"made by a call such as `ISSP()`, `Uniform()`, `NM(2, 4)`. "
            f"Received: {name}={part!r}"
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be {choices[0]!r} or {choices[1]!r}. "
            f"Received: {name}={value!r}"
        )


def _say(line):
    """Tells a line where a user sees it."""
    is_shown_by_log = logging.get_verbosity() >= logging.INFO
    if keras.config.is_interactive_logging_enabled() and not is_shown_by_log:
        print(line)
    else:
        logging.info(line)
