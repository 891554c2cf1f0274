"""The Bjøntegaard delta rate: by how much two encoders' sizes differ at equal quality."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Point = tuple[float, float]
"""Size in bytes and a measure that grows with quality."""


def _curve(points: Sequence[Point]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rising measures and the log of the bytes that each takes, the fewest where several files measure the same."""
    fewest: dict[float, float] = {}
    for size, measure in points:
        fewest[measure] = min(size, fewest.get(measure, math.inf))
    measures = np.array(sorted(fewest))
    return measures, np.log([fewest[measure] for measure in measures])


# G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001: the mean distance of the
# two curves log(bytes) = f(measure) over the range that both cover. The curves are piecewise cubic through the points
# and monotone between them (PCHIP), as in the reference software of later standards: the one cubic of 2001 overshoots.
def bd_rate(theirs: Sequence[Point], ours: Sequence[Point]) -> float | None:
    """Return the mean of log(our bytes / their bytes) at equal measure, negative where ours are fewer.

    None where a curve has fewer than two different points or no measure is reached by both.
    """
    from scipy.interpolate import PchipInterpolator

    curves = [_curve(theirs), _curve(ours)]
    if min(len(measures) for measures, _ in curves) < 2:  # noqa: PLR2004  a curve needs two ends
        return None
    low = max(float(measures[0]) for measures, _ in curves)
    high = min(float(measures[-1]) for measures, _ in curves)
    if high <= low:
        return None
    their_area, our_area = (float(PchipInterpolator(*curve).integrate(low, high)) for curve in curves)
    return (our_area - their_area) / (high - low)


def percent(logs: Sequence[float]) -> float:
    """Turn the mean of log ratios into a difference in percent."""
    return 100 * math.expm1(math.fsum(logs) / len(logs))
