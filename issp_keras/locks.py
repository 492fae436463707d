"""Folders that one process at a time works in."""

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator

from issp_keras.errors import InputError
from issp_keras.errors import blame


class FolderLock:
    """What one process at a time can hold of a folder.

    The system takes it back when the process ends, however it does.

    Args:
        folder: Path of a folder that exists. The file `.lock` is made in it.
    """

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._file = None

    def acquire(self, wait: bool = False) -> bool:
        """Takes the lock; returns whether this process has it now.

        Args:
            wait: Whether to wait while another process has it. Defaults to
                `False`.

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
            # It stays open.
            stack.pop_all()
        self._file = file
        return True

    def release(self):
        """Gives the lock back."""
        self._file.close()
        self._file = None


@contextlib.contextmanager
def one_at_a_time(folder) -> Iterator[None]:
    """Waits until no other process is in such a block for this folder."""
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
            f"{folder}: another process is at work in this folder; expected "
            "another folder, or this one when that process has ended."
        )
    try:
        yield
    finally:
        lock.release()
