"""Rate–distortion curves as pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from semjpeg.benchmark import plan
from semjpeg.benchmark.measures import DECIBELS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from semjpeg.benchmark.plan import Plan, Setting
    from semjpeg.benchmark.table import Results

_MEASURES: Final = {
    "none": ("psnr_hvs_m", "ssimulacra2", "psnr", "ssim"),
    "ellipse": ("psnr_hvs_m_ellipse", "psnr_hvs_m"),
    "mask": ("psnr_hvs_m_mask", "psnr_hvs_m"),
}
"""What is drawn for each kind of map."""

_MAP_TITLES: Final = {"none": "no map", "ellipse": "an ellipse in the middle as map", "mask": "the mask as map"}

# Colours of Okabe and Ito, "Color Universal Design", 2008, told apart by the colour-blind; markers and dashes tell the
# curves apart without any colour.
_STYLES: Final[dict[str, tuple[str, str, Any]]] = {
    plan.LIBJPEG: ("#666666", "s", ":"),
    plan.MOZJPEG: ("#009E73", "^", "-."),
    plan.JPEGLI: ("#CC79A7", "D", "--"),
    f"{plan.OURS}, balanced": ("#0072B2", "o", "-"),
    f"{plan.OURS}, hvs": ("#D55E00", "v", (0, (7, 2))),
}

_TICKS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8)


def charts(results: Results, planned: Plan) -> dict[str, bytes]:
    """Draw a chart for each measure and kind of map.

    Returns:
        PNG files by name.
    """
    return {
        f"{map_name}-{measure}.png": _chart(results, planned.curves(map_name), measure, _MAP_TITLES[map_name])
        for map_name in planned.maps
        for measure in _MEASURES[map_name]
    }


def _chart(results: Results, curves: dict[str, list[Setting]], measure: str, title: str) -> bytes:
    """Draw the mean curves: at each setting the geometric mean of the rates and the mean of the measure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), dpi=150, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    rates: list[float] = []
    for name, settings in curves.items():
        colour, marker, dashes = _STYLES[name]
        x = [float(np.exp(np.mean([np.log(r.bits_per_pixel) for r in results.of(setting)]))) for setting in settings]
        y = [results.mean(setting, measure) for setting in settings]
        axes.plot(x, y, color=colour, marker=marker, linestyle=dashes, linewidth=1.8, markersize=5.5, label=name)
        rates += x
    label_rates(axes, rates)
    axes.set_ylabel(f"{TITLES[measure]}{' in dB' if measure in DECIBELS else ''}")
    axes.set_title(f"{TITLES[measure]}, {title}: means over {results.size}", fontsize=12)
    return to_png(figure)


def to_png(figure: Figure) -> bytes:
    """Return a figure as the file of a PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def label_rates(axes: Axes, rates: list[float]) -> None:
    """Give the axes a logarithmic rate with plain numbers, a faint grid and a legend."""
    low, high = min(rates) / 1.08, max(rates) * 1.08
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("bits per pixel")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
