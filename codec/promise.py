"""The promise of `Quality`: as good as libjpeg where it matters, and never a larger file than libjpeg's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import mozjpeg_lossless_optimization

from codec import progressive, reference
from codec.libjpeg import libjpeg_scale
from codec.sample import sample, shown_error
from codec.search import at_quality

if TYPE_CHECKING:
    from codec.picture import Picture
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
    measure = tuning.promise
    target = None if own is None else shown_error(picture, seen, reference.decode(own), measure)
    kept: list[Kept] = []
    sure = False
    slack = tuning.leeway
    scale = libjpeg_scale(quality)
    for _ in range(_LOOKS):
        trial, plain = at_quality(seen, tuning, quality, strength, (scale, slack))
        if trial is None:
            break
        levels = trial.point.levels(picture.components)
        data = progressive.write(picture.size, picture.planes, trial.point.tables(), levels)
        sure = trial.bits <= _SURE * plain.bits and len(data) > _SMALL
        theirs, error = float(plain.errors.inside[measure]), float(trial.errors.inside[measure])
        if target is not None:
            theirs, error = target, shown_error(picture, seen, reference.decode(data), measure)
        limit = tuning.leeway * theirs
        if error <= _TOLERANCE * limit:
            kept.append(Kept(data, trial.scale, trial.point.lagrangian, error, theirs))
        if target is None or _NEAR * limit <= error <= _TOLERANCE * limit or error <= 0:
            break
        scale = trial.scale
        slack *= _MARGIN * limit / error
    if not kept or not sure:
        kept.append(_libjpeg(picture, own, quality, float(plain.errors.inside[measure]) if target is None else target))
    return min(kept, key=lambda file: len(file.data))


def _libjpeg(picture: Picture, own: bytes | None, quality: int, error: float) -> Kept:
    """Return libjpeg's own levels in the scans that take fewest bytes."""
    data: bytes = mozjpeg_lossless_optimization.optimize(own or reference.libjpeg(picture.pixels, quality))
    return Kept(data, libjpeg_scale(quality), 0.0, error, error)
