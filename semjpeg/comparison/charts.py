"""What an evaluation looks like: bars for each picture, rate–distortion curves, how much is saved."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from semjpeg.benchmark.charts import label_rates, to_png
from semjpeg.benchmark.measures import DECIBELS
from semjpeg.benchmark.measures import TITLES as MEASURE_TITLES
from semjpeg.comparison.entry import (
    COLUMNS,
    JPEG,
    JPEGLI,
    MOSAIC,
    MOSAIC_PROGRAM,
    MOZJPEG,
    OUR,
    OUR_PSNR,
    TITLES,
    Entry,
    Point,
    Result,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

# Colours of Okabe and Ito, "Color Universal Design", 2008, told apart by the colour-blind; markers and dashes tell the
# curves apart without any colour, and the side of the axis the bars.
_STYLES: Final[dict[str, tuple[str, str, Any]]] = {
    JPEG: ("#666666", "s", ":"),
    MOSAIC: ("#56B4E9", "X", (0, (1, 1))),
    MOSAIC_PROGRAM: ("#E69F00", "P", (0, (3, 1, 1, 1))),
    OUR: ("#0072B2", "o", "-"),
    OUR_PSNR: ("#D55E00", "v", (0, (7, 2))),
    MOZJPEG: ("#009E73", "^", "-."),
    JPEGLI: ("#CC79A7", "D", "--"),
}
_BETTER: Final = "#009E73"
_WORSE: Final = "#D55E00"
_INK: Final = "#333333"
_DPI: Final = 120

_MOST_NAMES: Final = 60
"""Pictures up to which each bar bears its name; more are sorted by the difference."""

_LONGEST_NAME: Final = 24

_FEWEST_BARS: Final = 12
"""A panel has room for at least so many, so that few do not become broad."""

_BIN: Final = 2.5
"""Width of the histogram's bins in percent."""


def difference_charts(entries: Sequence[Entry], names: Mapping[str, str]) -> dict[str, bytes]:
    """Draw, for each encoder, a bar for each picture and measure: its file's less that of libjpeg's.

    Args:
        entries: The pictures.
        names: What the encoders are called in print.

    Returns:
        PNG files by name.
    """
    encoders = dict.fromkeys(encoder for entry in entries for encoder in entry.files if encoder != JPEG)
    drawn = {}
    for encoder in encoders:
        chosen = [entry for entry in entries if encoder in entry.files]
        title = f"{names.get(encoder, encoder)} against {names.get(JPEG, JPEG)} at equal bytes: what each picture gains"
        drawn[f"difference-{encoder.replace('_', '-')}.png"] = _differences(chosen, encoder, title)
    return drawn


def _differences(entries: Sequence[Entry], encoder: str, title: str) -> bytes:
    from matplotlib.figure import Figure

    gains = {
        measure: [entry.files[encoder].measures[measure] - entry.files[JPEG].measures[measure] for entry in entries]
        for measure in COLUMNS
        if all(measure in entry.files[which].measures for entry in entries for which in (encoder, JPEG))
    }
    named = len(entries) <= _MOST_NAMES
    width = max(7.5, 2.5 + 0.3 * len(entries)) if named else 12
    figure = Figure(figsize=(width, 1.5 * len(gains) + 1.6), dpi=_DPI, layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=12)
    panels = figure.subplots(len(gains), 1, squeeze=False)[:, 0]
    for axes, (measure, values) in zip(panels, gains.items(), strict=True):
        _bars(axes, measure, values if named else sorted(values, reverse=True))
        if named:
            _separate(axes, [entry.category for entry in entries])
        axes.set_xticks([])
    if named and len(panels):
        texts = [_printable(entry.filename.replace("\\", "/").rpartition("/")[2]) for entry in entries]
        panels[-1].set_xticks(range(len(texts)), texts, rotation=90, fontsize=8)
    elif len(panels):
        panels[-1].set_xlabel(f"{len(entries)} pictures, in each panel from the best to the worst")
    return to_png(figure)


