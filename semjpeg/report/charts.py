"""Charts as inline SVG. Widths are shares of the chart's and heights are pixels, so that text keeps its size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from semjpeg.report.words import STAGES, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from semjpeg.report.summary import Histogram
    from semjpeg.report.words import Measure

_HEIGHT_PX, _TOP_PX, _FLOOR_PX, _LABEL_PX = 224, 26, 192, 213
"""A histogram: its height, where the tallest bar ends, where bars stand, and the baseline of the axis labels."""
_BAR_PX = 12
"""The height of a bar that lies."""
_MOST_BARS, _FEWEST_BARS = 40, 8
_TICKS, _FEWER = 4, 0.8
"""About so many steps divide an axis, and at least this share of them."""
_GAP = 0.12
"""Share of a bar's room that is left empty."""
_MOST_DIGITS = 6
"""Behind the point, on an axis."""
_LEAST_PX = 1.5
"""The height of a bar that would be too low to see."""
_EDGE = 6.0
"""Labels nearer than so many percent to an edge are set inside it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Values from `low` to `high`, and how many there are."""

    low: float
    high: float
    count: int


def quantile(data: Histogram, share: float) -> float:
    """Return the value below which `share` of the values lie, as if those of one step were spread evenly in it."""
    wanted, below = share * data.total, 0
    step = (data.high - data.low) / len(data.counts)
    value = data.most
    for index, count in enumerate(data.counts):
        if count and below + count >= wanted:
            value = data.low + step * (index + (wanted - below) / count)
            break
        below += count
    return min(max(value, data.least), data.most)


