"""Distributions of any number of values, in memory that does not grow and the same in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from semjpeg.report.summary import Histogram

_FIXED_POINT: Final = 1 << 40
"""Values are added up as whole multiples of 2⁻⁴⁰: unlike sums of floats, these do not depend on the order."""


class Total:
    """A sum of numbers, exact to 2⁻⁴⁰ of each."""

    __slots__ = ("_sum", "count")

    def __init__(self) -> None:
        self._sum = 0
        self.count = 0

    def add(self, value: float) -> None:
        """Add a finite number."""
        self._sum += round(value * _FIXED_POINT)
        self.count += 1

    @property
    def value(self) -> float:
        """The sum."""
        return self._sum / _FIXED_POINT

    @property
    def mean(self) -> float:
        """The mean of one number or more."""
        return self._sum / (self.count * _FIXED_POINT)


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a histogram begins and ends, and in how many steps."""

    low: float
    high: float
    steps: int


_DECIBELS: Final = Scale(20, 60, 80)
_SIMILARITY: Final = Scale(0.8, 1, 80)
"""Fine near 1, where the results of sensible recipes are."""

SAVING: Final = Scale(-1, 1, 100)
SCALES: Final = {
    "psnr": _DECIBELS,
    "psnr_s": _DECIBELS,
    "psnr_hvs": _DECIBELS,
    "psnr_hvs_m": _DECIBELS,
    "ssim": _SIMILARITY,
    "ms_ssim": _SIMILARITY,
    "vifp": Scale(0, 1, 50),
    "ssimulacra2": Scale(0, 100, 50),
}
"""Of each measure, by its column's name."""


class Distribution:
    """Values as they come, counted into a histogram."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._per_unit = scale.steps / (scale.high - scale.low)
        self._counts = [0] * scale.steps
        self._total = Total()
        self._least = float("inf")
        self._most = float("-inf")

    def add(self, value: float) -> None:
        """Count a finite value."""
        scale = self._scale
        if value >= scale.high:
            step = scale.steps - 1
        else:
            step = min(int((value - scale.low) * self._per_unit), scale.steps - 1) if value > scale.low else 0
        self._counts[step] += 1
        self._total.add(value)
        self._least = min(self._least, value)
        self._most = max(self._most, value)

    def histogram(self) -> Histogram | None:
        """Return the histogram; None without values."""
        if not self._total.count:
            return None
        return Histogram(
            low=self._scale.low,
            high=self._scale.high,
            counts=tuple(self._counts),
            least=self._least,
            most=self._most,
            mean=self._total.mean,
        )
