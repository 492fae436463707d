"""Combines schedule, distribution, pattern and method into one pruner."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from issp_keras.sparsity import zeros
from issp_keras.sparsity.distributions import Distribution
from issp_keras.sparsity.kernel_facts import Kernel
from issp_keras.sparsity.methods import Change
from issp_keras.sparsity.methods import Clock
from issp_keras.sparsity.methods import Method
from issp_keras.sparsity.patterns import Pattern
from issp_keras.sparsity.rationals import meant
from issp_keras.sparsity.schedules import check_steps_known
from issp_keras.sparsity.schedules import has_shares
from issp_keras.sparsity.schedules import traceable

# The phases: what to do after the update of an optimizer step.
DENSE, PRUNE, PROJECT, FROZEN = range(4)


class Choice:
    """Chooses the least important weights of all kernels at one step.

    Args:
        kernels: List of `Kernel`.
        distribution: `Distribution`, such as `Uniform()`.
        pattern: `Pattern`, such as `Unstructured()`.
        sparsity: Float or scalar tensor, the share of zeros at this step.
        progress: Float or scalar tensor, `sparsity` divided by the final
            sparsity.
        step: Scalar integer. A random selection uses it.
        exact: Boolean, whether the counts must be met exactly.
    """

    def __init__(
        self, kernels, distribution, pattern, sparsity, progress, step, exact
    ):
        self._kernels = kernels
        self._distribution = distribution
        self._pattern = pattern
        self._sparsity = sparsity
        self._progress = progress
        self._step = step
        self._exact = exact

    def __call__(self, scores, kept=None):
        """Marks the least important weights of each kernel.

        Args:
            scores: List of non-negative float tensors, the importance of
                every weight.
            kept: Float or scalar tensor, a factor on the number of unmarked
                weights that the schedule gives. Defaults to 1.

        Returns:
            List of boolean tensors.
        """
        counts = self._distribution.pruned_counts(
            self._kernels, scores, self._sparsity, self._progress
        )
        if kept is not None:
            counts = [
                _with_more_kept(kernel.size, count, kept)
                for kernel, count in zip(self._kernels, counts, strict=True)
            ]
        return self._pattern.unimportant(
            self._kernels, scores, counts, self._step, self._exact
        )

    def nearness(self, scores, masks):
        """Returns how near each weight is to being pruned.

        Args:
            scores: List of tensors, the same as in the call.
            masks: List of boolean tensors, the result of the call.

        Returns:
            List of float tensors: the threshold divided by the weight's
            score, and 1 for pruned weights. If whole blocks are pruned, it is
            divided by the score of the weight's block.
        """
        return self._pattern.nearness(self._kernels, scores, masks)


def _with_more_kept(size, count, kept):
    """The number of marked weights if `kept` times as many stay unmarked."""
    unmarked = ops.cast(size - count, "float32") * kept
    unmarked = ops.minimum(ops.cast(ops.round(unmarked), "int32"), size)
    return size - unmarked


class Pruner:
    """Applies schedule, method, distribution and pattern to the kernels.

    It holds no weights. The methods that return tensors may be traced. The
    host calls `lacking` and `describe`.

    Args:
        kernels: List of `Kernel`, the pruned kernels.
        schedule: A pruning schedule with an end. If its steps are shares of
            the training, call `follow` with known steps before you use them.
        method: `Method`.
        distribution: `Distribution`, such as `Uniform()`.
        pattern: `Pattern`, such as `Unstructured()`.

    Attributes:
        finalized_at: Integer, the step at which the pruning stage was ended
            before the schedule's end; None if it was not.

    Raises:
        ValueError: If a part cannot prune these kernels, or the method cannot
            prune by this schedule.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        schedule: Any,
        method: Method,
        distribution: Distribution,
        pattern: Pattern,
    ) -> None:
        self.kernels = kernels
        self.method = method
        self.distribution = distribution
        self.pattern = pattern
        self.finalized_at: int | None = None
        for part in (method, distribution, pattern):
            part.check(kernels)
        self.follow(schedule)

    def follow(self, schedule: Any) -> None:
        """Sets the schedule, before the training or a part of it begins.

        Raises:
            ValueError: If the method cannot prune by this schedule.
        """
        self.schedule = traceable(schedule)
        self._schedule = None if has_shares(schedule) else _describe(schedule)
        self.final_sparsity = final_sparsity(schedule)
        self._check_schedule(schedule)

    @property
    def begin(self) -> int:
        """The first step of the pruning stage."""
        check_steps_known(self.schedule)
        return self.schedule.begin_step

    @property
    def end(self) -> int:
        """The step after the pruning stage; `begin` for a one-shot method."""
        if self.finalized_at is not None:
            return self.finalized_at
        return self.planned_end

    @property
    def planned_end(self) -> int:
        """The end of the pruning stage in the schedule."""
        check_steps_known(self.schedule)
        if self.method.one_shot:
            return self.schedule.begin_step
        return self.schedule.end_step

    def _check_schedule(self, schedule):
        method = self.method
        if self.follows_changes and getattr(schedule, "frequency", 1) != 1:
            raise ValueError(
                f"{type(method).__name__} acts after every optimizer step: "
                "expected a schedule with frequency=1. "
                f"Received: frequency={schedule.frequency}"
            )
        begin = schedule.begin_step
        if method.redraw_seed is not None and begin > 0:
            raise ValueError(
                f"{type(method).__name__} initialises the weights again before "
                "the first step: expected a schedule with begin_step=0. "
                f"Received: begin_step={begin}"
            )

    def phase(self, step: Any) -> Any:
        """Returns what to do after the update of an optimizer step."""
        should_prune, _ = self.schedule(step)
        phase = ops.where(should_prune, PRUNE, DENSE)
        phase = ops.where(step == self.end - 1, PROJECT, phase)
        return ops.where(step >= self.end, FROZEN, phase)

    def in_stage(self, step: Any) -> Any:
        """Returns whether a step lies in the pruning stage."""
        return ops.logical_and(step >= self.begin, step < self.end)

    def clock(self, step: Any, rate: Any = 1.0) -> Any:
        """Returns the `Clock` of a step."""
        return Clock(step - self.begin, self.planned_end - self.begin, rate)

    def refreshed(self, values: Any, states: Any, step: Any) -> Any:
        """Returns the states after the method renews them before a step.

        Args:
            values: List of tensors, the kernels.
            states: List of tensors.
            step: Scalar integer.
        """
        if self.method.holds_final_mask:
            choice = self._final_choice()
        else:
            choice = self._choice(step)
        masks = choice(self._scores(values, None))
        return [
            ops.cast(self.method.refresh(state, mask), state.dtype)
            for state, mask in zip(states, masks, strict=True)
        ]

    @property
    def follows_changes(self) -> bool:
        """Whether the method uses the changes of an optimizer update."""
        return self._overrides("advance")

    @property
    def renews_states(self) -> bool:
        """Whether states change after an optimizer update."""
        return self.follows_changes and self.method.state_dtype is not None

    @property
    def refreshes_states(self) -> bool:
        """Whether states change before an optimizer update."""
        if self.method.state_dtype is None:
            return False
        return not self.follows_changes or self._overrides("refreshes")

    @property
    def resets_momentum(self) -> bool:
        """Whether the optimizer's momentum may be set to zero."""
        return self._overrides("resets_momentum")

    @property
    def changes_gradients(self) -> bool:
        """Whether the method changes the gradients of the loss."""
        return self._overrides("gradient")

    def advanced(
        self,
        before: Any,
        values: Any,
        states: Any,
        momenta: Any,
        step: Any,
        rate: Any,
    ) -> Any:
        """Returns kernels and states after the method's update.

        Args:
            before: List of tensors, the kernels before the optimizer step.
            values: List of tensors, the kernels after it.
            states: List of tensors; each is None for a method without state.
            momenta: List of tensors; each is None if the method does not need
                them.
            step: Scalar integer.
            rate: Scalar float, the learning rate.
        """
        if not self._overrides("update", "advance"):
            return list(values), list(states)
        changes = list(
            map(Change, self.kernels, before, values, states, momenta)
        )
        return self.method.advance(
            self._choice(step), changes, self.clock(step, rate)
        )

    def final_masks(self, values: Any, states: Any) -> Any:
        """Returns the masks of the zeros after the pruning stage.

        Args:
            values: List of tensors, the kernels.
            states: List of the method's states, each None for a method
                without state. None if the states do not exist yet.
        """
        scores = self._scores(values, states)
        return self._pruned(self._final_choice()(scores), states)

    def masks_at(self, values: Any, states: Any, step: Any) -> Any:
        """Returns the masks of the weights that shrink towards zero.

        Args:
            values: List of tensors, the kernels.
            states: List of states, see `final_masks`.
            step: Integer, the last completed step.
        """
        # The last step of the stage makes the zeros exact.
        if step >= self.end - 1:
            return [zeros.is_pruned(value) for value in values]
        choice = self._choice(max(step, self.begin), exact=True)
        return self._pruned(choice(self._scores(values, states)), states)

    def lacking(self, values: Any) -> Any:
        """Finds a kernel with fewer zeros than the stage's end requires.

        Args:
            values: List of tensors, the kernels.

        Returns:
            A clause about this kernel for an error message, or None.
        """
        masks = self._final_choice()(self._scores(values, None))
        for kernel, value, mask in zip(self.kernels, values, masks):
            found = int(ops.count_nonzero(zeros.is_pruned(value)))
            count = int(ops.count_nonzero(mask))
            if found < count:
                return f"'{kernel.path}' holds {found} zeros instead of {count}"
        return None

    def describe(self) -> Any:
        """Returns strings that must be equal when a training is resumed.

        The string of the schedule is None until its steps are known.
        """
        kernels = [
            # Keras appends numbers to the names of unnamed layers: drop them.
            f"{re.sub('_[0-9]+/', '/', kernel.path)} {list(kernel.shape)}"
            for kernel in self.kernels
        ]
        return {
            "model": "; ".join(kernels),
            "schedule": self._schedule,
            "method": _describe(self.method),
            "distribution": _describe(self.distribution),
            "pattern": _describe(self.pattern),
        }

    def _overrides(self, *names):
        """Whether the method defines one of these functions itself."""
        kind = type(self.method)
        return any(getattr(kind, n) is not getattr(Method, n) for n in names)

    def _pruned(self, masks, states):
        if states is None:
            return masks
        return [
            self.method.pruned(mask, state)
            for mask, state in zip(masks, states, strict=True)
        ]

    def _final_choice(self):
        return self._make_choice(self.final_sparsity, 0, exact=True)

    def _choice(self, step, exact=False):
        _, sparsity = self.schedule(step)
        return self._make_choice(sparsity, step, exact)

    def _make_choice(self, sparsity, step, exact):
        progress = 1.0
        if not isinstance(sparsity, float) or sparsity < self.final_sparsity:
            progress = sparsity / max(self.final_sparsity, 1e-12)
        return Choice(
            self.kernels,
            self.distribution,
            self.pattern,
            sparsity,
            progress,
            step,
            exact,
        )

    def _scores(self, values, states):
        if states is not None:
            values = map(self.method.ranked, values, states)
        return list(map(self.method.importance, values, self.kernels))


def final_sparsity(schedule) -> float:
    """Returns the sparsity at the end of a schedule."""
    if has_shares(schedule):
        return schedule.target_sparsity
    _, sparsity = schedule(schedule.end_step)
    if not isinstance(sparsity, float):
        # 0.8 of 1000 weights are 800. The float32 nearest to 0.8 gives 801.
        sparsity = float(meant(np.float32(sparsity)))
    return sparsity


def _describe(part):
    """Returns the name and the settings of a part, equal in every process."""
    if hasattr(part, "get_config"):
        config = part.get_config()
        settings = config.get("config", config)
    else:
        settings = vars(part)
    arguments = [
        f"{name}={_describe(value) if hasattr(value, '__dict__') else value!r}"
        for name, value in sorted(settings.items())
        if not name.startswith("_")
    ]
    return f"{type(part).__name__}({', '.join(arguments)})"