def bars(data: Histogram) -> list[Bar]:
    """Return the part of a histogram that holds values, in at most 40 steps and, where there are as many, 8 or more."""
    filled = [index for index, count in enumerate(data.counts) if count]
    first, end = (filled[0], filled[-1] + 1) if filled else (0, 1)
    width = -(-(end - first) // _MOST_BARS)
    missing = max(0, _FEWEST_BARS - (end - first))
    first = max(0, min(first - missing // 2, len(data.counts) - _FEWEST_BARS))
    end = min(len(data.counts), max(end, first + _FEWEST_BARS))
    first = max(0, first - (first - end) % width)
    step = (data.high - data.low) / len(data.counts)
    return [
        Bar(data.low + step * at, data.low + step * (at + width), sum(data.counts[at : at + width]))
        for at in range(first, end, width)
    ]


def summed_up(data: Histogram, measure: Measure) -> str:
    """Say in words how values are distributed."""
    if data.least == data.most:
        return f"{measure.text(data.mean)} in every image."
    low, middle, high = (measure.text(quantile(data, share)) for share in (0.25, 0.5, 0.75))
    return (
        f"Median {middle}, half of the images between {low} and {high}; "
        f"least {measure.text(data.least)}, most {measure.text(data.most)}, mean {measure.text(data.mean)}."
    )


def histogram(data: Histogram, measure: Measure) -> Markup:
    """Draw how values are distributed, with the median; the bars of the middle half stand out."""
    shown = bars(data)
    low, high = shown[0].low, shown[-1].high
    tallest = max(bar.count for bar in shown)

    lower, middle, upper = (quantile(data, share) for share in (0.25, 0.5, 0.75))
    alternative = f"Histogram of {measure.title} of {data.total:,} images. {summed_up(data, measure)}"
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" width="100%" height="{}">{}{}{}'
        '<line class="axis" x1="0" x2="100%" y1="{}" y2="{}"/>{}</svg>'
    ).format(
        alternative,
        _HEIGHT_PX,
        _grid(tallest),
        _join(_bar(shown, index, measure, (lower, upper)) for index, bar in enumerate(shown) if bar.count),
        _median(100 * min(max((middle - low) / (high - low), 0), 1)),
        _FLOOR_PX,
        _FLOOR_PX,
        _axis(low, high, measure),
    )


def share_bar(share: float) -> Markup:
    """Draw `share` of a whole; the number stands beside it as text."""
    width = 100 * min(max(share, 0), 1)
    return Markup('<svg class="share" aria-hidden="true" width="100%" height="{}">{}{}</svg>').format(
        _BAR_PX, _rect("whole-bar", (0, 0, 100, _BAR_PX)), _rect("part-bar", (0, 0, width, _BAR_PX))
    )


def stage_bar(seconds: Mapping[str, float | None], longest_s: float) -> Markup:
    """Draw the seconds of each stage end to end, to the scale of the longest image, with an alternative in words."""
    known = [(stage, value) for stage in STAGES if (value := seconds.get(stage))]
    parts, at = [], 0.0
    for stage, value in known:
        width = 100 * value / longest_s if longest_s else 0.0
        parts.append(_rect(f"stage-{stage}", (at, 0, width, _BAR_PX), f"{STAGES[stage]}: {duration(value)}"))
        at += width
    words = ", ".join(f"{STAGES[stage]} {duration(value)}" for stage, value in known) or "no times"
    return Markup('<svg class="stages" role="img" aria-label="{}" width="100%" height="{}">{}</svg>').format(
        words, _BAR_PX, _join(parts)
    )


def swatch(stage: str) -> Markup:
    """Draw a stage's colour, for the legend."""
    return Markup('<svg class="swatch" aria-hidden="true" width="{0}" height="{0}">{1}</svg>').format(
        _BAR_PX, _rect(f"stage-{stage}", (0, 0, 100, _BAR_PX))
    )


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers between `low` and `high`, about as many as asked for, evenly spaced."""
    largest = (high - low) / (_FEWER * about)
    power = 10.0 ** math.floor(math.log10(largest))
    step = power * max(times for times in (1, 2, 2.5, 5) if power * times <= largest * (1 + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [step * index for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _bar(shown: Sequence[Bar], index: int, measure: Measure, half: tuple[float, float]) -> Markup:
    """Draw one of the bars; those outside the middle half are set back."""
    bar, tallest = shown[index], max(bar.count for bar in shown)
    room = 100 / len(shown)
    height = max(_LEAST_PX, (_FLOOR_PX - _TOP_PX) * bar.count / tallest)
    words = f"{measure.text(bar.low)} to {measure.text(bar.high)}: {bar.count:,}"
    kind = "bar" if bar.high > half[0] and bar.low < half[1] else "bar tail"
    return _rect(kind, (room * (index + _GAP / 2), _FLOOR_PX - height, room * (1 - _GAP), height), words)


def _grid(tallest: int) -> Markup:
    """Draw lines at round counts, each with its number above it at the left."""
    line = Markup(
        '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/><text class="count" x="0" y="{1}">{2:,}</text>'
    )
    counts = sorted({round(count) for count in ticks(0, tallest, _TICKS) if count >= 1 and count == round(count)})
    heights = [_FLOOR_PX - (_FLOOR_PX - _TOP_PX) * count / tallest for count in counts]
    return _join(line.format(f"{y:.1f}", f"{y - 4:.1f}", count) for y, count in zip(heights, counts, strict=True))


def _median(at: float) -> Markup:
    anchor = _anchor(at, edge=2 * _EDGE)
    return Markup(
        '<line class="median" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>'
        '<text class="median-label" x="{0:.2f}%" y="{3}" text-anchor="{4}">median</text>'
    ).format(at, _TOP_PX - 10, _FLOOR_PX, _TOP_PX - 14, anchor)


def _axis(low: float, high: float, measure: Measure) -> Markup:
    label = Markup('<text class="tick" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>')
    values = ticks(low * measure.factor, high * measure.factor, _TICKS)
    step = values[1] - values[0] if len(values) > 1 else high - low
    digits = next((n for n in range(_MOST_DIGITS) if math.isclose(step * 10**n, round(step * 10**n))), _MOST_DIGITS)
    placed = [(100 * (value / measure.factor - low) / (high - low), value) for value in values]
    return _join(
        label.format(at, _LABEL_PX, _anchor(at, edge=_EDGE), f"{value:,.{digits}f}{measure.unit}".replace("-", "−"))
        for at, value in placed
    )


def _anchor(at: float, *, edge: float) -> str:
    return "start" if at < edge else "end" if at > 100 - edge else "middle"


def _rect(kind: str, box: tuple[float, float, float, float], words: str = "") -> Markup:
    """Draw a rectangle: left edge and width in percent, top and height in pixels, and what a pointer is told."""
    left, top, width, height = box
    inside = Markup("<title>{}</title>").format(words) if words else ""
    return Markup('<rect class="{}" x="{:.3f}%" y="{:.1f}" width="{:.3f}%" height="{:.1f}">{}</rect>').format(
        kind, left, top, width, height, inside
    )


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
