"""What a pruning method is."""


class Method:
    """What happens to the unimportant weights of a kernel while pruning.

    A method knows nothing of when, how much, and in which pattern weights
    are chosen: it gets a kernel just updated by the optimizer and the mask
    of its unimportant weights. `update` runs inside the compiled train
    step, so it may use `keras.ops` only.
    """

    def update(self, kernel, unimportant):
        """Returns the new value of the kernel.

        Args:
            kernel: Float tensor, the kernel after the optimizer update.
            unimportant: Boolean tensor of the same shape.
        """
        raise NotImplementedError
