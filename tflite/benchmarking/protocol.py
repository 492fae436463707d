"""The image size and the number of runs of a benchmark."""

import dataclasses

from issp_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The image size and the number of runs of a benchmark.

    Attributes:
        height: Integer, height of the low-resolution (LR) image in pixels.
        width: Integer, its width.
        rounds: Integer, the least number of runs.
        seconds: Float, the least total time of all runs.
        scale: Integer, the only magnification, or None for any.
        name: String, the name of a published protocol, or None.
        percent: Integer, the percentile of the times that is the latency.
    """

    height: int = 128
    width: int = 128
    rounds: int = 20
    seconds: float = 0.0
    scale: int | None = None
    name: str | None = None
    percent: int = 50

    @property
    def size(self) -> tuple[int, int]:
        """The height and width of the LR image."""
        return self.height, self.width

    def common_scale(self, scales: list[tuple]) -> int:
        """Checks that files can be compared by this protocol.

        Args:
            scales: List of paths and their magnifications.

        Returns:
            Integer, the magnification of all files.

        Raises:
            InputError: If they differ, or the protocol needs another one.
        """
        (first, expected), *_ = scales
        for path, scale in scales:
            if scale < 2:
                raise InputError(
                    f"{path}: is not a super-resolution network, because its "
                    "output is not a larger image."
                )
            if scale != expected:
                raise InputError(
                    f"{path}: magnifies {scale} times, expected {expected} "
                    f"like {first}."
                )
        if self.scale not in (None, expected):
            raise InputError(
                f"{first}: magnifies {expected} times, expected {self.scale} "
                f"for the protocol {self.name}."
            )
        return expected


# MLPerf Mobile's super-resolution (since v3.0) in the scenario SingleStream:
# one image after another, at least 1,024 images and 60 seconds. The result is
# the 90th percentile of the latency.
PROTOCOLS = {
    "mlperf-mobile": Protocol(540, 960, 1024, 60.0, 2, "mlperf-mobile", 90)
}
