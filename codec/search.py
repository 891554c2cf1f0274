"""Search for the coarsest operating point that keeps a promise on quality."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import weights
from codec.libjpeg import floor_quality, libjpeg_levels, libjpeg_tables
from codec.point import Point, costs, first_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.sample import Errors, Sample
    from codec.tuning import Tuning

_CLOSE: Final = 0.975
"""A share of the error allowed that is close enough to it: 0.11 dB, about 0.4 % of the bytes."""
_STEPS: Final = 8
"""Most steps of a search for one scale; 3 to 4 are usual."""
_ADJACENT: Final = 1.015
"""Ratio of two scales between which no other is tried: most table entries then round alike."""
_LARGEST_THRIFT: Final = 8.0
_THRIFT_STEPS: Final = 4
"""Most factor on λ, and most steps to find it."""
_RELIEF: Final = 0.85
"""Power of the weights outside the region that is first tried against a power of the error there."""
_BELOW: Final = 0.97
"""Share of the error allowed there that a third attempt, and any later one, is to reach."""
_ROOM: Final = 0.93
"""Share of it from which on no higher contrast is looked for."""
_ROUNDS: Final = 6
"""Most attempts to lift what lies outside of the region above its floor."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured at an operating point.

    bits: of the AC symbols in a baseline file of the sample, each MCU counted as often as it stands for.
    """

    point: Point
    bits: float
    errors: Errors

    @property
    def scale(self) -> float:
        """Scale of the quantisation tables."""
        return self.point.scale


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest errors allowed in the region of interest and elsewhere, and in which of `outcome.MEASURES`."""

    inside: float
    outside: float
    measure: int

    def share(self, trial: Trial) -> float:
        """Return how much of what is allowed a trial uses; up to 1 it is within the limits."""
        errors = trial.errors
        pairs = ((errors.inside[self.measure], self.inside), (errors.outside[self.measure], self.outside))
        return max(float(error / limit) if limit > 0 else (np.inf if error > 0 else 0.0) for error, limit in pairs)


class Search:
    """Tries operating points on a sample; the symbols' costs come from the point tried before."""

    def __init__(
        self, sample: Sample, tuning: Tuning, scale: float, bits: tuple[NDArray[np.float32], ...] | None = None
    ) -> None:
        """Prepare.

        Args:
            sample: What is looked at.
            tuning: The constants of the aim.
            scale: About that of the first attempt.
            bits: What the symbols cost in the first attempt; None takes it from the nearest levels.
        """
        self._sample = sample
        self._tuning = tuning
        self._times = [sample.times_of(part.number) for part in sample.components]
        self._bits = bits or costs(first_levels(tuning, sample.components, scale), self._times)[0]

    def attempt(self, scale: float, contrast: float, thrift: float = 1.0) -> Trial:
        """Quantise the sample at a point and measure what a decoder would show."""
        point = Point(self._tuning, scale, thrift, contrast, self._bits)
        levels = point.levels(self._sample.components)
        self._bits, bits = costs(levels, self._times)
        return Trial(point, bits, self._sample.errors(levels, point.tables()))

    def coarsest(self, limits: Limits, scale: float, contrast: float) -> Trial | None:
        """Find the largest scale within limits, starting from a guess.

        Error is about a power of the scale, but not monotonic: table entries are whole numbers.
        """
        good: Trial | None = None
        bad: Trial | None = None
        stride = 1.02
        for _ in range(_STEPS):
            trial = self.attempt(scale, contrast)
            share = limits.share(trial)
            if share > 1:
                bad = trial if bad is None or scale < bad.scale else bad
            else:
                good = trial if good is None or scale > good.scale else good
                if share >= _CLOSE:
                    break
            if good and bad:
                if bad.scale / good.scale < _ADJACENT:
                    break
                scale = _between(good, bad, limits)
            else:
                ratio = float(np.clip(share**-0.5, 0.5, 1.5)) if share > 0 else 1.5
                scale *= min(ratio, 1 / stride) if bad else max(ratio, stride)
                stride **= 2
        return good

    def thriftiest(self, limits: Limits, good: Trial) -> Trial:
        """Raise λ at the tables of a point as far as the limits allow.

        Where the next coarser tables are too coarse by far, as with a source that was a JPEG, this fills the gap.
        """
        low, high = 1.0, _LARGEST_THRIFT
        for _ in range(_THRIFT_STEPS):
            share = limits.share(good)
            if share >= _CLOSE or share <= 0:
                break
            # The error grows with at most the square root of λ.
            thrift = min(low / share**2, float(np.sqrt(low * high)))
            trial = self.attempt(good.scale, good.point.contrast, thrift)
            if limits.share(trial) > 1:
                high = thrift
            else:
                low, good = thrift, trial
        return good


