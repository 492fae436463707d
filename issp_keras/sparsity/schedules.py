"""Pruning schedules: when to prune, and the overall sparsity."""

import abc
import importlib.util
import os
import warnings
from typing import Any

import keras
from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.arguments import check_ramp
from issp_keras.sparsity.arguments import share
from issp_keras.sparsity.arguments import step_or_share
from issp_keras.sparsity.ramps import ramp_to


class _PruningSchedule(abc.ABC):
    """The interface of tfmot's class, for use without TensorFlow."""

    @abc.abstractmethod
    def __call__(self, step):
        """Returns whether to prune after `step`, and the sparsity."""

    @abc.abstractmethod
    def get_config(self):
        """Returns the arguments of the constructor."""

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _import_tfmot():
    """Imports tfmot's pruning interface without its side effects.

    The import of tfmot sets `TF_USE_LEGACY_KERAS`. If `tf.keras` is not loaded
    yet, it then becomes Keras 2 in this process and its children. This
    function loads `tf.keras` first and restores the variable afterwards.
    """
    import tensorflow as tf

    before = os.environ.get("TF_USE_LEGACY_KERAS")
    tf.keras.Model  # noqa: B018 (resolves the lazy loader)
    try:
        with warnings.catch_warnings():
            # tfmot compares versions with distutils.
            warnings.simplefilter("ignore", DeprecationWarning)
            from tensorflow_model_optimization import sparsity
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    return sparsity.keras


def _installed(package):
    return importlib.util.find_spec(package) is not None


PruningSchedule: Any = (
    _import_tfmot().PruningSchedule
    if _installed("tensorflow") and _installed("tensorflow_model_optimization")
    else _PruningSchedule
)


@keras.saving.register_keras_serializable(package="issp_keras")
class ISSPSchedule(Readable, PruningSchedule):
    """Prunes from `begin_step` until `end_step` (ISS-P).

    It is a `tfmot.sparsity.keras.PruningSchedule`. A call with a step returns
    whether to prune the kernels after that step, and the sparsity. A step is
    one optimizer update, counted from 0. The method prunes after each step in
    `[begin_step, end_step)`. After the last of them, the pruned weights become
    exact zeros. From `end_step` on the mask is frozen for fine-tuning. Without
    TensorFlow, the class has the same interface but not tfmot's base class.

    Each step may also be a float, a share of the training. `fit` then computes
    the steps when it begins. The share is of all optimizer updates from step 0
    to the end of the last epoch. A later `fit` with the same callback and
    optimizer keeps these steps. So does a `fit` of as many batches that goes
    on from a checkpoint.

    Example:

    >>> schedule = ISSPSchedule(target_sparsity=0.95, end_step=1000)
    >>> schedule(0)
    (True, 0.95)
    >>> schedule(1000)
    (False, 0.95)
    >>> ISSPSchedule(0.95, end_step=0.8).for_steps(1000)
    ISSPSchedule(0.95, end_step=800)

    Args:
        target_sparsity: Float in [0, 1). Share of zeros in the kernels.
        begin_step: Integer, the first step that prunes, or float in [0, 1],
            a share of the training. Defaults to `0`.
        end_step: Integer above `begin_step`, the step after the last step
            that prunes (the paper's K_P), or float in (0, 1], a share of the
            training.
        ramp: How the sparsity grows from 0 to `target_sparsity`, which it
            reaches at the last step of the stage: `"constant"` (at once),
            `"linear"` or `"cubic"`. Defaults to `"constant"`.

    Raises:
        ValueError: If `target_sparsity` is outside [0, 1), a step is neither
            a whole number nor a share, `0 <= begin_step < end_step` does not
            hold, or `ramp` is not one of these names. A call raises it if a
            step is still a share.

    Reference: ISS-P (arXiv 2303.09650), where the sparsity is constant over
    the pruning stage; Zhu and Gupta, arXiv 1710.01878, eq. 1, for the cubic
    ramp.
    """

    def __init__(
        self,
        target_sparsity: float,
        begin_step: int | float = 0,
        *,
        end_step: int | float,
        ramp: str = "constant",
    ):
        self.target_sparsity = share("target_sparsity", target_sparsity)
        self.begin_step = step_or_share("begin_step", begin_step)
        self.end_step = step_or_share("end_step", end_step)
        # A share and a step cannot be compared until the length is known.
        is_comparable = type(self.begin_step) is type(self.end_step)
        is_ordered = not is_comparable or self.begin_step < self.end_step
        if self.begin_step < 0 or self.end_step <= 0 or not is_ordered:
            raise ValueError(
                "Pruning steps must satisfy 0 <= begin_step < end_step. "
                f"Received: begin_step={begin_step}, end_step={end_step}"
            )
        check_ramp(ramp)
        self.ramp = ramp

    def __call__(self, step: Any) -> tuple[Any, Any]:
        check_steps_known(self)
        if isinstance(step, int):
            should_prune = self.begin_step <= step < self.end_step
        else:
            should_prune = ops.logical_and(
                step >= self.begin_step, step < self.end_step
            )
        return should_prune, self._sparsity(step)

    def get_config(self) -> dict[str, Any]:
        return {
            "target_sparsity": self.target_sparsity,
            "begin_step": self.begin_step,
            "end_step": self.end_step,
            "ramp": self.ramp,
        }

    def for_steps(self, steps: int) -> "ISSPSchedule":
        """Returns the schedule for a training with this number of steps.

        Shares become whole numbers of steps. An `end_step` that is a share
        becomes at least 1.

        Args:
            steps: Integer, the number of optimizer steps of the training.

        Raises:
            ValueError: If the pruning stage does not begin before its end.
        """
        begin, end = (
            round(each * steps) if isinstance(each, float) else each
            for each in (self.begin_step, self.end_step)
        )
        if isinstance(self.end_step, float):
            end = max(end, 1)
        if begin >= end:
            raise ValueError(
                f"{self!r}: in a training of {steps} steps, pruning begins at "
                f"step {begin} and ends at step {end}; expected a later end."
            )
        config = {**self.get_config(), "begin_step": begin, "end_step": end}
        return type(self).from_config(config)

    def _sparsity(self, step):
        if self.ramp == "constant":
            return self.target_sparsity
        last = max(1, self.end_step - 1 - self.begin_step)
        if isinstance(step, int):
            progress = min(max((step - self.begin_step) / last, 0.0), 1.0)
        else:
            age = ops.cast(step - self.begin_step, "float32")
            progress = ops.clip(age / last, 0.0, 1.0)
        return ramp_to(self.ramp, 0.0, self.target_sparsity, progress)


