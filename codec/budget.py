"""Search for the operating point whose file takes a given number of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from codec import assemble
from codec.point import Point, costs, first_levels
from config.errors import EncodingError

if TYPE_CHECKING:
    from codec.quantise import Component
    from codec.transform import Plane

_STEPS: Final = 14
"""Most files that are made; 3 to 6 are usual."""
_POWER: Final = 0.75
"""Bytes go with about this power of the inverse scale: measured on Kodak pictures from quality 30 to 90."""
_FINEST: Final = 0.004
_COARSEST: Final = 250.0
"""Scales at which all steps are 1, and at which no AC level is worth its bits."""
_ADJACENT: Final = 1.005
"""Ratio of two scales between which no other is tried."""


def at_bytes(
    size: tuple[int, int], planes: tuple[Plane, ...], components: tuple[Component, ...], low: float, high: float
) -> tuple[Point, bytes]:
    """Find the point whose file has `low` to `high` bytes; failing that, the largest found that has no more.

    Returns the point and its file. The file shrinks as the scale grows, about as a power of it.

    Raises:
        EncodingError: no file of at most `high` bytes exists.
    """
    wanted = max((low + high) / 2, 1)
    scale = 1.0
    bits = costs(first_levels(components, scale))
    good: tuple[Point, bytes] | None = None
    bad: tuple[Point, bytes] | None = None
    for _ in range(_STEPS):
        point = Point(scale, 1.0, 1.0, bits)
        levels = point.levels(components)
        bits = costs(levels)
        data = assemble.smallest(assemble.baseline(size, planes, point.tables(), levels), size)
        if len(data) > high:
            bad = (point, data)
        elif good is None or len(data) > len(good[1]):
            good = (point, data)
        if low <= len(data) <= high or (good and scale <= _FINEST) or (bad and scale >= _COARSEST):
            break
        if good and bad:
            if good[0].scale / bad[0].scale < _ADJACENT:
                break
            scale = _between(good, bad, wanted)
        else:
            factor = (len(data) / wanted) ** (1 / _POWER)
            scale = float(np.clip(scale * np.clip(factor, 0.2, 8), _FINEST, _COARSEST))
    if good is None:
        least = len(bad[1]) if bad else 0
        raise EncodingError(f"a picture of {size[1]}x{size[0]} pixels needs {least} bytes, not {int(high)}")
    return good


def _between(good: tuple[Point, bytes], bad: tuple[Point, bytes], wanted: float) -> float:
    """Scale between two points at which a power law through both gives the size that is wanted."""
    small, large = len(good[1]), len(bad[1])
    part = float(np.clip(np.log(large / wanted) / np.log(large / small), 0.15, 0.85))
    return float(bad[0].scale * (good[0].scale / bad[0].scale) ** part)
