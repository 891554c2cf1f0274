"""The table: each figure, what it is compared with, and the goal that is set for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codec import Quality
from semjpeg.benchmark import plan
from semjpeg.benchmark.bjontegaard import bd_rate, percent
from semjpeg.benchmark.measures import DECIBELS, TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec import Aim
    from semjpeg.benchmark.plan import Plan, Setting
    from semjpeg.benchmark.runs import Record
    from semjpeg.benchmark.speed import Speed

_SIZE_TOLERANCE: Final = 0.01
"""Share by which files at "equal" bytes may differ."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.

    row: lines of one row belong together.
    setting, against: what was compared with what.
    figure: what the number is.
    result: None where it could not be found.
    unit: `%`, `dB`, `×`, `MB` or empty.
    must, aim: the goals; None where there is none.
    less: whether less is better.
    pictures: how many the number is a mean over.
    """

    row: int
    setting: str
    against: str
    figure: str
    result: float | None
    unit: str
    must: float | None = None
    aim: float | None = None
    less: bool = True
    pictures: int = 0

    @property
    def met(self) -> str:
        """Which goal is reached: `aim`, `must`, `no`, or empty without goals."""
        if self.must is None or self.result is None:
            return ""
        sign = 1 if self.less else -1
        if self.aim is not None and sign * self.result <= sign * self.aim:
            return "aim"
        return "must" if sign * self.result <= sign * self.must else "no"

    def text(self, value: float | None) -> str:
        """Write a number of this line's kind."""
        if value is None:
            return "–"
        sign = "" if self.unit in {"×", "MB"} else "+"
        digits = {"%": 1, "dB": 2, "×": 2, "MB": 0}.get(self.unit, 4)
        return f"{value:{sign}.{digits}f} {self.unit}".rstrip().replace("-", "−")


