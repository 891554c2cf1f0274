"""Search for the operating point whose file takes a given number of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import progressive
from codec.point import Point, costs, first_levels
from codec.sample import sample
from codec.search import COARSEST, FINEST, Search, plain
from config.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.picture import Picture
    from codec.search import Plain, Trial
    from codec.tuning import Tuning

_POWER: Final = 0.75
"""Bytes go with about this power of the inverse scale: measured on Kodak pictures from quality 30 to 90."""
_ADJACENT: Final = 1.005
"""Ratio of two scales between which no other is tried."""
_FILES: Final = 12
"""Most files that are made; 2 to 4 are usual."""
_CREEPING: Final = 4
"""Files that may be too large one after the other before the smallest of all is made, to know whether one can fit."""
_TRIALS: Final = 10
"""Most steps of a search on the sample."""
_NEAR: Final = 0.01
"""Relative difference in size that is close enough on the way."""
_GAUGES: Final = 2
"""How often the bytes that go with a bit are looked at: DC and headers, which take their own part, make them differ."""
_CONTRASTS: Final = 5
"""Most contrasts that are tried before the map is left aside."""


@dataclass(frozen=True, slots=True)
class _File:
    point: Point
    data: bytes


def at_bytes(
    picture: Picture,
    tuning: Tuning,
    low: float,
    high: float,
    quality: int | None = None,
    metadata_bytes: int = 0,
) -> tuple[Point, bytes]:
    """Find the point whose file has `low` to `high` bytes; failing that, the largest found that has no more.

    Returns the point and its file.

    quality: a quality of libjpeg whose file the map must not fall behind, over the whole picture, in any of the
        tuning's guards. As far as it would, its contrast is lowered.
    metadata_bytes: what the caller will add to the file.

    Raises:
        EncodingError: no file of at most `high` bytes exists; the message names the size of the smallest, metadata
            included.
    """
    wanted = max((low + high) / 2, 1)
    seen = sample(picture)
    times = [seen.times_of(part.number) for part in seen.components]
    search = Search(seen, tuning, costs(first_levels(tuning, seen.components, 1.0), times)[0])
    trial = _with_bytes(picture, search, search.attempt(1.0, 1.0), wanted)
    guard = None if quality is None else plain(seen, quality)
    for step in range(_CONTRASTS):
        excess = 0.0 if guard is None else _excess(trial, guard, tuning)
        if excess <= 0 or trial.point.contrast <= 0:
            break
        calmer = _calmer(search, trial, excess, last=step == _CONTRASTS - 2)
        trial = _with_bytes(picture, search, calmer, wanted)
    return _fitting(picture, trial, low, high, metadata_bytes)


def _excess(trial: Trial, guard: Plain, tuning: Tuning) -> float:
    """How far the worst guarded error lies above libjpeg's, as a logarithm; negative if all are below."""
    numbers = list(tuning.guards)
    errors, limits = trial.errors.whole[numbers], guard.errors.whole[numbers]
    pairs = zip(errors, limits, strict=True)
    return max((float(np.log(max(e, 1e-9) / max(limit, 1e-9))) for e, limit in pairs), default=-np.inf)


def _calmer(search: Search, trial: Trial, excess: float, *, last: bool) -> Trial:
    """Lower the contrast: by as much as the excess asks for, or in the end to nothing."""
    contrast = trial.point.contrast
    lower = 0.0 if last else max(contrast * float(np.clip(1 - 2.5 * excess, 0.4, 0.9)), 0.0)
    return search.attempt(trial.scale, lower)


def _with_bytes(picture: Picture, search: Search, trial: Trial, wanted: float) -> Trial:
    """Find the scale at which the file takes about as many bytes as wanted."""
    for _ in range(_GAUGES):
        found = len(_file(picture, trial.point).data)
        if abs(found / wanted - 1) < _NEAR:
            break
        trial = _with_bits(search, trial, wanted * max(trial.bits, 1) / found)
    return trial


def _with_bits(search: Search, trial: Trial, wanted: float) -> Trial:
    """Find the scale at which the sample takes about as many bits as wanted."""
    finest, coarsest = FINEST, COARSEST
    for _ in range(_TRIALS):
        if abs(trial.bits / wanted - 1) < _NEAR or coarsest / finest < _ADJACENT:
            break
        if trial.bits > wanted:
            finest = max(finest, trial.scale)
        else:
            coarsest = min(coarsest, trial.scale)
        factor = float(np.clip((trial.bits / wanted) ** (1 / _POWER), 0.2, 5))
        scale = trial.scale * factor
        if not finest < scale < coarsest:
            scale = float(np.sqrt(finest * coarsest))
        trial = search.attempt(scale, trial.point.contrast)
    return trial


def _file(picture: Picture, point: Point) -> _File:
    levels = point.levels(picture.components)
    return _File(point, progressive.write(picture.size, picture.planes, point.tables(), levels))


def _fitting(picture: Picture, trial: Trial, low: float, high: float, metadata_bytes: int) -> tuple[Point, bytes]:
    """From a point that is about right, find the one whose file is."""
    wanted = max((low + high) / 2, 1)
    at: Callable[[float], Point] = lambda scale: Point(  # noqa: E731
        trial.point.tuning, scale, 1.0, trial.point.contrast, trial.point.bits
    )
    scale = trial.scale
    good: _File | None = None
    bad: _File | None = None
    for step in range(_FILES):
        file = _file(picture, at(scale))
        if len(file.data) > high:
            bad = file
        elif good is None or len(file.data) > len(good.data):
            good = file
        if low <= len(file.data) <= high or (good and scale <= FINEST) or (bad and scale >= COARSEST):
            break
        if good and bad:
            if good.point.scale / bad.point.scale < _ADJACENT:
                break
            scale = _between(good, bad, wanted)
        elif bad and step >= _CREEPING:
            scale = COARSEST
        else:
            factor = (len(file.data) / wanted) ** (1 / _POWER)
            scale = float(np.clip(scale * np.clip(factor, 0.2, 8), FINEST, COARSEST))
    if good is None:
        height, width = picture.size
        needed, given = (int(count) + metadata_bytes for count in (len(bad.data) if bad else 0, high))
        raise EncodingError(f"a picture of {width}x{height} pixels needs {needed} bytes, not {given}")
    return good.point, good.data


def _between(good: _File, bad: _File, wanted: float) -> float:
    """Scale between two points at which a power law through both gives the size that is wanted."""
    small, large = len(good.data), len(bad.data)
    part = float(np.clip(np.log(large / wanted) / np.log(large / small), 0.15, 0.85))
    return float(bad.point.scale * (good.point.scale / bad.point.scale) ** part)
