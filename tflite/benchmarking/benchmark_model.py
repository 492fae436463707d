"""TFLite's own tool `benchmark_model`: its flags, and what it prints."""

import csv
import re
import shlex

from issp_keras.tflite.benchmarking.delegation import Delegation
from issp_keras.tflite.benchmarking.protocol import Protocol
from issp_keras.tflite.benchmarking.timing import Timing
from issp_keras.tflite.delegate import Layer

# The tool's default, and a limit that is high enough to end no run early.
_LEAST_SECONDS = 1.0
_MOST_SECONDS = 3600.0
_PROFILE_RUNS = 10
_XNNPACK = "TfLiteXNNPackDelegate"
_OPERATORS = "Operator-wise Profiling Info for Regular Benchmark Runs:"


def command(
    program: str,
    graph: str,
    protocol: Protocol,
    threads: int,
    mask: str | None = None,
    delegate: str | None = None,
    profile: str | None = None,
) -> str:
    """A line for the shell of the device.

    Args:
        program: String, the path of the tool there.
        graph: String, the path of the `.tflite` file.
        protocol: `Protocol`.
        threads: Integer.
        mask: String, the cores to run on, for `taskset`, or None.
        delegate: String, the path of a delegate library, or None.
        profile: String, the path of a CSV file for the time of each operator,
            or None to measure latency. Profiling slows the runs, so it needs
            a command of its own, which also prints the peak memory.
    """
    shape = f"1,{protocol.height},{protocol.width},3"
    flags = {
        "graph": graph,
        "num_threads": threads,
        # The name need not be that of the input in the file.
        "input_layer": "image",
        "input_layer_shape": shape,
        "warmup_runs": 1,
        "num_runs": protocol.rounds,
        "min_secs": max(protocol.seconds, _LEAST_SECONDS),
        "max_secs": _MOST_SECONDS,
    }
    if delegate:
        flags["external_delegate_path"] = delegate
    if profile:
        flags |= {
            "num_runs": _PROFILE_RUNS,
            "min_secs": 0,
            "enable_op_profiling": "true",
            "op_profiling_output_mode": "csv",
            "op_profiling_output_file": profile,
            "report_peak_memory_footprint": "true",
        }
    words = [program, *(f"--{key}={value}" for key, value in flags.items())]
    return shlex.join((["taskset", mask] if mask else []) + words)


def seconds_for(protocol: Protocol) -> float:
    """How long a run may take before it counts as hung."""
    return 2 * _MOST_SECONDS + protocol.seconds


def parse(text: str) -> Timing | None:
    """The figures in what the tool prints; None if there are none.

    Old versions print no percentiles. No version prints the 90th.
    """
    summary = re.search(
        r"Inference timings in us: Init: (\S+), First inference: (\S+), "
        r"Warmup \(avg\): (\S+), Inference \(avg\): (\S+)",
        text,
    )
    lines = re.findall(r"^(?:INFO: )?(count=\d.*)$", text, re.MULTILINE)
    if not summary or not lines:
        return None
    # The last line is that of the runs after the warm-up.
    found = {
        key: float(value)
        for key, value in re.findall(r"(\w+)=([-+.\deE]+|nan|inf)", lines[-1])
    }
    mean_us = float(summary[4])
    # If all times are the same, the tool prints only that time.
    same = found.get("curr", mean_us)
    return Timing(
        init_ms=float(summary[1]) / 1000,
        first_ms=float(summary[2]) / 1000,
        mean_ms=mean_us / 1000,
        std_ms=found.get("std", 0.0) / 1000,
        min_ms=found.get("min", same) / 1000,
        max_ms=found.get("max", same) / 1000,
        p50_ms=_ms(found.get("median")),
        p90_ms=None,
        p95_ms=_ms(found.get("p95")),
        cpu_ms=None,
        runs=int(found["count"]),
        seconds=found["count"] * mean_us / 1e6,
        memory_bytes=_memory(text),
    )


def parse_delegation(text: str, profile: str) -> Delegation:
    """What was delegated: to XNNPACK only if there is no other delegate.

    Args:
        text: String, what the tool prints.
        profile: String, its CSV file.
    """
    counts: dict[str, int] = {}
    for nodes, name in re.findall(
        r"Replacing (\d+) out of \d+ node\(s\) with delegate \((\S*)\)", text
    ):
        counts[name] = counts.get(name, 0) + int(nodes)
    others = [of for name, of in counts.items() if name != _XNNPACK]
    nodes = sum(others) if others else counts.get(_XNNPACK)
    return Delegation(nodes=nodes, profile=parse_profile(profile))


def takes_nothing(text: str) -> bool:
    """Whether the delegate of the command computes no node."""
    return bool(re.search(r"model graph will not be executed by", text))


def parse_profile(text: str) -> list[Layer]:
    """The operators of a CSV profile, in the order of their runs."""
    table = text.partition(_OPERATORS)[2].strip().partition("\n")[2]
    lines = table.partition("\n\n")[0].splitlines()
    return [
        Layer(name=row["name"], ms=float(row["avg_ms"]), kind=row["node type"])
        for row in csv.DictReader(lines, skipinitialspace=True)
    ]


def peak_bytes(text: str) -> int | None:
    """The highest memory of the whole process that was seen, or None."""
    return _mebibytes(r"peak memory footprint \(MB\) via.*?: (\S+)", text)


def _memory(text):
    return _mebibytes(r"footprint.*?\(MB\): init=\S+ overall=(\S+)", text)


def _mebibytes(pattern, text):
    found = re.search(pattern, text)
    return int(float(found[1]) * 2**20) if found else None


def _ms(microseconds):
    return None if microseconds is None else microseconds / 1000
