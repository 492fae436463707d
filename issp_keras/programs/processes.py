"""Training of one model in several processes."""

import contextlib
import dataclasses
import io
import os
import re
import sys

import keras

from issp_keras.errors import InputError
from issp_keras.errors import blame
from issp_keras.programs import interrupts

# What the errors of JAX name if another process has ended. Their types differ.
_CONNECTIONS = re.compile("gloo|nccl|coordination", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Processes:
    """The processes that train together.

    Args:
        count: Integer, the number of processes. Defaults to `1`.
        index: Integer in [0, count), the number of this process. Defaults to
            `0`.
    """

    count: int = 1
    index: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.index == 0

    @classmethod
    def connect(cls, count, coordinator, index):
        """Connects to the other processes, before anything is computed.

        Args:
            count: Integer, the number of processes.
            coordinator: String, HOST:PORT of process 0.
            index: Integer, the number of this process.

        Raises:
            InputError: If a flag or the backend is not usable.
        """
        if count == 1:
            return cls()
        if index >= count:
            raise InputError(
                f"--process_id: is {index}, expected less than "
                f"--processes={count}."
            )
        if not re.fullmatch(r".+:[0-9]+", coordinator or ""):
            raise InputError(
                f"--coordinator: is {coordinator!r}, expected HOST:PORT."
            )
        if keras.backend.backend() != "jax":
            raise InputError(
                f"--processes: is {count}, but Keras trains in several "
                "processes only on JAX; set KERAS_BACKEND=jax."
            )
        import jax

        # This service of JAX would catch SIGTERM, and then ignore it.
        jax.config.update("jax_enable_preemption_service", False)
        with blame(f"--coordinator: {coordinator}", RuntimeError, ValueError):
            _python_stdout_alone()
            keras.distribution.initialize(coordinator, count, index)
        return cls(count, index)

    def check_batch(self, batch_size):
        """Raises an `InputError` if a batch cannot be shared evenly."""
        if batch_size % self.count:
            raise InputError(
                f"--config.data.batch_size: is {batch_size}, expected a "
                f"multiple of --processes={self.count}."
            )

    @contextlib.contextmanager
    def ending_at_once(self):
        """Ends this process with one sentence if the block fails.

        At its normal end, JAX waits for the other processes. They may have
        ended, or wait for this one.
        """
        if self.count == 1:
            yield
            return
        try:
            yield
        except InputError as error:
            reason, status = str(error), 1
        except (RuntimeError, ValueError) as error:
            if not _CONNECTIONS.search(str(error)):
                raise
            reason, status = _failed_together(error), 1
        except KeyboardInterrupt as error:
            reason, status = "", interrupts.status_of(error)
        else:
            return
        if reason:
            print(f"{interrupts.name()}: {reason}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def postponing(self):
        """Returns a context in which a signal waits until work is saved.

        Only one process alone can save after a signal. Of several, some may
        not have got it.
        """
        if self.count == 1:
            return interrupts.postponing()
        return contextlib.nullcontext()

    def sharing_data(self):
        """Returns a context that replicates models and splits batches."""
        if self.count == 1:
            return contextlib.nullcontext()
        return _distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )

    def wait(self):
        """Waits until all processes have come to the same point."""
        if self.count > 1:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices("issp_keras")

    def apart(self):
        """Returns a context in which this process computes alone."""
        if self.count == 1:
            return contextlib.nullcontext()
        return _distribution(None)


def _failed_together(error):
    reason = str(error).splitlines()[0]
    return (
        "--processes: the processes can no longer compute together "
        f"({reason}). If one of them has ended, start all of them again; "
        "they continue from the last epoch."
    )


def _python_stdout_alone():
    """Lets only Python write to stdout; Gloo tells there whom it meets."""
    sys.stdout.flush()
    alone = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    sys.stdout = io.TextIOWrapper(
        io.FileIO(alone, "w"),
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        line_buffering=True,
        write_through=True,
    )


@contextlib.contextmanager
def _distribution(distribution):
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
