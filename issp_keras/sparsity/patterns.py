"""In which pattern weights may be pruned."""

from issp_keras.sparsity import selection


class Unstructured:
    """Any weights of the kernel: those of smallest magnitude."""

    def unimportant(self, kernel, count):
        """Returns a boolean mask of the `count` least important weights."""
        return selection.smallest(kernel, count)
