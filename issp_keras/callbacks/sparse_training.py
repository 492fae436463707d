"""The bridge from `issp_keras.sparsity` to `model.fit`."""

import warnings

import keras
import numpy as np
from absl import logging
from keras import ops

from issp_keras.callbacks import sparse_update
from issp_keras.callbacks.kernels import prunable_kernels
from issp_keras.sparsity import PruningSchedule
from issp_keras.sparsity import Uniform
from issp_keras.sparsity import Unstructured
from issp_keras.sparsity import zeros


class SparseTraining(keras.callbacks.Callback):
    """Trains a model sparse with any pruning method.

    The kernels of every Conv2D, DepthwiseConv2D, Dense and EinsumDense layer
    are pruned, in the model as it is: nothing is wrapped, replaced or cloned.
    All work happens inside the compiled train step. The phases follow
    `optimizer.iterations`, counted from 0:

    - before `schedule.begin_step`: dense training;
    - until `schedule.end_step`: each optimizer update for which the schedule
      says so is followed by one update of the method;
    - after the last of these, the weights just chosen become exact zeros,
      and these zeros hold for the rest of the training (fine-tuning).

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

    Raises:
        TypeError: If `schedule` is no `PruningSchedule`.
        ValueError: If `schedule` never ends. When training begins: if the
            model is not built or has no prunable layer, or if the optimizer
            is already past `end_step` while the kernels are not sparse.
    """

    def __init__(self, schedule, method, distribution=None, pattern=None):
        super().__init__()
        _check_schedule(schedule)
        self.schedule = schedule
        self.method = method
        self.distribution = distribution or Uniform()
        self.pattern = pattern or Unstructured()
        self._final_sparsity = _final_sparsity(schedule)
        self._finalized = False
        self._update = None

    def set_model(self, model):
        if model is not self.model:
            self._finalized = False
        super().set_model(model)

    def on_train_begin(self, logs=None):
        if self.model.optimizer is None:
            raise ValueError(
                "Sparse training happens in the optimizer's steps: compile "
                "the model with an optimizer. Received: optimizer=None"
            )
        optimizer = _inner_optimizer(self.model.optimizer)
        self._remove_stale_update(optimizer)
        kernels = prunable_kernels(self.model)
        if self._is_over() and (dense := self._dense_kernel(kernels)):
            raise ValueError(
                f"The pruning stage is over (the optimizer has made "
                f"{self._steps()} steps, end_step={self.schedule.end_step}), "
                f"but {dense}. Compile the model again to count steps from "
                "0, or use a schedule whose steps lie ahead."
            )
        self._update = sparse_update.SparseUpdate(
            optimizer, kernels, self._phase, self._prune, self._choose
        )
        self._update.fit = self.params
        # Keras made the train function before, without the update.
        self.model.make_train_function(force=True)
        logging.info(
            "Sparse training of %d kernels with %d weights.",
            len(kernels),
            sum(_sizes(kernels)),
        )

    def on_train_end(self, logs=None):
        self._update.remove()
        self._update = None
        # Keras keeps the train function, and the update within, otherwise.
        self.model.make_train_function(force=True)
        if not self._is_over():
            warnings.warn(
                f"Training ended after {self._steps()} optimizer steps, "
                f"before end_step={self.schedule.end_step}: the kernels are "
                "not sparse yet. Call `fit` again with this callback to go "
                "on, or `callback.finalize()` to set the smallest weights to "
                "zero now.",
                stacklevel=2,
            )
        elif dense := self._dense_kernel(prunable_kernels(self.model)):
            warnings.warn(
                f"The pruning stage is over, but {dense}: weights from "
                "before its end may have been set, as EarlyStopping with "
                "restore_best_weights does. `callback.finalize()` sets the "
                "smallest weights to zero again.",
                stacklevel=2,
            )

    def finalize(self):
        """Ends the pruning stage now, whatever the schedule says.

        The smallest weights of every kernel become exact zeros. A later
        `fit` with this callback keeps these zeros, as in fine-tuning.
        """
        if self.model is None:
            raise ValueError(
                "finalize() needs a model: call `fit` with this callback, or "
                "`callback.set_model(model)`, first."
            )
        kernels = prunable_kernels(self.model)
        averages = []
        if getattr(self.model, "optimizer", None) is not None:
            # Keras puts them in place of the kernels when `fit` ends.
            averages = sparse_update.moving_averages(
                _inner_optimizer(self.model.optimizer), kernels
            )
        masks = self._choose([kernel.value for kernel in kernels])
        for group in (kernels, averages):
            for variable, mask in zip(group, masks):
                variable.assign(zeros.project(variable.value, mask))
        self._finalized = True
        if self._update is not None:
            # The train function of the running `fit` knows nothing of it.
            self.model.make_train_function(force=True)

    def _phase(self, step):
        if self._finalized:
            return sparse_update.FROZEN
        end = self.schedule.end_step
        should_prune, _ = self.schedule(step)
        phase = ops.where(
            should_prune, sparse_update.PRUNE, sparse_update.DENSE
        )
        phase = ops.where(step == end - 1, sparse_update.PROJECT, phase)
        return ops.where(step >= end, sparse_update.FROZEN, phase)

    def _prune(self, step, values):
        _, sparsity = self.schedule(step)
        masks = self._unimportant(values, sparsity)
        return [
            self.method.update(value, mask)
            for value, mask in zip(values, masks, strict=True)
        ]

    def _choose(self, values):
        return self._unimportant(values, self._final_sparsity)

    def _unimportant(self, values, sparsity):
        counts = self.distribution.pruned_counts(_sizes(values), sparsity)
        return [
            self.pattern.unimportant(value, count)
            for value, count in zip(values, counts, strict=True)
        ]

    def _steps(self):
        return int(ops.copy(self.model.optimizer.iterations))

    def _is_over(self):
        return self._finalized or self._steps() >= self.schedule.end_step

    def _dense_kernel(self, kernels):
        """Says which kernel lacks zeros; the zeros are the mask to hold."""
        counts = self.distribution.pruned_counts(
            _sizes(kernels), self._final_sparsity
        )
        for kernel, count in zip(kernels, counts, strict=True):
            found = int(ops.count_nonzero(zeros.is_pruned(kernel.value)))
            if found < count:
                return f"'{kernel.path}' holds {found} zeros instead of {count}"
        return None

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
    if schedule.end_step < 1:
        raise ValueError(
            "`schedule` must have an end, after which the zeros are exact. "
            f"Received: end_step={schedule.end_step}"
        )


def _final_sparsity(schedule):
    _, sparsity = schedule(schedule.end_step)
    if not isinstance(sparsity, float):
        # The decimal number that was meant, not its float32 neighbour:
        # 0.8 of 1000 weights are 800, and not 801.
        sparsity = float(str(np.float32(sparsity)))
    return sparsity


def _inner_optimizer(optimizer):
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _sizes(arrays):
    return [int(np.prod(array.shape)) for array in arrays]
