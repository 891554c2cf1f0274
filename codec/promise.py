"""The promise of `Quality`: as good as libjpeg where it matters, and never a larger file than libjpeg's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import mozjpeg_lossless_optimization
import numpy as np

from codec import progressive, reference
from codec.libjpeg import floor_quality, libjpeg_levels, libjpeg_scale, libjpeg_tables
from codec.point import costs
from codec.sample import sample, shown_errors
from codec.search import Limits, Search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.picture import Picture
    from codec.sample import Sample
    from codec.search import Trial
    from codec.tuning import Tuning

_FILES: Final = 3
"""Most files of a small picture that are decoded to see what they are worth; 1 to 2 are usual."""
_NEAR: Final = 0.95
"""A share of libjpeg's error that is close enough to it."""
_TOLERANCE: Final = 1.01
"""By how much the error may pass libjpeg's: 0.04 dB, which nobody sees and which may take 1 % of the bytes."""
_MARGIN: Final = 0.99
"""What is asked for after a look, of what would just do."""
_SURE: Final = 0.95
"""Share of the bits of libjpeg's own levels, on the sample, below which a file is taken to be the smaller one."""
_FIRST_SCALE: Final = 0.85
_FIRST_CONTRAST: Final = 0.8
"""The first attempt: a share of libjpeg's scale, and a contrast, in the middle of what is found for most pictures."""
_IMAGINED: Final = 1.022
"""How much more error `outcome` imagines in an MCU by itself than a decoder shows that sees its neighbours (1.2 to 3 %,
24 Kodak pictures at qualities 50 to 90, from picture to picture 1 %)."""
_UNSEEN: Final = 2.0
"""What limits are multiplied with where a file shows no error at all."""
_SMALL: Final = 20_000
"""Bytes below which that is not sure: headers and DC, of which the bits tell nothing, may be most of the file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that keeps the promise.

    scale, lagrangian: of its operating point; λ is 0 if its levels are libjpeg's.
    error, target: error that the promise is about in the region of interest, of this file and of libjpeg's, in squared
        grey levels.
    libjpeg_bytes: size of libjpeg's plain file, where it was made to compare with.
    """

    data: bytes
    scale: float
    lagrangian: float
    error: float
    target: float
    libjpeg_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What is looked at in a search: a sample, or a part of one.

    allowed: errors allowed in each of its luma blocks, in the mean over the region of interest and over the rest,
        `float64[n]`: libjpeg's at the quality asked for, times the leeway, and its errors at the floor's quality.
    costs: of the symbols of libjpeg's own levels, as in `Point`.
    bits: of these levels, as in `Trial`.
    """

    sample: Sample
    allowed: NDArray[np.float64]
    costs: tuple[NDArray[np.float32], ...]
    bits: float

    @classmethod
    def at(cls, sample: Sample, allowed: NDArray[np.float64], levels: tuple[NDArray[np.int16], ...]) -> _Look:
        """Look at a sample, of which libjpeg's own levels at the quality asked for are known."""
        return cls(sample, allowed, *costs(levels, [sample.times_of(part.number) for part in sample.components]))

    def limits(self, measure: int) -> Limits:
        """Return what is allowed in the mean."""
        return _limits(self.sample, self.allowed, measure)


def _limits(sample: Sample, allowed: NDArray[np.float64], measure: int) -> Limits:
    inside, outside = sample.means(allowed)
    return Limits(float(inside), float(outside) if sample.rest.any() else np.inf, measure)


def keep(picture: Picture, tuning: Tuning, quality: int, strength: float) -> Kept:
    """Find the smallest file that is as good as libjpeg's at a quality in the region of interest.

    In a small picture that is seen to on the files themselves, as libjpeg decodes them; in a large one on the sample.
    """
    seen = sample(picture)
    if seen.complete:
        return _seen(picture, tuning, seen, quality, strength)
    return _imagined(picture, tuning, seen, quality, strength)


