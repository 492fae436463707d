"""The figures of a list of times."""

import dataclasses
import math
import statistics


@dataclasses.dataclass(frozen=True)
class Timing:
    """The time and the memory of inferences.

    Attributes:
        init_ms: Float, milliseconds to load the file and to plan for images
            of the size.
        first_ms: Float, the first inference. The other figures do not count it.
        mean_ms: Float, mean of all other inferences.
        std_ms: Float, their standard deviation.
        min_ms: Float.
        max_ms: Float.
        p50_ms: Float, the median; None if a tool does not print it.
        p90_ms: Float, the 90th percentile, or None.
        p95_ms: Float, the 95th percentile, or None.
        cpu_ms: Float, median of the CPU time of the thread, or of all threads
            of the process if there are several; None if unknown.
        runs: Integer, the number of inferences that are counted.
        seconds: Float, their total time.
        memory_bytes: Integer, growth of the memory of the process from before
            the file was loaded to after the first inference, or None.
        peak_bytes: Integer, the peak memory of the process, or None.
    """

    init_ms: float
    first_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    max_ms: float
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    cpu_ms: float | None
    runs: int
    seconds: float
    memory_bytes: int | None = None
    peak_bytes: int | None = None

    def latency(self, percent: int = 50) -> float:
        """The median or another percentile.

        If a tool does not print the percentile, it is the mean.

        Args:
            percent: Integer, 50, 90 or 95. Defaults to `50`.
        """
        found = {50: self.p50_ms, 90: self.p90_ms, 95: self.p95_ms}[percent]
        return self.mean_ms if found is None else found


def summarize(wall_ms: list[float], cpu_ms: list[float], **loading) -> Timing:
    """Computes a `Timing` from the milliseconds of each inference.

    Args:
        wall_ms: List of floats, at least one.
        cpu_ms: List of floats.
        **loading: `init_ms` and `first_ms`.
    """
    return Timing(
        mean_ms=statistics.fmean(wall_ms),
        std_ms=statistics.stdev(wall_ms) if len(wall_ms) > 1 else 0.0,
        min_ms=min(wall_ms),
        max_ms=max(wall_ms),
        p50_ms=statistics.median(wall_ms),
        p90_ms=percentile(wall_ms, 90),
        p95_ms=percentile(wall_ms, 95),
        cpu_ms=statistics.median(cpu_ms),
        runs=len(wall_ms),
        seconds=sum(wall_ms) / 1000,
        **loading,
    )


def percentile(values: list[float], percent: float) -> float:
    """The least value that `percent` of all do not exceed.

    It is one of the values (the nearest rank, as MLPerf counts).
    """
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]
