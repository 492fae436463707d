"""Several processes that train one model together."""

import contextlib
import dataclasses
import re

import keras

from issp_keras.errors import InputError
from issp_keras.errors import blame


@dataclasses.dataclass(frozen=True)
class Processes:
    """How many processes train together, and which of them this is.

    Args:
        count: Integer, all processes. Defaults to `1`.
        index: Integer in [0, count). Defaults to `0`.
    """

    count: int = 1
    index: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.index == 0

    @classmethod
    def connect(cls, count, coordinator, index):
        """Meets the other processes, before anything is computed.

        Args:
            count: Integer.
            coordinator: String, HOST:PORT on which process 0 is found.
            index: Integer.

        Raises:
            InputError: If a flag or the backend is not usable.
        """
        if count == 1:
            return cls()
        if index >= count:
            raise InputError(
                f"--process_id: is {index}, expected less than the "
                f"--processes={count}."
            )
        if not re.fullmatch(r".+:[0-9]+", coordinator or ""):
            raise InputError(
                f"--coordinator: is {coordinator!r}, expected HOST:PORT."
            )
        if keras.backend.backend() != "jax":
            raise InputError(
                f"--processes: is {count}, and Keras trains in several "
                "processes on JAX only; set KERAS_BACKEND=jax."
            )
        with blame(f"--coordinator: {coordinator}", RuntimeError, ValueError):
            keras.distribution.initialize(coordinator, count, index)
        return cls(count, index)

    def check_batch(self, batch_size):
        """Raises an `InputError` if a batch cannot be shared evenly."""
        if batch_size % self.count:
            raise InputError(
                f"--config.data.batch_size: is {batch_size}, expected a "
                f"multiple of --processes={self.count}."
            )

    def sharing_data(self):
        """Returns a context in which models are replicated, batches split."""
        if self.count == 1:
            return contextlib.nullcontext()
        return _distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )

    def apart(self):
        """Returns a context in which this process computes by itself."""
        if self.count == 1:
            return contextlib.nullcontext()
        return _distribution(None)


@contextlib.contextmanager
def _distribution(distribution):
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
