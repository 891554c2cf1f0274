"""Search for the operating point that keeps a promise on quality in the fewest bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec.libjpeg import libjpeg_levels, libjpeg_tables
from codec.point import Point, costs
from codec.slopes import CONTRAST, SAVING, SCALE, THRIFT, Slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.sample import Errors, Sample
    from codec.tuning import Tuning

FINEST: Final = 0.004
COARSEST: Final = 250.0
"""Scales at which all steps are 1, and at which no AC level is worth its bits."""

_ATTEMPTS: Final = 10
"""Most attempts for one promise; 3 to 4 are usual."""
_MISSES: Final = 3
"""Attempts one after the other that are not better than the best before; then there are no more."""
_AIMED: Final = np.log([0.988, 0.97])
"""What shares of the errors allowed are aimed at, in the region of interest and elsewhere."""
_ROUGH_ATTEMPTS: Final = 4
_NEAR: Final = 0.02
"""Most further attempts of a rough search, which ends where all that is left to move changes the bits by less."""
_CAUTION: Final = 0.01
"""By how much lower shares are aimed at (their logarithms) as long as attempts fail; each time by twice as much."""
_THRIFT: Final = (np.log(0.85), np.log(1.15))
"""By what factors λ may make up for what tables of whole numbers miss. A higher λ than the aim's own takes from what
the promise does not see, so where the aim has a leeway there is none."""
_STRAY: Final = 0.03
"""How far errors stray for that reason; what is farther off asks for other tables."""
_COARSE: Final = 4
"""Moves after which the tables stay."""
_ADJACENT: Final = 1.03
_HIGHEST_THRIFT: Final = np.log(8)
"""Ratio of a scale that is too coarse to one within the limits between which no other is tried. What is left over there
is all given to λ: the next tables may be too coarse by far, as with a source that was a JPEG."""
_WORTH: Final = 0.992
"""Share of the bits of the best point that an attempt must be expected to need at the most."""
_FARTHEST: Final = np.log(2)
"""Most change of a logarithm at once."""
_NO_ERROR: Final = 1e-9
"""Squared grey levels that count as none."""
_MOST_EXCESS: Final = 2.0
"""Most logarithm of a share that is told."""


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
    """Largest errors allowed in the region of interest and elsewhere, and in which of `outcome.MEASURES`.

    outside: infinite where there is nothing outside.
    """

    inside: float
    outside: float
    measure: int

    def times(self, inside: float, outside: float) -> Limits:
        """Return the limits multiplied."""
        return Limits(inside * self.inside, outside * self.outside, self.measure)

    def excess(self, trial: Trial) -> NDArray[np.float64]:
        """Return ln of the shares of both errors allowed that a trial uses, `float64[2]`; up to 0 it is within."""
        pairs = (trial.errors.inside[self.measure], self.inside), (trial.errors.outside[self.measure], self.outside)
        return np.array([_share(float(error), limit) for error, limit in pairs])


def _share(error: float, limit: float) -> float:
    """Ln of a share of an error allowed, between -2 and 2; minus infinity where all is allowed."""
    if np.isinf(limit):
        return -np.inf
    if error <= 0:
        return -_MOST_EXCESS
    return min(max(float(np.log(error / limit)), -_MOST_EXCESS), _MOST_EXCESS) if limit > 0 else _MOST_EXCESS


class Search:
    """Tries operating points on a sample; the symbols' costs come from the point tried before."""

    def __init__(self, sample: Sample, tuning: Tuning, bits: tuple[NDArray[np.float32], ...]) -> None:
        """Prepare.

        Args:
            sample: What is looked at.
            tuning: The constants of the aim.
            bits: What symbols cost in the first attempt, as in `Point`.
        """
        self._sample = sample
        self._tuning = tuning
        self._times = [sample.times_of(part.number) for part in sample.components]
        self._bits = bits
        self._slopes = Slopes()
        self._highest = (_THRIFT[1], _HIGHEST_THRIFT) if tuning.leeway <= 1 else (0.0, 0.0)

    def on(self, sample: Sample) -> Search:
        """Return a search that goes on with another sample of the same picture."""
        search = Search(sample, self._tuning, self._bits)
        search._slopes = self._slopes
        return search

    def attempt(self, scale: float, contrast: float, thrift: float = 1.0) -> Trial:
        """Quantise the sample at a point and measure what a decoder would show."""
        point = Point(self._tuning, scale, thrift, contrast, self._bits)
        levels = point.levels(self._sample.components)
        self._bits, bits = costs(levels, self._times)
        return Trial(point, bits, self._sample.errors(levels, point.tables()))

    def towards(self, limits: Limits, first: Trial) -> Trial:
        """Go on from an attempt on this sample to a point that comes near to limits, within them or not."""
        trial = first
        for _ in range(_ROUGH_ATTEMPTS):
            move = self._move(trial, _AIMED - limits.excess(trial))
            if abs(SAVING * move.by).sum() < _NEAR:
                break
            trial = self._moved(move, limits.measure)
        return trial

    def within(self, limits: Limits, first: Trial) -> Trial | None:
        """Find a point that needs few bits to stay within limits.

        Each attempt goes where both errors should be what is aimed at, as far as their slopes are known by then. The
        tables give the rough place. They are of whole numbers, so that the errors stray about what the slopes say; λ
        and the contrast make up for that.

        Args:
            limits: What is allowed.
            first: An attempt on this sample to go on from.

        Returns:
            What was measured there; None if no attempt came out within the limits.
        """
        trial, best = first, None
        misses = 0
        coarse = np.inf
        for number in range(_ATTEMPTS):
            excess = limits.excess(trial)
            if excess.max() <= 0 and (best is None or trial.bits < best.bits):
                best, misses = trial, 0
            else:
                misses += 1
            if excess[0] > 0:
                coarse = min(coarse, trial.scale)
            if best and number > _COARSE and misses >= _MISSES:
                break
            move = self._rough(limits, best, trial, misses)
            adjacent = best is not None and best.scale < coarse < _ADJACENT * best.scale
            if best and (adjacent or number >= _COARSE or move.bits > _WORTH * best.bits):
                move = self._fine(limits, best, trial, adjacent=adjacent)
                if move.bits > _WORTH * best.bits:
                    break
            trial = self._moved(move, limits.measure)
        return best

    def _rough(self, limits: Limits, best: Trial | None, trial: Trial, misses: int) -> _Move:
        """Choose a move from the best point or the last one, whichever is nearer to what is aimed at."""
        aimed = _AIMED if best else _AIMED - _CAUTION * (2 ** (misses - 1) - 1)
        base = min((best or trial, trial), key=lambda one: _distance(limits.excess(one), one.point.contrast))
        return self._move(base, aimed - limits.excess(base))

    def _fine(self, limits: Limits, best: Trial, trial: Trial, *, adjacent: bool) -> _Move:
        """Choose a move of λ and contrast from the best point or the last one, whichever should take fewer bits."""
        highest = self._highest[adjacent]
        moves = []
        for base in (best, trial):
            least, most = np.array([_THRIFT[0], highest]) - np.log(base.point.thrift)
            finer, change = self._slopes.move(THRIFT, base.point.contrast, _AIMED - limits.excess(base))
            moves.append(_Move(base, np.array([0.0, np.clip(finer, least, most), change])))
        return min(moves, key=lambda move: move.bits)

    def _move(self, base: Trial, wanted: NDArray[np.float64]) -> _Move:
        """Return a move of λ and contrast if they suffice, and otherwise one of scale and contrast, with λ as usual."""
        point = base.point
        finer, change = self._slopes.move(THRIFT, point.contrast, wanted)
        if _THRIFT[0] <= finer + np.log(point.thrift) <= self._highest[0] and abs(wanted[0]) <= _STRAY:
            return _Move(base, np.array([0.0, finer, change]))
        back = np.array([0.0, -np.log(point.thrift), 0.0])
        coarser, change = self._slopes.move(SCALE, point.contrast, wanted - self._slopes.effect(back))
        return _Move(base, back + np.array([np.clip(coarser, -_FARTHEST, _FARTHEST), 0.0, change]))

    def _moved(self, move: _Move, measure: int) -> Trial:
        """Make an attempt beside another, and learn from it."""
        base, point = move.base, move.base.point
        scale, thrift = np.exp(move.by[SCALE]), np.exp(move.by[THRIFT])
        trial = self.attempt(
            float(min(max(point.scale * scale, FINEST), COARSEST)),
            float(np.clip(point.contrast + move.by[CONTRAST], 0.0, 1.0)),
            float(point.thrift * thrift),
        )
        before, after = (np.log(np.maximum(one.errors.of(measure), _NO_ERROR)) for one in (base, trial))
        if min(before[0], after[0]) > np.log(_NO_ERROR):
            self._slopes.learn(move.by, after - before)
        return trial


@dataclass(frozen=True, slots=True)
class _Move:
    """A move from an attempt, `by` ln scale, ln thrift and contrast, `float64[3]`."""

    base: Trial
    by: NDArray[np.float64]

    @property
    def bits(self) -> float:
        """What the attempt is expected to take."""
        return float(self.base.bits * np.exp(SAVING @ self.by))


def _distance(excess: NDArray[np.float64], contrast: float) -> float:
    """How far errors are from what is aimed at; room outside is nothing where the contrast is the highest already."""
    inside, outside = excess - _AIMED
    return float(max(abs(inside), outside if contrast >= 1 or np.isinf(outside) else abs(outside)))


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