def _imagined(picture: Picture, tuning: Tuning, seen: Sample, quality: int, strength: float) -> Kept:
    """Keep the promise on what is imagined of a sample, which is searched roughly on a part of it first."""
    own = libjpeg_levels(seen.components, quality)
    allowed = tuning.leeway * seen.outcome(own, libjpeg_tables(quality))
    if seen.rest.any():
        floor = floor_quality(quality, strength)
        coarse = seen.outcome(libjpeg_levels(seen.components, floor), libjpeg_tables(floor))
        allowed = np.where(seen.region[:, None], allowed, coarse)
    look = _Look.at(seen, allowed[:, tuning.promise], own)
    limits = look.limits(tuning.promise)
    target = limits.inside / tuning.leeway
    scouts = _scouts(seen, look.allowed, quality)
    search = Search(scouts.sample, tuning, scouts.costs)
    rough = search.towards(scouts.limits(tuning.promise), _first(search, quality)).point
    search = search.on(seen)
    trial = search.within(limits, search.attempt(rough.scale, rough.contrast, rough.thrift))
    kept: list[Kept] = []
    if trial and trial.bits <= look.bits:
        levels = trial.point.levels(picture.components)
        data = progressive.write(picture.size, picture.planes, trial.point.tables(), levels)
        kept.append(_kept(data, trial, trial.errors.of(tuning.promise)[0], target))
    if not kept or not _is_sure(trial, look, kept[-1].data):
        kept.append(_libjpeg(reference.libjpeg(picture.pixels, quality), quality, target))
    return min(kept, key=lambda file: len(file.data))


def _seen(picture: Picture, tuning: Tuning, seen: Sample, quality: int, strength: float) -> Kept:
    """Keep the promise on the files themselves. What a file is worth says how to go on with the search on a part."""
    own = reference.libjpeg(picture.pixels, quality)
    allowed = tuning.leeway * shown_errors(picture, reference.decode(own), tuning.promise)
    if seen.rest.any():
        coarse = reference.libjpeg(picture.pixels, floor_quality(quality, strength))
        floor = shown_errors(picture, reference.decode(coarse), tuning.promise)
        allowed[seen.blocks[~seen.region]] = floor[seen.blocks[~seen.region]]
    shown = _limits(seen, allowed[seen.blocks], tuning.promise)
    look = _scouts(seen, allowed[seen.blocks], quality)
    limits = look.limits(tuning.promise).times(_IMAGINED, 1.0)
    search = Search(look.sample, tuning, look.costs)
    trial = _first(search, quality)
    writer = progressive.Writer(picture.size, picture.planes)
    kept: list[Kept] = []
    sure = False
    for number in range(_FILES):
        best = search.within(limits, trial)
        if best is None or best.bits > look.bits or (number and best is trial):
            break
        trial = best
        data = writer.write(trial.point.tables(), trial.point.levels(picture.components))
        sure = _is_sure(trial, look, data)
        inside, outside = seen.means(shown_errors(picture, reference.decode(data), tuning.promise)[seen.blocks])
        if inside <= _TOLERANCE * shown.inside and outside <= _TOLERANCE * shown.outside:
            kept.append(_kept(data, trial, float(inside), shown.inside / tuning.leeway))
            if inside >= _NEAR * shown.inside:
                break
        limits = _corrected(shown, trial, float(inside), float(outside))
    if not kept or not sure:
        kept.append(_libjpeg(own, quality, shown.inside / tuning.leeway))
    return replace(min(kept, key=lambda file: len(file.data)), libjpeg_bytes=len(own))


def _first(search: Search, quality: int) -> Trial:
    return search.attempt(_FIRST_SCALE * libjpeg_scale(quality), _FIRST_CONTRAST)


def _scouts(sample: Sample, allowed: NDArray[np.float64], quality: int) -> _Look:
    """Look at a part of a sample, for a quicker search."""
    chosen = sample.scouts(allowed)
    if len(chosen) < len(sample.times):
        sample, allowed = sample.subset(chosen), allowed[sample.luma_of(chosen)]
    return _Look.at(sample, allowed, libjpeg_levels(sample.components, quality))


def _is_sure(trial: Trial | None, look: _Look, data: bytes) -> bool:
    """Whether a file is taken to be smaller than any of libjpeg's levels."""
    return trial is not None and trial.bits <= _SURE * look.bits and len(data) > _SMALL


def _kept(data: bytes, trial: Trial, error: float, target: float) -> Kept:
    return Kept(data, trial.scale, trial.point.lagrangian, error, target)


def _corrected(shown: Limits, trial: Trial, inside: float, outside: float) -> Limits:
    """Return limits for a part of a picture that would just do, by the errors that a file of a point has shown."""
    imagined = trial.errors.of(shown.measure)
    factors = [
        _MARGIN * guess / real if real > 0 else _UNSEEN for guess, real in zip(imagined, (inside, outside), strict=True)
    ]
    return shown.times(*factors)


def _libjpeg(own: bytes, quality: int, error: float) -> Kept:
    """Return libjpeg's own levels in the scans that take fewest bytes."""
    data: bytes = mozjpeg_lossless_optimization.optimize(own)
    return Kept(data, libjpeg_scale(quality), 0.0, error, error)
