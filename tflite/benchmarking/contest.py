"""Files timed against each other on this host."""

import dataclasses
import pathlib
from collections.abc import Callable

from issp_keras.inference import SPARSE
from issp_keras.inference import TFLiteInterpreter
from issp_keras.tflite import delegate as sparse_delegate
from issp_keras.tflite import probe
from issp_keras.tflite.benchmarking.delegation import profiled
from issp_keras.tflite.benchmarking.delegation import why_nothing
from issp_keras.tflite.benchmarking.latency import Contender
from issp_keras.tflite.benchmarking.latency import take_turns
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import Entry
from issp_keras.tflite.delegate.build import NAME

# The time limit for measuring the memory of one file.
_SECONDS = 600


class Contest:
    """Files timed against each other, in turns, on this host.

    Args:
        paths: Paths of the files.
        protocol: `Protocol`.
        threads: Integer. Defaults to `1`.
        delegate: `"sparse"`, the path of a delegate library, or None. With a
            delegate, each file is timed without and with it.

    Attributes:
        scale: Integer, the magnification of all.
        notes: List of sentences, one for each file of which the delegate
            takes no part. Such a file is not timed with it.

    Raises:
        InputError: If a file is not a network, or the files cannot be
            compared.
    """

    def __init__(self, paths, protocol: Protocol, threads=1, delegate=None):
        self._protocol = protocol
        self._threads = threads
        self._contenders: list[Contender] = []
        self.notes: list[str] = []
        delegate = _known(delegate)
        if delegate not in (None, SPARSE):
            self.notes.append(f"It is unknown how many nodes {delegate} takes.")
        for of in dict.fromkeys((None, delegate)):
            # The first load in a process takes longer, so it is not timed.
            TFLiteInterpreter(paths[0], threads, of)
        for path in paths:
            for of in dict.fromkeys((None, delegate)):
                self._add(Contender(path, *protocol.size, threads, of))
        self.scale = protocol.common_scale(
            [(of.path, of.scale) for of in self._contenders]
        )

    def _add(self, contender):
        reason = contender.delegate == SPARSE and why_nothing(contender)
        if reason:
            self.notes.append(
                f"The sparse delegate takes no part of {contender.path}: "
                f"{reason}."
            )
        else:
            self._contenders.append(contender)

    def measure(
        self, progress: Callable[[float], None] = lambda done: None
    ) -> list[Entry]:
        """Times them.

        Args:
            progress: Callable that receives the share that is done.

        Returns:
            List of `Entry`. The one with the delegate follows the one of the
            same file without it.
        """
        protocol = self._protocol
        take_turns(
            self._contenders, protocol.rounds, protocol.seconds, progress
        )
        return [self._entry(contender) for contender in self._contenders]

    def _entry(self, contender):
        memory_bytes = self._growth(contender)
        return Entry(
            contender.path,
            contender.delegate,
            dataclasses.replace(contender.timing, memory_bytes=memory_bytes),
            profiled(contender, *self._protocol.size, self._threads),
        )

    def _growth(self, contender):
        """Bytes by which a separate process grows for a file, or None."""
        if probe.resident_bytes() is None:
            return None
        library = contender.delegate
        if library == SPARSE:
            library = sparse_delegate.library()
        try:
            return probe.ask(
                "growth",
                contender.path,
                *self._protocol.size,
                self._threads,
                *([library] if library else []),
                seconds=_SECONDS,
            )
        except probe.ProbeError:
            return None


def _known(delegate):
    """`SPARSE` for the library of this package, else a path or None."""
    if delegate in (None, SPARSE):
        return delegate
    path = pathlib.Path(delegate).resolve()
    # `library` may compile it, so it is only called if the name matches.
    is_ours = path.name == NAME and path == sparse_delegate.library().resolve()
    return SPARSE if is_ours else str(path)
