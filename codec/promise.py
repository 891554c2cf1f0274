"""The promise of `Quality`: as good as libjpeg where it matters, and never a larger file than libjpeg's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import mozjpeg_lossless_optimization

from codec import progressive, reference
from codec.libjpeg import floor_quality, libjpeg_scale
from codec.sample import sample, shown_errors
from codec.search import Start, at_quality, bar

if TYPE_CHECKING:
    from codec.picture import Picture
    from codec.sample import Sample
    from codec.tuning import Tuning

_LOOKS: Final = 3
"""Most files of a small picture that are decoded to see what they are worth; 1 to 2 are usual."""
_NEAR: Final = 0.95
"""A share of libjpeg's error that is close enough to it."""
_TOLERANCE: Final = 1.01
"""By how much the error may pass libjpeg's: 0.04 dB, which nobody sees and which may take 1 % of the bytes."""
_MARGIN: Final = 0.99
"""What is asked for after a look, of what would just do."""
_SURE: Final = 0.95
"""Share of the bits of libjpeg's own levels, on the sample, below which a file is taken to be the smaller one."""
_SMALL: Final = 20_000
"""Bytes below which that is not sure: headers and DC, of which the bits tell nothing, may be most of the file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that keeps the promise.

    scale, lagrangian: of its operating point; λ is 0 if its levels are libjpeg's.
    error, target: error that the promise is about in the region of interest, of this file and of libjpeg's, in squared
        grey levels.
    """

    data: bytes
    scale: float
    lagrangian: float
    error: float
    target: float


def keep(picture: Picture, tuning: Tuning, quality: int, strength: float) -> Kept:
    """Find the smallest file that is as good as libjpeg's at a quality in the region of interest.

    In a small picture that is seen to on the files themselves, as libjpeg decodes them; in a large one on the sample.
    """
    seen = sample(picture)
    own = reference.libjpeg(picture.pixels, quality) if seen.complete else None
    shown = None if own is None else _shown(picture, seen, own, floor_quality(quality, strength), tuning.promise)
    kept: list[Kept] = []
    sure = False
    start = Start(libjpeg_scale(quality), tuning.leeway)
    part = seen.scout()
    if not seen.complete:
        start = _scouted(part, tuning, quality, strength, start)
        part = seen
    held = bar(part, tuning, quality, strength)
    plain = held.own
    for _ in range(_LOOKS):
        trial = at_quality(part, tuning, held, strength, start)
        if trial is None:
            break
        levels = trial.point.levels(picture.components)
        data = progressive.write(picture.size, picture.planes, trial.point.tables(), levels)
        sure = trial.bits <= _SURE * plain.bits and len(data) > _SMALL
        theirs, inside = float(plain.errors.inside[tuning.promise]), float(trial.errors.inside[tuning.promise])
        floor = outside = 0.0
        if shown is not None:
            theirs, floor = shown
            inside, outside = shown_errors(picture, seen, reference.decode(data), tuning.promise)
        limit = tuning.leeway * theirs
        enough = outside <= _TOLERANCE * floor
        if enough and inside <= _TOLERANCE * limit:
            kept.append(Kept(data, trial.scale, trial.point.lagrangian, inside, theirs))
        near = inside <= 0 or _NEAR * limit <= inside <= _TOLERANCE * limit
        if shown is None or (near and enough):
            break
        start = Start(
            trial.scale,
            start.inside * (1.0 if near else _MARGIN * limit / inside),
            start.outside * (1.0 if enough else _MARGIN * floor / outside),
            trial.point.contrast,
            trial.point.bits,
        )
    if not kept or not sure:
        error = float(plain.errors.inside[tuning.promise]) if shown is None else shown[0]
        kept.append(_libjpeg(picture, own, quality, error))
    return min(kept, key=lambda file: len(file.data))


def _scouted(scout: Sample, tuning: Tuning, quality: int, strength: float, start: Start) -> Start:
    """Find out on a part of the sample where to start."""
    trial = at_quality(scout, tuning, bar(scout, tuning, quality, strength), strength, start)
    if trial is None:
        return start
    return replace(start, scale=trial.scale, contrast=trial.point.contrast, bits=trial.point.bits)


def _shown(picture: Picture, seen: Sample, own: bytes, floor: int, measure: int) -> tuple[float, float]:
    """Return the errors of libjpeg's own file in the region, and of its file at the floor's quality elsewhere."""
    inside, outside = shown_errors(picture, seen, reference.decode(own), measure)
    if seen.rest.any():
        coarse = reference.decode(reference.libjpeg(picture.pixels, floor))
        outside = shown_errors(picture, seen, coarse, measure)[1]
    return inside, outside


def _libjpeg(picture: Picture, own: bytes | None, quality: int, error: float) -> Kept:
    """Return libjpeg's own levels in the scans that take fewest bytes."""
    data: bytes = mozjpeg_lossless_optimization.optimize(own or reference.libjpeg(picture.pixels, quality))
    return Kept(data, libjpeg_scale(quality), 0.0, error, error)
