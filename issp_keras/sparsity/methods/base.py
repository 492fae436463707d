"""What a pruning method is."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.kernel_facts import Kernel


class Clock(NamedTuple):
    """Where in the pruning stage a step lies.

    Args:
        age: Scalar integer tensor, optimizer steps since the stage began.
        length: Integer, steps of the whole stage.
        rate: Scalar float tensor, the optimizer's learning rate in this step.
    """

    age: Any
    length: int
    rate: Any = 1.0

    @property
    def progress(self) -> Any:
        """Float scalar: 0 in the first step of the stage, 1 in the last."""
        return ops.cast(self.age, "float32") / max(1, self.length - 1)


class Change(NamedTuple):
    """What one optimizer step did to a kernel.

    Args:
        kernel: `Kernel`, the facts about it.
        before: Float tensor, the weights before the optimizer's update.
        values: Float tensor, the weights after it.
        state: Tensor of what the method remembers, None without
            `state_dtype`.
        momentum: Float tensor, the optimizer's average of the gradients (the
            first moment of Adam), None without `needs_momentum`.
    """

    kernel: Kernel
    before: Any
    values: Any
    state: Any
    momentum: Any


def scores_with_held(method, changes, held):
    """Returns the importance of weights, 0 where they are held at zero.

    Args:
        method: `Method`.
        changes: List of `Change`, one a kernel.
        held: List of boolean tensors, which weights stay zero.
    """
    return [
        ops.where(h, 0.0, method.importance(c.values, c.kernel))
        for h, c in zip(held, changes, strict=True)
    ]


def masks_with_held(choice, scores, held):
    """Returns the masks of the least important weights, and all that is held.

    A sampled threshold may be the score of the held weights, and spare them.

    Args:
        choice: `Choice`.
        scores: List of tensors, what `scores_with_held` returned.
        held: As for that.
    """
    return list(map(ops.logical_or, choice(scores), held))


class Method(Readable):
    """What happens to the unimportant weights of a kernel while pruning.

    A method knows nothing of when, how much, and in which pattern weights
    are chosen. All it does happens inside the compiled train step, so it may
    use `keras.ops` only. Most methods override one of these:

    - `update`: changes the kernel after each optimizer update, by its weights
      alone;
    - `advance`: the same by all that is known about the update. It may choose
      weights by other scores, and renew the state;
    - `gradient`: changes the gradient before it. What must be remembered
      from step to step is one array per kernel, of `state_dtype`, of zeros
      at first and renewed by `refresh` whenever `refreshes` says so;
    - `importance`: ranks the weights otherwise than by magnitude.

    Attributes:
        one_shot: Boolean. If true, the mask is chosen once, from the weights
            at the schedule's `begin_step`, and there is no pruning stage.
        redraw_seed: Integer or None. If an integer, the weights of the
            pruned layers are drawn anew after the mask was chosen.
        state_dtype: String or None, the dtype of the state.
        holds_final_mask: Boolean. If true, `refresh` gets the masks of the
            end of the stage, exactly as many weights as will be zero then,
            whatever the schedule and the selection say at that step: for
            methods whose `pruned` returns what the state holds.
        needs_momentum: Boolean, whether `advance` needs the optimizer's
            average of the gradients.
    """

    one_shot = False
    redraw_seed: int | None = None
    state_dtype: str | None = None
    holds_final_mask = False
    needs_momentum = False

    def check(self, kernels: Sequence[Kernel]) -> None:
        """Raises a ValueError where the method cannot prune these kernels.

        Args:
            kernels: List of `Kernel`.
        """

    def importance(self, values: Any, kernel: Kernel) -> Any:
        """Returns non-negative floats of the kernel's shape; least go first.

        Args:
            values: Float tensor, the weights.
            kernel: `Kernel`, the facts about them.
        """
        return ops.abs(values)

    def update(self, values: Any, unimportant: Any, clock: Clock) -> Any:
        """Returns the new weights of a kernel after an optimizer update.

        Args:
            values: Float tensor, the weights.
            unimportant: Boolean tensor of the same shape.
            clock: `Clock`, where in the pruning stage this step lies.
        """
        return values

    def advance(self, choice: Any, changes: Any, clock: Clock) -> Any:
        """Returns the new weights and states after an optimizer update.

        Args:
            choice: `Choice`: a callable that takes a list of scores, one
                tensor a kernel, and returns the masks of the least important
                weights, as many as schedule, distribution and pattern say.
            changes: List of `Change`, one a kernel.
            clock: `Clock`, where in the pruning stage this step lies.

        Returns:
            List of weights and list of states.
        """
        masks = choice([self.importance(c.values, c.kernel) for c in changes])
        values = [
            self.update(c.values, mask, clock)
            for c, mask in zip(changes, masks, strict=True)
        ]
        return values, [c.state for c in changes]

    def ranked(self, values: Any, state: Any) -> Any:
        """Returns what `importance` ranks outside of `advance`.

        Args:
            values: Float tensor, the weights.
            state: Tensor of the state, or None without one.
        """
        return values

    def refreshes(self, clock: Clock) -> Any:
        """Returns whether the state is renewed before this step.

        Args:
            clock: `Clock`, where in the pruning stage this step lies.
        """
        return False

    def refresh(self, state: Any, unimportant: Any) -> Any:
        """Returns the new state of a kernel, in any dtype.

        Args:
            state: Tensor of the kernel's shape and `state_dtype`.
            unimportant: Boolean tensor of the same shape, of this step, or of
                the end of the stage with `holds_final_mask`.
        """
        return state

    def gradient(
        self,
        gradient: Any,
        values: Any,
        state: Any,
        kernel: Kernel,
        clock: Clock,
    ) -> Any:
        """Returns the gradient that the optimizer gets for a kernel.

        Args:
            gradient: Float tensor, the gradient of the loss.
            values: Float tensor, the weights.
            state: Tensor of the state, or None without `state_dtype`.
            kernel: `Kernel`, the facts about them.
            clock: `Clock`, where in the pruning stage this step lies.
        """
        return gradient

    def pruned(self, unimportant: Any, state: Any) -> Any:
        """Returns the mask of what becomes zero at the end of the stage.

        Args:
            unimportant: Boolean tensor, the least important weights then.
            state: Tensor of the state, or None without `state_dtype`.
        """
        return unimportant