class Results:
    """The records of a run, by picture and setting."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._pictures: dict[Any, dict[Setting, Record]] = {}
        for record in records:
            self._pictures.setdefault(record.picture, {})[record.setting] = record

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self._pictures)

    @property
    def size(self) -> str:
        """How many pictures, in words."""
        return f"{len(self)} picture{'' if len(self) == 1 else 's'}"

    def of(self, setting: Setting) -> list[Record]:
        """Return the record of each picture."""
        return [records[setting] for records in self._pictures.values()]

    def bd_rate(self, measure: str, theirs: list[Setting], ours: list[Setting]) -> tuple[float | None, int]:
        """Return the mean BD-rate in percent, and over how many pictures: those whose curves overlap."""
        rates = []
        for records in self._pictures.values():
            curves = [
                [(float(records[setting].size_bytes), records[setting].measures[measure]) for setting in curve]
                for curve in (theirs, ours)
            ]
            rate = bd_rate(*curves)
            if rate is not None:
                rates.append(rate)
        return (percent(rates) if rates else None), len(rates)

    def size_difference(self, theirs: Setting, ours: Setting) -> float:
        """Return by how many percent our files differ in size, as the mean of log ratios."""
        pairs = zip(self.of(theirs), self.of(ours), strict=True)
        return percent([math.log(mine.size_bytes / other.size_bytes) for other, mine in pairs])

    def mean(self, setting: Setting, measure: str) -> float:
        """Return the mean of a measure."""
        values = [record.measures[measure] for record in self.of(setting)]
        return math.fsum(values) / len(values)


_MAP_NAMES: Final = {"none": "no map", "ellipse": "ellipse", "mask": "mask"}

_Goal = tuple[float | None, float | None]
_CURVES: Final[tuple[tuple[int, str, Aim, str, str, _Goal], ...]] = (
    (1, "none", "balanced", plan.MOZJPEG, "psnr_hvs_m", (-5, -10)),
    (1, "none", "balanced", plan.MOZJPEG, "ssimulacra2", (-4, -10)),
    (2, "none", "balanced", plan.JPEGLI, "psnr_hvs_m", (-18, -22)),
    (2, "none", "balanced", plan.JPEGLI, "ssimulacra2", (-2, -8)),
    (3, "none", "hvs", plan.LIBJPEG, "psnr_hvs_m", (-17, -22)),
    (3, "none", "hvs", plan.MOZJPEG, "psnr_hvs_m", (-9, -14)),
    (4, "mask", "hvs", plan.LIBJPEG, "psnr_hvs_m_mask", (-40, -50)),
    (4, "mask", "hvs", plan.LIBJPEG, "psnr_hvs_m", (0, None)),
    (5, "ellipse", "hvs", plan.MOZJPEG, "psnr_hvs_m_ellipse", (-18, -26)),
    (5, "ellipse", "hvs", plan.MOZJPEG, "psnr_hvs_m", (3.5, None)),
)
"""Row, map, aim, the other encoder, the measure, and the goals for the BD-rate in percent."""

_EQUAL_BYTES_GOALS: Final[dict[str, _Goal]] = {"psnr_s": (1, 2.5)}
"""Goals at equal bytes, in dB; nothing else may fall."""

_WITH_GOALS: Final = "network's map, psnr"

EQUAL_BYTES_MEASURES: Final = ("psnr_s", "psnr", "ssim", "ms_ssim", "vifp", "psnr_hvs", "psnr_hvs_m")
"""What files of equal bytes are compared by."""


def lines(results: Results, planned: Plan, speed: Speed | None) -> list[Line]:
    """Compute every figure that the records allow."""
    if not len(results):
        return []
    found = [_curve_line(results, planned, number) for number, row in enumerate(_CURVES) if row[1] in planned.maps]
    for name in list(plan.EQUAL_BYTES)[1:]:
        found += _equal_bytes_lines(results, name)
    if speed is not None:
        found += _speed_lines(speed)
    for quality in plan.SAME_NUMBER:
        theirs, ours = plan.reference(plan.PROGRESSIVE, quality), plan.ours(Quality(quality))
        difference = results.size_difference(theirs, ours)
        figure = f"bytes at quality {quality} of both"
        found.append(Line(8, "no map, balanced", plan.PROGRESSIVE, figure, difference, "%", pictures=len(results)))
    return found


def _curve_line(results: Results, planned: Plan, number: int) -> Line:
    row, map_name, aim, encoder, measure, (must, wanted) = _CURVES[number]
    rate, pictures = results.bd_rate(measure, planned.curve(encoder), planned.curve(plan.OURS, map_name, aim))
    setting = f"{_MAP_NAMES[map_name]}, {aim}"
    if map_name == "mask":
        setting += f", strength {plan.MASK_STRENGTH:g}"
    figure = f"BD-rate, {TITLES[measure]}"
    return Line(row, setting, encoder, figure, rate, "%", must, wanted, pictures=pictures)


def _equal_bytes_lines(results: Results, name: str) -> list[Line]:
    """Return how far the measures differ at libjpeg's bytes; one way alone has goals."""
    theirs, ours = plan.EQUAL_BYTES["libjpeg"], plan.EQUAL_BYTES[name]
    against = f"{plan.LIBJPEG} at {plan.EQUAL_QUALITY}"
    sizes = [
        mine.size_bytes / other.size_bytes for other, mine in zip(results.of(theirs), results.of(ours), strict=True)
    ]
    off = sum(abs(size - 1) > _SIZE_TOLERANCE for size in sizes)
    figure = f"bytes ({off} off by over {_SIZE_TOLERANCE:.0%})".replace("%", " %")
    found = [Line(6, name, against, figure, results.size_difference(theirs, ours), "%", pictures=len(results))]
    for measure in EQUAL_BYTES_MEASURES:
        must, wanted = (None, None) if name != _WITH_GOALS else _EQUAL_BYTES_GOALS.get(measure, (0, None))
        gain = results.mean(ours, measure) - results.mean(theirs, measure)
        unit = "dB" if measure in DECIBELS else ""
        found.append(
            Line(6, name, against, TITLES[measure], gain, unit, must, wanted, less=False, pictures=len(results))
        )
    return found


def _speed_lines(speed: Speed) -> list[Line]:
    setting = f"map, {speed.megapixels:g} megapixels"
    ratio = speed.seconds / speed.mozjpeg_seconds
    spent = f"seconds ({speed.seconds:.2f} / {speed.mozjpeg_seconds:.2f})"
    two = "throughput of two threads"
    found = [
        Line(7, setting, plan.MOZJPEG, spent, ratio, "×", 0.5, 0.25, pictures=1),
        Line(7, setting, "one thread", two, speed.throughput, "×", 1.8, 1.95, less=False, pictures=1),
    ]
    if speed.memory_mb is not None:
        found.append(Line(7, setting, "the pixels", "memory beside them", speed.memory_mb, "MB", 250, 120, pictures=1))
    return found
