"""The four answers put together: what a training step does to kernels."""

import re

import numpy as np
from keras import ops

from issp_keras.sparsity import zeros
from issp_keras.sparsity.methods import Clock
from issp_keras.sparsity.methods import Method
from issp_keras.sparsity.schedules import traceable

# What an optimizer step is followed by.
DENSE, PRUNE, PROJECT, FROZEN = range(4)


class Pruner:
    """When, how much, which weights and what happens to them, for a model.

    Holds no values. What returns tensors may be traced; `lacking` and
    `describe` are for the host.

    Args:
        kernels: List of `Kernel`, those that are pruned.
        schedule: A pruning schedule with an end.
        method: `Method`.
        distribution: Such as `Uniform()`.
        pattern: Such as `Unstructured()`.

    Attributes:
        begin: Integer, the first step of the pruning stage.
        end: Integer, one past its last step. Equal to `begin` for a one-shot
            method.

    Raises:
        ValueError: If the method or the distribution cannot prune these
            kernels.
    """

    def __init__(self, kernels, schedule, method, distribution, pattern):
        self.kernels = kernels
        self.schedule = traceable(schedule)
        self.method = method
        self.distribution = distribution
        self.pattern = pattern
        self.begin = schedule.begin_step
        self.end = self.begin if method.one_shot else schedule.end_step
        self._schedule = _describe(schedule)
        self._final_sparsity = final_sparsity(schedule)
        for part in (method, distribution):
            if hasattr(part, "check"):
                part.check(kernels)
        if method.redraw_seed is not None and self.begin > 0:
            raise ValueError(
                f"{type(method).__name__} draws the weights anew before the "
                "first step: expected a schedule with begin_step=0. "
                f"Received: begin_step={self.begin}"
            )

    def phase(self, step):
        """Returns what is to follow the update of an optimizer step."""
        should_prune, _ = self.schedule(step)
        phase = ops.where(should_prune, PRUNE, DENSE)
        phase = ops.where(step == self.end - 1, PROJECT, phase)
        return ops.where(step >= self.end, FROZEN, phase)

    def in_stage(self, step):
        """Returns whether a step lies in the pruning stage."""
        return ops.logical_and(step >= self.begin, step < self.end)

    def clock(self, step):
        """Returns the `Clock` of a step."""
        return Clock(step - self.begin, self.end - self.begin)

    def unimportant(self, values, step):
        """Returns the masks of the unimportant weights at a step."""
        _, sparsity = self.schedule(step)
        return self._choose(values, sparsity, step, exact=False)

    def updated(self, values, step):
        """Returns the kernels after the method's update."""
        if type(self.method).update is Method.update:
            return list(values)
        masks = self.unimportant(values, step)
        clock = self.clock(step)
        return [
            self.method.update(value, mask, clock)
            for value, mask in zip(values, masks, strict=True)
        ]

    def final_masks(self, values, states):
        """Returns the masks of what is zero after the pruning stage.

        Args:
            values: List of tensors, the kernels.
            states: List of the method's states, None for each where it has
                none; or None where the states are not made yet.
        """
        masks = self._choose(values, self._final_sparsity, 0, exact=True)
        return self._pruned(masks, states)

    def masks_at(self, values, states, step):
        """Returns the masks of what the method presses towards zero.

        Args:
            values: List of tensors, the kernels.
            states: As for `final_masks`.
            step: Integer, the last step that was made.
        """
        if step >= self.end:
            return [zeros.is_pruned(value) for value in values]
        _, sparsity = self.schedule(max(step, self.begin))
        masks = self._choose(values, sparsity, 0, exact=True)
        return self._pruned(masks, states)

    def lacking(self, values):
        """Says which kernel has not its zeros of after the pruning stage.

        Args:
            values: List of tensors, the kernels.

        Returns:
            None if all have, else a clause.
        """
        masks = self._choose(values, self._final_sparsity, 0, exact=True)
        for kernel, value, mask in zip(self.kernels, values, masks):
            found = int(ops.count_nonzero(zeros.is_pruned(value)))
            count = int(ops.count_nonzero(mask))
            if found < count:
                return f"'{kernel.path}' holds {found} zeros instead of {count}"
        return None

    def describe(self):
        """Returns what a resumed training must have in common, as strings."""
        kernels = [
            # Without the numbers that Keras gives to layers without a name.
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

    def _pruned(self, masks, states):
        if states is None:
            return masks
        return [
            self.method.pruned(mask, state)
            for mask, state in zip(masks, states, strict=True)
        ]

    def _choose(self, values, sparsity, step, exact):
        scores = self._scores(values)
        progress = 1.0
        if not isinstance(sparsity, float) or sparsity < self._final_sparsity:
            progress = sparsity / max(self._final_sparsity, 1e-12)
        counts = self.distribution.pruned_counts(
            self.kernels, scores, sparsity, progress
        )
        return self.pattern.unimportant(
            self.kernels, scores, counts, step, exact
        )

    def _scores(self, values):
        return [
            self.method.importance(value, kernel)
            for value, kernel in zip(values, self.kernels, strict=True)
        ]


def final_sparsity(schedule) -> float:
    """Returns the sparsity at the end of a schedule."""
    _, sparsity = schedule(schedule.end_step)
    if not isinstance(sparsity, float):
        # The decimal number that was meant, not its float32 neighbour:
        # 0.8 of 1000 weights are 800, and not 801.
        sparsity = float(str(np.float32(sparsity)))
    return sparsity


def _describe(part):
    """Names a part and its settings, the same in every process."""
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
