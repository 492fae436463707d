"""The base class of pruning methods, and the data that they receive."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from keras import ops

from issp_keras.reprs import Readable
from issp_keras.sparsity.kernel_facts import Kernel


class Clock(NamedTuple):
    """The position of a step in the pruning stage.

    Args:
        age: Scalar integer tensor, optimizer steps since the stage began.
        length: Integer, optimizer steps of the whole stage.
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
    """The change of a kernel by one optimizer step.

    Args:
        kernel: `Kernel`, the facts about it.
        before: Float tensor, the weights before the optimizer's update.
        values: Float tensor, the weights after it.
        state: Tensor, the state of the method; None without `state_dtype`.
        momentum: Float tensor, the optimizer's average of the gradients (the
            first moment of Adam); None without `needs_momentum`.
    """

    kernel: Kernel
    before: Any
    values: Any
    state: Any
    momentum: Any


def scores_with_held(method, changes, held):
    """Returns the importance of weights, 0 for weights held at zero.

    Args:
        method: `Method`.
        changes: List of `Change`, one for each kernel.
        held: List of boolean tensors, true for weights that stay zero.
    """
    return [
        ops.where(h, 0.0, method.importance(c.values, c.kernel))
        for h, c in zip(held, changes, strict=True)
    ]


def masks_with_held(choice, scores, held):
    """Returns masks of the least important weights and all held weights.

    A sampled threshold can equal the score of the held weights. The choice
    then does not contain them.

    Args:
        choice: `Choice`.
        scores: List of tensors, the result of `scores_with_held`.
        held: List of boolean tensors, true for weights that stay zero.
    """
    return list(map(ops.logical_or, choice(scores), held))


class Method(Readable):
    """Decides what happens to the unimportant weights during pruning.

    It does not decide when weights are chosen, how many, or in which pattern.
    A method runs inside the compiled train step, so it must only use
    `keras.ops`. Most methods override one of these functions:

    - `update` changes a kernel after each optimizer update. It sees the
      weights of this kernel only.
    - `advance` also changes the kernels after each optimizer update. It sees
      everything about the update. It can choose weights by other scores, and
      renew the state.
    - `gradient` changes the gradient before the update. The state stores data
      between steps. It is one array of `state_dtype` for each kernel. It
      starts with zeros, and `refresh` renews it whenever `refreshes` is true.
    - `importance` ranks the weights. The default is their magnitude.
    - `resets_momentum` chooses steps that begin without momentum.

    Attributes:
        one_shot: Boolean. If true, the mask is chosen once, from the weights
            at the schedule's `begin_step`, and there is no pruning stage.
        redraw_seed: Integer or None. If it is an integer, the weights of the
            pruned layers are initialised again after the mask is chosen.
        state_dtype: String or None, the dtype of the state.
        holds_final_mask: Boolean. If true, `refresh` gets the masks of the
            end of the stage, with exactly the final number of zeros. The
            schedule and the selection at that step do not matter. This is for
            methods whose `pruned` returns the mask that the state holds.
        needs_momentum: Boolean, whether `advance` needs the optimizer's
            average of the gradients.
    """

    one_shot = False
    redraw_seed: int | None = None
    state_dtype: str | None = None
    holds_final_mask = False
    needs_momentum = False

    def check(self, kernels: Sequence[Kernel]) -> None:
        """Raises a ValueError if the method cannot prune these kernels.

        Args:
            kernels: List of `Kernel`.
        """

    def importance(self, values: Any, kernel: Kernel) -> Any:
        """Returns the importance of each weight; the smallest are pruned first.

        Args:
            values: Float tensor, the weights.
            kernel: `Kernel`, the facts about them.

        Returns:
            Tensor of non-negative floats of the kernel's shape.
        """
        return ops.abs(values)

    def update(self, values: Any, unimportant: Any, clock: Clock) -> Any:
        """Returns the new weights of a kernel after an optimizer update.

        Args:
            values: Float tensor, the weights.
            unimportant: Boolean tensor of the same shape.
            clock: `Clock`, the position of this step in the pruning stage.
        """
        return values

    def advance(self, choice: Any, changes: Any, clock: Clock) -> Any:
        """Returns the new weights and states after an optimizer update.

        Args:
            choice: `Choice`, a callable. It takes a list of scores, one
                tensor for each kernel, and returns the masks of the least
                important weights. Schedule, distribution and pattern give
                their number.
            changes: List of `Change`, one for each kernel.
            clock: `Clock`, the position of this step in the pruning stage.

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
        """Returns the values that `importance` ranks outside of `advance`.

        Args:
            values: Float tensor, the weights.
            state: Tensor of the state, or None.
        """
        return values

    def resets_momentum(self, clock: Clock) -> Any:
        """Returns whether to set the momentum to zero before this step.

        The optimizer then forgets its averages of the gradients (the first
        moments of Adam), for all weights of the model.

        Args:
            clock: `Clock`, the position of this step in the pruning stage.
        """
        return False

    def refreshes(self, clock: Clock) -> Any:
        """Returns whether to renew the state before this step.

        Args:
            clock: `Clock`, the position of this step in the pruning stage.
        """
        return False

    def refresh(self, state: Any, unimportant: Any) -> Any:
        """Returns the new state of a kernel, in any dtype.

        Args:
            state: Tensor of the kernel's shape and `state_dtype`.
            unimportant: Boolean tensor of the same shape, the mask of this
                step. With `holds_final_mask`, it is the mask of the end of
                the stage.
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
            clock: `Clock`, the position of this step in the pruning stage.
        """
        return gradient

    def pruned(self, unimportant: Any, state: Any) -> Any:
        """Returns the mask of the weights that become zero at the stage's end.

        Args:
            unimportant: Boolean tensor, the least important weights at the
                end.
            state: Tensor of the state, or None without `state_dtype`.
        """
        return unimportant