class TabulatedSchedule:
    """Makes a schedule of TensorFlow operations work on other backends.

    The constructor calls the schedule once with all its steps.

    Args:
        schedule: A pruning schedule with an end.
    """

    def __init__(self, schedule):
        import tensorflow as tf

        self.begin_step = schedule.begin_step
        self.end_step = schedule.end_step
        steps = tf.range(self.end_step + 1)
        should_prune, sparsity = schedule(steps)
        self._should_prune = tf.broadcast_to(should_prune, steps.shape).numpy()
        self._sparsity = tf.broadcast_to(sparsity, steps.shape).numpy()

    def __call__(self, step):
        step = ops.clip(step, 0, self.end_step)
        return ops.take(self._should_prune, step), ops.take(
            self._sparsity, step
        )


def has_shares(schedule) -> bool:
    """Whether a schedule gives steps as shares of the training."""
    return isinstance(schedule, ISSPSchedule) and (
        isinstance(schedule.begin_step, float)
        or isinstance(schedule.end_step, float)
    )


def check_steps_known(schedule):
    """Raises a ValueError if the schedule gives steps as shares."""
    if has_shares(schedule):
        raise ValueError(
            f"{schedule!r}: gives steps as shares of the training, expected "
            "whole numbers of steps; `fit` computes them when it begins, and "
            "`schedule.for_steps(steps)` returns such a schedule."
        )


def traceable(schedule):
    """Returns the schedule in a form that the compiled step can call."""
    is_of_tfmot = any(
        kind.__module__.startswith("tensorflow_model_optimization")
        for kind in type(schedule).__mro__
        if kind is not PruningSchedule
    )
    if is_of_tfmot and keras.backend.backend() != "tensorflow":
        return TabulatedSchedule(schedule)
    return schedule
