"""Locks for folders that only one process may use at a time."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

from issp_keras.errors import InputError
from issp_keras.errors import blame


class FolderLock:
    """The lock of a folder, which one process at a time can hold.

    The system releases the lock when the process ends, also after a crash.

    Args:
        folder: Path of an existing folder. The lock is its file `.lock`.
    """

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._file = None

    def acquire(self, wait: bool = False) -> bool:
        """Takes the lock, and returns whether this process has it now.

        Args:
            wait: Boolean, whether to wait while another process has it.
                Defaults to `False`.

        Raises:
            InputError: If the folder cannot be locked.
        """
        what = f"{self._folder}: cannot be locked"
        with contextlib.ExitStack() as stack, blame(what, OSError):
            file = stack.enter_context((self._folder / ".lock").open("w"))
            at_once = 0 if wait else fcntl.LOCK_NB
            try:
                fcntl.flock(file, fcntl.LOCK_EX | at_once)
            except BlockingIOError:
                return False
            # The file stays open.
            stack.pop_all()
        self._file = file
        return True

    def release(self):
        """Releases the lock."""
        self._file.close()
        self._file = None


@contextlib.contextmanager
def one_at_a_time(folder) -> Iterator[None]:
    """Waits until no other process runs such a block for this folder."""
    lock = FolderLock(folder)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def alone_in(folder) -> Iterator[None]:
    """Keeps other processes out of a folder.

    Raises:
        InputError: If another process has it.
    """
    lock = FolderLock(folder)
    if not lock.acquire():
        raise InputError(
            f"{folder}: another process uses this folder; use another folder, "
            "or wait until that process has ended."
        )
    try:
        yield
    finally:
        lock.release()
