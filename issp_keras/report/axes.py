"""The scale of a plot along one direction."""

import dataclasses
import math

# Steps between ticks, times a power of ten.
_STEPS = (1, 2, 5)


@dataclasses.dataclass(frozen=True)
class Axis:
    """One direction of a plot.

    Attributes:
        label: String, the quantity with its unit.
        low: Float, the lower end.
        high: Float, the upper end, above `low`.
        is_log: Boolean, whether the axis is logarithmic. If it is, `low` is
            above 0.
    """

    label: str
    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Returns the position of a value, 0 for `low` and 1 for `high`."""
        low, high, value = map(self._scaled, (self.low, self.high, value))
        return (value - low) / (high - low)

    def ticks(self, count: int = 5) -> list[float]:
        """Returns about `count` round values between the ends."""
        if self.is_log:
            found = _log_ticks(self.low, self.high)
            if len(found) > 2:
                return found
        return _ticks(self.low, self.high, count)

    def _scaled(self, value):
        return math.log(value) if self.is_log else value


def axis_for(
    label: str, values: list[float], is_log: bool = False, least: float = 0.0
) -> Axis:
    """Returns an axis that fits some values.

    Args:
        label: String, the quantity with its unit.
        values: List of finite floats. They are positive if `is_log`.
        is_log: Boolean, whether the axis is logarithmic.
        least: Float, the smallest difference between the ends, so that small
            differences do not look large. A logarithmic axis ignores it.
    """
    low, high = (min(values), max(values)) if values else (1.0, 2.0)
    if is_log:
        room = max(1.15, (high / low) ** 0.12)
        return Axis(label, low / room, high * room, True)
    spread = high - low
    least = least or (0.0 if spread else abs(high) or 1.0)
    room = max(0.12 * spread, (least - spread) / 2)
    return Axis(label, low - room, high + room)


def _ticks(low, high, count):
    step = _round_up((high - low) / count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # Avoid numbers such as 0.30000000000000004.
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _round_up(step):
    power = 10.0 ** math.floor(math.log10(step))
    return next(s * power for s in (*_STEPS, 10) if s * power >= 0.999 * step)


def _log_ticks(low, high):
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [float(f"{s}e{p}") for p in powers for s in _STEPS]
    return [value for value in values if low <= value <= high]
