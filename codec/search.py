"""Search for the operating point: the coarsest that keeps a promise, measured on what libjpeg decodes.

PSNR-HVS-M is an 8×8 DCT measure and could be read off the coefficients. But a decoder rounds to whole grey levels and
clips to 0..255, which at quality 75 moves it by 1 to 2 dB, and not alike for two encoders; so each step decodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import assemble, reference, weights
from codec.hvsm import block_errors
from codec.point import Point, costs, first_levels
from codec.transform import luma_plane

if TYPE_CHECKING:
    from codec.sample import Sample

COARSEST: Final = 10**0.5
"""How much coarser than inside the region the steps of the floor outside are at strength 1: 2.0 at the default."""

_START: Final = 1.0
"""First scale tried, over libjpeg's at the same quality: where the search ends on most pictures."""
_CLOSE: Final = 0.97
"""A share of the error allowed that is close enough to it: 0.13 dB, about 0.5 % of the bytes."""
_STEPS: Final = 8
"""Most steps of a search for one scale; 3 to 4 are usual."""
_ADJACENT: Final = 1.015
"""Ratio of two scales between which no other is tried: most table entries then round alike."""
_LARGEST_THRIFT: Final = 8.0
_THRIFT_STEPS: Final = 4
"""Most factor on λ, and most steps to find it."""
_RELIEF: Final = 1.3
"""Power of the weights outside the region that takes away a power of the error there, and a little more."""
_ROUNDS: Final = 4
"""Most attempts to lift what lies outside of the region above its floor."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured at an operating point.

    size_bytes: of the sample, as a baseline file.
    inside, outside: visible error in the region of interest and elsewhere, in squared grey levels.
    """

    point: Point
    size_bytes: int
    inside: float
    outside: float

    @property
    def scale(self) -> float:
        """Scale of the quantisation tables."""
        return self.point.scale


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest visible errors allowed in the region of interest and elsewhere, in squared grey levels."""

    inside: float
    outside: float

    def share(self, trial: Trial) -> float:
        """Return how much of what is allowed a trial uses; up to 1 it is within the limits."""
        pairs = ((trial.inside, self.inside), (trial.outside, self.outside))
        return max(error / limit if limit > 0 else (np.inf if error > 0 else 0.0) for error, limit in pairs)


def _visible_errors(sample: Sample, jpeg: bytes) -> tuple[float, float]:
    """Mean visible error of a JPEG of the sample in the region of interest and elsewhere."""
    copy = luma_plane(reference.luma(reference.decode(jpeg))).coefficients
    masked = block_errors(sample.luma, copy)[1]
    outside = masked[sample.rest].mean(dtype=np.float64) if sample.rest.any() else 0
    return float(masked[sample.region].mean(dtype=np.float64)), float(outside)


class _Search:
    """Tries operating points on a sample; the symbols' costs come from the point tried before."""

    def __init__(self, sample: Sample, scale: float) -> None:
        self._sample = sample
        self._times = [sample.times_of(part.number) for part in sample.components]
        self._bits = costs(first_levels(sample.components, scale), self._times)

    def attempt(self, scale: float, contrast: float, thrift: float = 1.0) -> Trial:
        """Quantise the sample at a point, write it, decode it and measure it."""
        sample = self._sample
        point = Point(scale, thrift, contrast, self._bits)
        levels = point.levels(sample.components)
        jpeg = assemble.baseline(sample.pixels.shape[:2], sample.planes, point.tables(), levels)
        self._bits = costs(levels, self._times)
        return Trial(point, len(jpeg), *_visible_errors(sample, jpeg))

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
        return good and self.thriftiest(limits, good)

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


def libjpeg_scale(quality: int) -> float:
    """Return what libjpeg multiplies Annex K's steps with at a quality of 1 to 100; for its 0 at 100 it is 0.01."""
    return (50 / quality) if quality < 50 else max(2 - quality / 50, 0.01)  # noqa: PLR2004  the formula's own corner


def floor_quality(quality: int, strength: float) -> int:
    """Return libjpeg's quality of the floor outside the region: steps `COARSEST^strength` times as coarse."""
    scale = libjpeg_scale(quality) * COARSEST**strength
    return max(1, int(50 / scale if scale > 1 else 100 - 50 * scale))


def at_quality(sample: Sample, quality: int, strength: float) -> tuple[Trial | None, float]:
    """Find the point that is as good as libjpeg inside the region, and outside as good as at its `floor_quality`.

    Returns what was measured there and libjpeg's own error inside the region. There is no point where libjpeg's own
    file is the smaller one.
    """
    plain = reference.libjpeg(sample.pixels, quality, optimize=True)
    inside, _ = _visible_errors(sample, plain)
    _, outside = _visible_errors(sample, reference.libjpeg(sample.pixels, floor_quality(quality, strength)))
    scale = _START * libjpeg_scale(quality)
    contrast = 1.0
    search = _Search(sample, scale)
    for left in range(_ROUNDS, 0, -1):
        # Weights that are all alike are as far as the contrast goes; from there on only finer tables help the rest.
        contrast = contrast if left > 1 else 0.0
        trial = search.coarsest(Limits(inside, np.inf if contrast else outside), scale, contrast)
        if trial is None or trial.size_bytes > len(plain):
            break
        if trial.outside <= outside:
            return trial, inside
        excess = np.log(trial.outside / outside) if outside > 0 else np.inf
        contrast = max(contrast - _RELIEF * float(excess / (-np.log(weights.FLOOR) * strength)), 0.0)
        scale = trial.scale
    return None, inside
