"""The callback that prunes a model during `model.fit`."""

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
from issp_keras.errors import some_of
from issp_keras.extras import check_backend
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


class SparseTraining(Readable, keras.callbacks.Callback):
    """Trains a model sparse, with ISS-P or any other pruning method.

    The callback prunes the kernels of every convolution, Dense and
    EinsumDense layer and recurrent cell (see `prunable_kernels`). It changes
    the weights in place: it does not wrap, replace or clone the model. When
    training begins, it lists the layers that are not pruned, with the reason.
    All pruning happens inside the compiled train step. The phases follow
    `optimizer.iterations`, counted from 0:

    - before `schedule.begin_step`: dense training;
    - from `schedule.begin_step` until `schedule.end_step`, the pruning stage:
      the method updates the kernels after each optimizer update that the
      schedule selects;
    - after the last update of the stage: the unimportant weights become exact
      zeros, and these zeros hold for the rest of the training (fine-tuning).

    A one-shot method has no pruning stage. It sets the weights to zero at
    `begin_step`.

    To resume, load the weights and the optimizer from a checkpoint that was
    made during the training, then call `fit` with the same callbacks.
    `keras.callbacks.BackupAndRestore` does that. By hand, call
    `callback.set_model(model)`, then `model.load_weights(checkpoint)`. The
    checkpoint holds the state of the method beside the optimizer's variables.
    It also tells whether `finalize` has ended the pruning stage. A checkpoint
    of another training raises an error.

    A callback that restores earlier weights at the end can bring dense
    weights back, for example `EarlyStopping` with
    `restore_best_weights=True`. List it before this callback to get a warning
    then. After an interrupted `fit`, compile the model again before you train
    without this callback.

    Args:
        schedule: A `tfmot.sparsity.keras.PruningSchedule` with an end, such
            as `ISSPSchedule`. It says when to prune, and the overall
            sparsity.
        method: `Method`, what happens to the unimportant weights. Defaults to
            `ISSP()`.
        distribution: `Distribution`, the sparsity of each kernel. Defaults to
            `Uniform()`.
        pattern: `Pattern`, which weights of a kernel are pruned together.
            Defaults to `Unstructured()`.
        include: Which layers to prune: a regular expression that is searched
            in their paths, a list of such expressions, or a callable
            `layer -> bool`. Defaults to all layers.
        exclude: Which layers not to prune, given in the same way. Defaults to
            none.
        optimizer_slots: `"keep"` or `"zero"`. With `"zero"`, the optimizer's
            variables for a weight (Adam's moments) become zero when the
            weight is zero for good. The weight stays zero in both cases.
            Defaults to `"keep"`, as in the released code.
        verbose: `0` or `1`. With 1, the callback lists the layers that are
            not pruned when training begins. It prints the list. It logs the
            list by absl instead if absl shows lines of level INFO or Keras'
            interactive logging is off. Defaults to `1`.
        record_gradients: Boolean, whether the train step computes the norm of
            each kernel's gradient. `SparsitySummaries` needs these norms.
            Defaults to `True`.

    Attributes:
        pruned_model: `PrunedModel`, the model of this callback. It is None
            until the callback has a built model.

    Raises:
        TypeError: If `schedule` is not a `PruningSchedule`.
        ValueError: If `schedule` has no end, `optimizer_slots` is neither
            `"keep"` nor `"zero"`, or `verbose` is neither `0` nor `1`. When
            training begins: if Keras' backend is neither TensorFlow nor
            JAX, if the model is not built or has no prunable
            layer, if a rule matches no layer, if the model has a
            `MultiOptimizer`, if the optimizer is already past `end_step`
            while the kernels are not sparse, or if the loaded checkpoint is
            from another training.
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
        # A `PrunedModel` as soon as there is a built model.
        self.pruned_model: Any = None
        self._update: Any = None

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        # Do not wait until training begins: other callbacks may load a
        # checkpoint then, before this one is called.
        self._look_at(model if model.built else None)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        check_backend(keras.backend.backend())
        if self.model.optimizer is None:
            raise ValueError(
                "Sparse training needs an optimizer: compile the model with "
                "one. Received: optimizer=None"
            )
        self._remove_stale_update(own_optimizer(self.model))
        pruned = self._current()
        if not has_shares(pruned.pruner.schedule):
            self._begin()
        elif (self.params or {}).get("steps") is None:
            raise ValueError(
                f"{self.schedule!r}: gives steps as shares of the training, "
                "but Keras does not know the length of this training; expected "
                "whole numbers of steps, or `steps_per_epoch` in the call of "
                "`fit`."
            )
        if self.method.needs_momentum:
            # An optimizer without momentum fails here, not in the train step.
            pruned.momenta()
        separate_averages(pruned.optimizer)
        self._update = SparseUpdate(
            pruned, self.optimizer_slots == "zero", self.record_gradients
        )
        self._update.fit = self.params
        # Keras has already made a train function without the update.
        self.model.make_train_function(force=True)
        self._tell()

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # Do not do this when training begins: a later callback may load a
        # checkpoint then.
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
        # No epoch ran if a checkpoint of the last epoch was loaded.
        self.find_steps(None)
        self._update.remove()
        self._update = None
        # Otherwise Keras keeps the train function that contains the update.
        self.model.make_train_function(force=True)
        pruned = self.pruned_model
        if not pruned.is_over():
            warnings.warn(
                f"Training ended after {self.steps()} optimizer steps, "
                f"before end_step={pruned.pruner.end}: the kernels are "
                "not sparse yet. To continue, call `fit` again with this "
                "callback. To set the smallest weights to zero now, call "
                "`callback.finalize()`.",
                stacklevel=2,
            )
            return
        pruned.detach_if_over()
        if dense := pruned.lacking():
            warnings.warn(
                f"The pruning stage is over, but {dense}: a callback may "
                "have restored weights from before its end, as EarlyStopping "
                "with restore_best_weights does. `callback.finalize()` sets "
                "the smallest weights to zero again.",
                stacklevel=2,
            )

    def finalize(self) -> None:
        """Ends the pruning stage now, before the schedule's end.

        The weights that the method would prune become exact zeros. A later
        `fit` with this callback keeps these zeros (fine-tuning). So does one
        with a new callback of the same settings on the same optimizer, until
        the schedule's end.
        """
        if self.model is None:
            raise ValueError(
                "finalize() needs a model: call `fit` with this callback, or "
                "`callback.set_model(model)`, first."
            )
        pruned = self._current()
        pruned.finalize()
        if self._update is None:
            pruned.detach_if_over()
        else:
            # The train function of the running `fit` was made before this.
            self.model.make_train_function(force=True)

    def find_steps(self, epoch: int | None) -> None:
        """Computes the steps of a schedule with shares of the training.

        Keras' hooks call it. It does nothing if the steps are known.

        Args:
            epoch: Integer, the epoch that begins; None after the last epoch.
        """
        pruned = self.pruned_model
        if has_shares(pruned.pruner.schedule):
            epochs = 0 if epoch is None else self.params["epochs"] - epoch
            steps = pruned.steps_after(epochs * self.params["steps"])
            planned = self.params["epochs"] * self.params["steps"]
            length = pruned.state.length_of(steps, planned)
            pruned.follow(self.schedule.for_steps(length))
            self._begin()

    def is_running(self) -> bool:
        """Returns whether the train step of a running `fit` prunes."""
        optimizer = own_optimizer(self.model) if self.model else None
        if self._update is None or optimizer is None:
            return False
        return vars(optimizer).get("apply") is self._update

    def steps(self) -> int:
        """Returns how many steps the optimizer has made, an integer."""
        return self.pruned_model.steps()

    def snapshot(self) -> list[KernelSnapshot]:
        """Returns the current kernels while `fit` runs.

        Returns:
            List of `KernelSnapshot`, one for each kernel.
        """
        return self.pruned_model.snapshot()

    def _begin(self):
        """Prepares the pruning once the steps of the schedule are known."""
        pruned = self.pruned_model
        if pruned.steps() == 0 and pruned.pruner.end == 0:
            pruned.prune_at_once()
        if pruned.is_over() and (dense := pruned.lacking()):
            raise ValueError(
                f"The pruning stage is over (the optimizer has made "
                f"{pruned.steps()} steps, end_step={pruned.pruner.end}), "
                f"but {dense}. Compile the model again to count the steps "
                "from 0, or use a schedule with a later end_step."
            )

    def _current(self):
        """The `PrunedModel`, made again if the model has changed."""
        pruned = self.pruned_model
        # A running `fit` has compiled the model in its earlier state.
        is_kept = self.is_running() or (pruned and pruned.is_current())
        if not is_kept:
            self._look_at(self.model)
        return self.pruned_model

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
        """Lists what is pruned, and what is not pruned, with the reasons."""
        pruned = self.pruned_model
        logging.info(
            "Sparse training of %d kernels with %d weights.",
            len(pruned.kernels),
            sum(kernel.facts.size for kernel in pruned.kernels),
        )
        if self.verbose:
            for names, reason in pruned.not_pruned():
                _say(f"Not pruned: {some_of(names)} ({reason}).")
        most = self.pattern.most
        if (target := final_sparsity(self.schedule)) > most:
            logging.warning(
                "The pattern allows %.4g %% zeros, and the schedule asks for "
                "%.4g %%.",
                100 * most,
                100 * target,
            )

    def _remove_stale_update(self, optimizer):
        """Removes an update that an interrupted `fit` left on the optimizer."""
        update = vars(optimizer).get("apply")
        if not isinstance(update, SparseUpdate):
            return
        if self.params is not None and update.fit is self.params:
            raise ValueError(
                "A call of `fit` can have only one sparse-training callback. "
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
            "`schedule` must have an end_step above 0. "
            f"Received: end_step={end_step}"
        )


def _check_part(name, part, kind):
    if not isinstance(part, kind):
        raise TypeError(
            f"`{name}` must be an instance of {kind.__name__} of "
            f"`issp_keras.sparsity`, such as `ISSP()`, `Uniform()` or "
            f"`NM(2, 4)`. "
            f"Received: {name}={part!r}"
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be {choices[0]!r} or {choices[1]!r}. "
            f"Received: {name}={value!r}"
        )


def _say(line):
    """Prints or logs a line so that the user sees it."""
    is_shown_by_log = logging.get_verbosity() >= logging.INFO
    if keras.config.is_interactive_logging_enabled() and not is_shown_by_log:
        print(line)
    else:
        logging.info(line)