def _between(good: Trial, bad: Trial, limits: Limits) -> float:
    """Scale between two points where a power law through both reaches the middle of what is close enough."""
    low, high = limits.share(good), limits.share(bad)
    part = 0.5
    if 0 < low < high < np.inf:
        part = float(np.clip(np.log((1 + _CLOSE) / 2 / low) / np.log(high / low), 0.2, 0.8))
    return float(good.scale * (bad.scale / good.scale) ** part)


@dataclass(frozen=True, slots=True)
class Plain:
    """What libjpeg's own levels make of a sample at a quality: errors, and bits as in `Trial`."""

    bits: float
    errors: Errors


def plain(sample: Sample, quality: int) -> Plain:
    """Measure what libjpeg would do at a quality of 1 to 100."""
    levels = libjpeg_levels(sample.components, quality)
    _, bits = costs(levels, [sample.times_of(part.number) for part in sample.components])
    return Plain(bits, sample.errors(levels, libjpeg_tables(quality)))


@dataclass(frozen=True, slots=True)
class Bar:
    """What a file is held against on a sample.

    own: what libjpeg's own levels make of it at the quality asked for.
    outside: errors of libjpeg's at the `floor_quality` outside of the region, infinite where there is no outside.
    """

    own: Plain
    outside: float


def bar(sample: Sample, tuning: Tuning, quality: int, strength: float) -> Bar:
    """Measure what a file at a quality of 1 to 100 is held against."""
    outside = np.inf
    if sample.rest.any():
        outside = float(plain(sample, floor_quality(quality, strength)).errors.outside[tuning.promise])
    return Bar(plain(sample, quality), outside)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a search for a quality starts.

    scale, contrast, bits: of the first attempt; as in `Point`, but bits may be None.
    inside, outside: what to multiply the errors with that libjpeg's levels allow in the region and elsewhere.
    """

    scale: float
    inside: float = 1.0
    outside: float = 1.0
    contrast: float = 1.0
    bits: tuple[NDArray[np.float32], ...] | None = None


def at_quality(sample: Sample, tuning: Tuning, held: Bar, strength: float, start: Start) -> Trial | None:
    """Find the point that is as good as libjpeg inside the region, and outside as good as at its `floor_quality`.

    Returns what was measured there; None where libjpeg's own levels take fewer bits than any such point.
    """
    measure = tuning.promise
    inside, outside = start.inside * float(held.own.errors.inside[measure]), start.outside * held.outside
    search = Search(sample, tuning, start.scale, start.bits)
    best = _balanced(search, Limits(inside, outside, measure), start, strength, held.own.bits)
    return best and search.thriftiest(Limits(inside, outside, measure), best)


def _balanced(search: Search, limits: Limits, start: Start, strength: float, most_bits: float) -> Trial | None:
    """Find the contrast at which what lies outside of the region just stays above its floor.

    Where the error there goes with a power of the contrast, two points tell which; the first is a guess.
    """
    only_inside = replace(limits, outside=np.inf)
    scale, contrast = start.scale, start.contrast
    relief = _RELIEF / (-np.log(weights.FLOOR) * strength) if strength > 0 else 0.0
    before: tuple[float, float] | None = None
    best: Trial | None = None
    for left in range(_ROUNDS, 0, -1):
        # Weights that are all alike are as far as the contrast goes; from there on only finer tables help the rest.
        contrast = contrast if left > 1 or best else 0.0
        trial = search.coarsest(only_inside if contrast else limits, scale, contrast)
        if trial is None or trial.bits > most_bits:
            break
        found = float(trial.errors.outside[limits.measure])
        if found <= limits.outside and (best is None or trial.bits < best.bits):
            best = trial
        if found <= limits.outside and (contrast >= 1 or found >= _ROOM * limits.outside or before is not None):
            break
        excess = np.log(found / limits.outside) if limits.outside > 0 else np.inf
        if before and found != before[1] and contrast != before[0]:
            slope = (before[0] - contrast) / np.log(before[1] / found)
            relief = slope if slope > 0 else relief
        if before or found < limits.outside:
            excess -= np.log(_BELOW)
        before = contrast, found
        contrast = float(np.clip(contrast - relief * excess, 0.0, 1.0))
        scale = trial.scale
    return best
