"""What a map is worth to the encoder: the share of the saving that the true mask would bring."""

from __future__ import annotations

import math
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from codec import Quality
from codec.weights import FLOOR
from config.errors import SemjpegError, UnsupportedImageError
from semjpeg.benchmark.bjontegaard import bd_rate, percent
from semjpeg.benchmark.pictures import read_mask
from semjpeg.benchmark.plan import LIBJPEG, Plan, Setting, ours
from semjpeg.benchmark.runs import Failure, Job, measure_picture, processes
from semjpeg.evaluation.bootstrap import Interval, interval, resamples
from semjpeg.evaluation.summary import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from semjpeg.evaluation.pairs import Pair
    from semjpeg.evaluation.run import Scored

_MEASURE: Final = "psnr_hvs_m_mask"

_STRENGTH: Final = math.log(0.1) / math.log(FLOOR)
"""At which a block of no importance weighs 0.1."""

_MAPS: Final = ("none", "network", "mask")
"""What the encoder is given, by the names of `plan.Setting.map`: the map that is judged goes as the network's."""

Rates = tuple[float, float, float]
"""BD-rates without a map, with the map and with the mask, as logs of ratios of bytes."""


@dataclass(frozen=True, slots=True)
class Saving:
    """BD-rates of PSNR-HVS-M inside the mask against libjpeg-turbo, in percent, means over pictures.

    share: what the map saves beyond no map, in parts of what the mask does; None where the mask saves nothing.
    """

    pictures: int
    none: Figure
    map: Figure
    mask: Figure
    share: Figure | None


@dataclass(frozen=True, slots=True)
class Curves(Plan):
    """libjpeg's curve and ours with each of the maps, aim `hvs`."""

    def settings(self) -> dict[Setting, frozenset[str]]:
        """Return every file to make; none needs slow measures."""
        return dict.fromkeys(chain(self.curve(LIBJPEG), *map(self.ours, _MAPS)), frozenset())

    def ours(self, map_name: str) -> list[Setting]:
        """List the settings of our encoder with one kind of map."""
        return [replace(ours(Quality(quality), map_name, "hvs"), strength=_STRENGTH) for quality in self.qualities]


def bd_rates(pair: Pair, importance: NDArray[np.float32] | None, plan: Curves) -> Rates:
    """Encode one picture along every curve.

    Args:
        pair: Its files.
        importance: Its map, float32 `[h', w']` in 0..1; None where the pair names a ready-made one.
        plan: The curves.

    Raises:
        SemjpegError: A file cannot be read, or no quality is reached by two encoders.
        ValueError: There is no map at all.
    """
    salient = read_mask(pair.map) if importance is None and pair.map else importance
    if salient is None:
        raise ValueError(f"{pair.picture} has no map")
    records = {record.setting: record for record in measure_picture(Job(pair.picture, pair.mask, salient, plan))}

    def points(settings: list[Setting]) -> list[tuple[float, float]]:
        return [(float(records[each].size_bytes), records[each].measures[_MEASURE]) for each in settings]

    theirs = points(plan.curve(LIBJPEG))
    none, ours_, mask = (bd_rate(theirs, points(plan.ours(map_name))) for map_name in _MAPS)
    if none is None or ours_ is None or mask is None:
        raise UnsupportedImageError("reaches no quality with both encoders, so that bytes cannot be compared")
    return none, ours_, mask


def measure_saving(
    scored: Sequence[Scored], jobs: int, tell: Callable[[Path, str], None]
) -> tuple[dict[Path, Rates], list[Failure]]:
    """Find the BD-rates of pictures side by side.

    Args:
        scored: The pictures, with the maps that the network made.
        jobs: How many processes.
        tell: Called for each picture that is done, with an empty text or the reason why it failed.

    Returns:
        Rates by picture, in the order of `scored`, and the pictures that failed.
    """
    found: dict[Path, Rates] = {}
    failures: list[Failure] = []
    with processes(min(jobs, len(scored))) as pool:
        futures = {pool.submit(bd_rates, each.pair, each.importance, Curves(masks=True)): each for each in scored}
        for future in as_completed(futures):
            path = futures[future].pair.picture
            try:
                found[path] = future.result()
            except (SemjpegError, BrokenExecutor) as error:
                failures.append(Failure(path, str(error)))
            tell(path, "" if path in found else failures[-1].reason)
    return {each.pair.picture: found[each.pair.picture] for each in scored if each.pair.picture in found}, failures


def summarise_saving(rates: Mapping[Path, Rates]) -> Saving | None:
    """Return the means over pictures; None without any."""
    if not rates:
        return None
    logs = np.array(list(rates.values()))
    draws = 100 * np.expm1(resamples(len(logs)) @ logs)
    several = len(logs) > 1
    means = [percent(list(column)) for column in logs.T]
    intervals = [interval(column) if several else None for column in draws.T]
    none, map_, mask = (Figure(*each) for each in zip(means, intervals, strict=True))
    return Saving(len(logs), none, map_, mask, _share(means, draws if several else None))


def _share(means: Sequence[float], draws: NDArray[np.float64] | None) -> Figure | None:
    none, map_, mask = means
    if mask >= none:
        return None
    around: Interval | None = None
    if draws is not None:
        useful = draws[draws[:, 2] < draws[:, 0]]
        around = interval((useful[:, 1] - useful[:, 0]) / (useful[:, 2] - useful[:, 0]))
    return Figure((map_ - none) / (mask - none), around)
