"""From the scores of pictures to one row for each kind of map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semjpeg.evaluation.bootstrap import Interval, interval, resamples
from semjpeg.evaluation.run import BARRIER, CENTRE, MAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from semjpeg.evaluation.run import Scored


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over pictures, and what encloses 95 % of it if pictures are drawn again; None for a single picture."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of map is worth.

    auc, mae: means over the pictures.
    best_f: the highest mean F-measure at one threshold for all pictures.
    threshold: that threshold, 1..255: a point counts that is at least as bright.
    found, objects: how many objects have a mean above their map's, and how many there are.
    """

    name: str
    pictures: int
    auc: Figure
    best_f: Figure
    threshold: int
    mae: Figure
    found: int
    objects: int


def summarise(scored: Sequence[Scored], label: str) -> list[Row]:
    """Return the row of the maps, named `label`, and those of the two that know nothing.

    Args:
        scored: At least one picture's scores.
        label: What the maps are called.
    """
    draws = resamples(len(scored))
    return [_row(scored, kind, label if kind == MAP else kind, draws) for kind in (MAP, CENTRE, BARRIER)]


def _row(scored: Sequence[Scored], kind: str, name: str, draws: NDArray[np.float64]) -> Row:
    scores = [each.scores[kind] for each in scored]
    curves = np.array([score.f for score in scores])
    mean_curve = curves.mean(axis=0)
    best = int(mean_curve.argmax())

    def figure(value: float, statistics: NDArray[np.float64]) -> Figure:
        return Figure(value, interval(statistics) if len(scored) > 1 else None)

    def mean(values: list[float]) -> Figure:
        return figure(float(np.mean(values)), draws @ np.array(values))

    return Row(
        name=name,
        pictures=len(scored),
        auc=mean([score.auc for score in scores]),
        best_f=figure(float(mean_curve[best]), (draws @ curves).max(axis=1)),
        threshold=best + 1,
        mae=mean([score.mae for score in scores]),
        found=sum(score.found for score in scores),
        objects=sum(each.objects for each in scored),
    )
