"""Timing `.tflite` files on an Android device."""

import dataclasses
import re
import time
from collections.abc import Callable

from issp_keras.errors import ArgumentError
from issp_keras.errors import InputError
from issp_keras.inference import TFLiteInterpreter
from issp_keras.inference import load_network
from issp_keras.tflite.benchmarking import benchmark_model as tool
from issp_keras.tflite.benchmarking.adb import Device
from issp_keras.tflite.benchmarking.adb import DeviceError
from issp_keras.tflite.benchmarking.latency import check_size
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.rows import Entry

# The names of the files on the device.
_PROGRAM = "benchmark_model"
_LIBRARY = "delegate.so"
_GRAPH = "model.tflite"
# Messages of the tool or the device's shell, by the file that is at fault.
_OF_DELEGATE = r"dlopen failed|[Ff]ailed to load library"
_OF_PROGRAM = (
    "not executable|Exec format|CANNOT LINK"
    f"|{_PROGRAM}: .*(not found|No such file)"
)


class PhoneContest:
    """Files timed on an Android device, one after the other.

    Args:
        device: `Device`.
        paths: Paths of the files.
        protocol: `Protocol`.
        benchmark_model: Path of TFLite's tool of that name, built for the
            device.
        android_delegate: Path of a delegate library for the device, or None.
        threads: Integer. Defaults to `1`.
        cool_down: Float, seconds before each run. Defaults to `10`.

    Attributes:
        scale: Integer, the magnification of all.
        notes: List of sentences about how the files were timed, and about
            files of which the delegate takes no part.

    Raises:
        InputError: If the files cannot be compared.
    """

    def __init__(
        self,
        device: Device,
        paths: list,
        protocol: Protocol,
        benchmark_model,
        android_delegate=None,
        threads=1,
        cool_down=10.0,
    ):
        self._device = device
        self._runs = [
            (path, of)
            for path in paths
            for of in dict.fromkeys((None, android_delegate))
        ]
        self._protocol = protocol
        self._program = benchmark_model
        self._delegate = android_delegate
        self._threads = threads
        self._cool_down = cool_down
        self._mask = device.mask(threads)
        for path in paths:
            check_size(path, TFLiteInterpreter(path).size, *protocol.size)
        self.scale = protocol.common_scale(
            [(path, load_network(path, threads).scale) for path in paths]
        )
        cores = f"cores {self._mask}" if self._mask else "any cores"
        self.notes = [
            "The files ran on the device one after the other, not in turns, "
            f"{cool_down:g} s apart, on {cores} (`taskset`). The profile and "
            "the peak memory come from a separate run. `benchmark_model` does "
            "not print the 90th percentile. Delegated nodes are those of "
            "XNNPACK if there is no other delegate. Quality was measured on "
            "this host."
        ]

    def measure(
        self, progress: Callable[[float], None] = lambda done: None
    ) -> list[Entry]:
        """Times them.

        Args:
            progress: Callable that receives the share that is done.

        Returns:
            List of `Entry`: one for each file, and one with the delegate. If
            the delegate takes nothing, there is a note instead.

        Raises:
            InputError: If the device cannot run them.
        """
        entries = []
        device = self._device
        with device.folder() as folder:
            device.push(self._program, f"{folder}/{_PROGRAM}")
            device.shell(f"chmod +x {folder}/{_PROGRAM}")
            if self._delegate:
                device.push(self._delegate, f"{folder}/{_LIBRARY}")
            for i, (path, delegate) in enumerate(self._runs):
                time.sleep(self._cool_down)
                entry = self._measure(folder, path, delegate)
                if entry:
                    entries.append(entry)
                else:
                    self.notes.append(f"The delegate takes no part of {path}.")
                progress((i + 1) / len(self._runs))
        return entries

    def _measure(self, folder, path, delegate):
        """An `Entry`, or None if the delegate takes nothing."""
        graph, table = f"{folder}/{_GRAPH}", f"{folder}/profile.csv"
        self._device.push(path, graph)
        timing, text = self._run(folder, path, delegate)
        if delegate and tool.takes_nothing(text):
            return None
        _, text = self._run(folder, path, delegate, table)
        try:
            profile = self._device.read(table)
        except DeviceError:
            # Old versions of the tool do not write one.
            profile = ""
        timing = dataclasses.replace(timing, peak_bytes=tool.peak_bytes(text))
        about = tool.parse_delegation(text, profile)
        return Entry(path, delegate, timing, about, is_here=False)

    def _run(self, folder, path, delegate, profile=None):
        line = tool.command(
            f"{folder}/{_PROGRAM}",
            f"{folder}/{_GRAPH}",
            self._protocol,
            self._threads,
            self._mask,
            f"{folder}/{_LIBRARY}" if delegate else None,
            profile,
        )
        try:
            text = self._device.shell(line, tool.seconds_for(self._protocol))
        except DeviceError as error:
            self._blame(path, str(error))
        timing = tool.parse(text)
        if not timing:
            self._blame(path, text)
        return timing, text

    def _blame(self, path, text):
        """Says in one sentence which file is at fault, and why."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]

        def said(pattern):
            found = [line for line in lines if re.search(pattern, line)]
            return found[0].rstrip(".") if found else None

        if line := said(_OF_DELEGATE):
            raise ArgumentError(
                "android_delegate",
                f"{self._delegate}: cannot be loaded on the device, expected "
                f"a build for its processor: {line}.",
            )
        if line := said(_OF_PROGRAM):
            raise ArgumentError(
                "benchmark_model",
                f"{self._program}: does not start on the device, expected a "
                f"build for its processor: {line}.",
            )
        if line := said(r"ERROR|rror:"):
            raise InputError(f"{path}: cannot be run on the device: {line}.")
        raise InputError(
            f"{path}: expected timings of {_PROGRAM} on the device. Received: "
            f"{lines[-1] if lines else 'nothing'}"
        )