def _bars(axes: Axes, measure: str, values: Sequence[float]) -> None:
    """Draw one measure's bars and tell their mean."""
    mean = float(np.mean(values))
    if len(values) <= _MOST_NAMES:
        axes.bar(range(len(values)), values, width=0.8, color=[_BETTER if value > 0 else _WORSE for value in values])
    else:  # thousands of bars take minutes to draw, and touch anyway
        for part, colour in ((np.clip(values, 0, None), _BETTER), (np.clip(values, None, 0), _WORSE)):
            if part.any():
                axes.fill_between(range(len(values)), part, step="mid", color=colour, linewidth=0)
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.axhline(mean, color=_INK, linewidth=1, linestyle="--")
    axes.margins(y=0.12)
    axes.set_xlim(-0.6, max(len(values), _FEWEST_BARS) - 0.4)
    unit = " dB" if measure in DECIBELS else ""
    places = 2 if measure in DECIBELS or measure == "ssimulacra2" else 4
    better = sum(value > 0 for value in values)
    told = f"{mean:+.{places}f}{unit}".replace("-", "−")
    text = f"{MEASURE_TITLES[measure]}: mean {told} (dashed), better on {better} of {len(values)}"
    axes.set_title(text, fontsize=9.5, loc="left")
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _separate(axes: Axes, categories: Sequence[str]) -> None:
    """Draw a line where one category ends and the next begins."""
    for place in range(1, len(categories)):
        if categories[place] != categories[place - 1]:
            axes.axvline(place - 0.5, color="#999999", linewidth=0.8, linestyle=":")


def _printable(name: str) -> str:
    """Shorten a name in its middle; what fonts cannot show becomes a question mark."""
    plain = "".join(letter for letter in name if letter.isprintable() and not unicodedata.combining(letter))
    plain = plain.encode("latin-1", "replace").decode("latin-1").replace("$", r"\$")
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[: _LONGEST_NAME // 2]}…{plain[-_LONGEST_NAME // 2 + 1 :]}"


def curve_charts(results: Sequence[Result]) -> dict[str, bytes]:
    """Draw, for each measure, the mean curve of each encoder, at the bytes of libjpeg's files.

    Returns:
        PNG files by name.
    """
    points = [(result.entry, point) for result in results for point in result.points]
    measures = [measure for measure in COLUMNS if points and measure in points[0][1].measures]
    return {f"curve-{measure.replace('_', '-')}.png": _curves(points, measure, len(results)) for measure in measures}


def _curves(points: Sequence[tuple[Entry, Point]], measure: str, pictures: int) -> bytes:
    """At each quality the geometric mean of the rates and the mean of the measure."""
    from matplotlib.figure import Figure

    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for entry, point in points:
        width, height = entry.size_px or (1, 1)
        rate = float(np.log(8 * point.size_bytes / (width * height)))
        found.setdefault(point.encoder, {}).setdefault(point.quality, []).append((rate, point.measures[measure]))
    figure = Figure(figsize=(8, 5.5), dpi=_DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    rates: list[float] = []
    for encoder, curve in found.items():
        colour, marker, dashes = _STYLES[encoder]
        means = np.array([np.mean(curve[quality], axis=0) for quality in sorted(curve)])
        x = np.exp(means[:, 0])
        style = {"color": colour, "marker": marker, "linestyle": dashes, "linewidth": 1.8, "markersize": 5.5}
        axes.plot(x, means[:, 1], label=TITLES[encoder], **style)
        rates += x.tolist()
    label_rates(axes, rates)
    axes.legend(frameon=False, handlelength=4.5)
    axes.set_ylabel(f"{MEASURE_TITLES[measure]}{' in dB' if measure in DECIBELS else ''}")
    qualities = ", ".join(str(quality) for quality in sorted({point.quality for _, point in points}))
    axes.set_title(
        f"{MEASURE_TITLES[measure]} at the bytes of libjpeg at {qualities}: means over {_pictures(pictures)}",
        fontsize=11,
    )
    return to_png(figure)


def saving_chart(results: Sequence[Result]) -> bytes:
    """Draw how many pictures save how much, at each quality that is promised; a PNG."""
    from matplotlib.figure import Figure

    saved: dict[int, list[float]] = {}
    for result in results:
        for saving in result.savings:
            saved.setdefault(saving.quality, []).append(saving.percent)
    values = [value for column in saved.values() for value in column]
    bins = _BIN * np.arange(np.floor(min(values) / _BIN), np.floor(max(values) / _BIN) + 2)
    figure = Figure(figsize=(8, 1.5 * len(saved) + 1.2), dpi=_DPI, layout="constrained", facecolor="white")
    figure.suptitle(f"Bytes saved where libjpeg's quality is promised: {_pictures(len(results))}", fontsize=12)
    panels = figure.subplots(len(saved), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (quality, column) in zip(panels, sorted(saved.items()), strict=True):
        axes.hist(column, bins=bins, color="#0072B2", edgecolor="white")
        median = float(np.median(column))
        axes.axvline(median, color=_INK, linestyle="--", linewidth=1.2)
        axes.set_title(f"quality {quality}: half save {median:.1f} % or more (dashed)", fontsize=9.5, loc="left")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel("pictures", fontsize=9)
    panels[-1].set_xlabel("bytes saved against libjpeg's plain file of the same quality, %")
    return to_png(figure)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"
