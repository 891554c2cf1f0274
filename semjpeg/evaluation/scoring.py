"""One map against one mask, in the measures that papers on salient objects report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS: Final = 256

_BETA_SQUARED: Final = 0.3
"""Weighs precision above recall: Achanta et al., "Frequency-tuned salient region detection", CVPR 2009."""

_LEAST_OBJECT: Final = 0.01
"""Share of the picture below which a part of the mask is no object of its own."""

_NEIGHBOURS: Final = np.ones((3, 3), np.bool_)
"""Points that touch at a corner belong together."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects of a mask: its connected parts of at least 1 % of the picture.

    labels: int64 `[h, w]`, 1 to `count` in the objects and 0 elsewhere.
    """

    labels: NDArray[np.int64]
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What one map is worth on one picture.

    auc: area under the ROC curve, 0..1: the chance that a point of the mask is brighter than one beside it, where
        equally bright ones count half.
    f: float64 `[255]`, F-measure (β² = 0.3) of what is at least as bright as 1, 2, …, 255.
    mae: mean absolute difference between map and mask, 0..1.
    above_mean: share of the mask that is brighter than the whole map's mean.
    found: how many objects have a mean above the whole map's.
    """

    auc: float
    f: NDArray[np.float64]
    mae: float
    above_mean: float
    found: int


def objects(mask: NDArray[np.bool_]) -> Objects:
    """Tell the objects of a mask `bool[h,w]` apart."""
    parts, _ = ndimage.label(mask, _NEIGHBOURS)
    kept = np.bincount(parts.ravel()) >= _LEAST_OBJECT * mask.size
    kept[0] = False
    return Objects((np.cumsum(kept) * kept)[parts], int(kept.sum()))


def score(levels: NDArray[np.uint8], mask: NDArray[np.bool_], things: Objects) -> Score:
    """Score a map.

    Args:
        levels: uint8 `[h, w]`, bright where it matters.
        mask: bool `[h, w]`, with points of both kinds.
        things: The mask's objects.
    """
    on, off = (np.bincount(levels[where], minlength=_LEVELS) for where in (mask, ~mask))
    inside, outside = int(on.sum()), int(off.sum())
    brightness = np.arange(_LEVELS)
    # Counts are integers below 2^53, so that every sum is exact and each measure is rounded once.
    below = np.cumsum(off) - off
    wins = int(on @ below) + int(on @ off) / 2
    errors = int(off @ brightness) + int(on @ (_LEVELS - 1 - brightness))
    mean = float((on + off) @ brightness) / mask.size
    return Score(
        auc=wins / (inside * outside),
        f=_f_measures(on, off),
        mae=errors / ((_LEVELS - 1) * mask.size),
        above_mean=int(on[brightness > mean].sum()) / inside,
        found=_found(levels, things, mean),
    )


def _f_measures(on: NDArray[np.int64], off: NDArray[np.int64]) -> NDArray[np.float64]:
    """F = (1 + β²)·precision·recall / (β²·precision + recall) at the thresholds 1..255; 0 where nothing is hit."""
    hits, alarms = (np.cumsum(counts[::-1])[::-1][1:] for counts in (on, off))
    precision = hits / np.maximum(hits + alarms, 1)
    recall = hits / on.sum()
    measures = (1 + _BETA_SQUARED) * precision * recall / np.maximum(_BETA_SQUARED * precision + recall, 1e-9)
    return np.asarray(measures, np.float64)


def _found(levels: NDArray[np.uint8], things: Objects, mean: float) -> int:
    labels = things.labels.ravel()
    sums = np.bincount(labels, levels.ravel(), things.count + 1)[1:]
    sizes = np.bincount(labels, minlength=things.count + 1)[1:]
    return int((sums / sizes > mean).sum())
