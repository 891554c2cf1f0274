from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semjpeg.report import charts
from semjpeg.report.summary import Histogram
from semjpeg.report.words import MEASURES, SAVING

HVSM = MEASURES["psnr_hvs_m"]


def histogram_of(values, low=0.0, high=100.0, steps=200) -> Histogram:
    counts, _ = np.histogram(np.clip(values, low, high), steps, (low, high))
    return Histogram(low, high, tuple(counts.tolist()), float(min(values)), float(max(values)), float(np.mean(values)))


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  ours


VALUES = st.lists(st.floats(-20, 120), min_size=1, max_size=200)


@given(VALUES, st.floats(0, 1))
def test_quantiles_are_those_of_the_values_but_for_a_step(values, share):
    expected = np.quantile(values, share, method="inverted_cdf")
    found = charts.quantile(histogram_of(values), share)
    assert min(values) <= found <= max(values)
    if 0 < expected < 100:
        assert abs(found - expected) <= 0.5 + 1e-9


def test_the_values_of_a_step_count_as_spread_evenly():
    data = Histogram(0, 10, (0, 100, 0, 0, 0), 2.0, 4.0, 3.0)
    assert charts.quantile(data, 0.25) == pytest.approx(2.5)
    assert charts.quantile(data, 0.5) == pytest.approx(3)


@given(VALUES)
def test_bars_are_few_contiguous_and_complete(values):
    data = histogram_of(values)
    shown = charts.bars(data)
    assert sum(bar.count for bar in shown) == len(values)
    assert 8 <= len(shown) <= 41
    assert [bar.low for bar in shown[1:]] == pytest.approx([bar.high for bar in shown[:-1]])
    widths = [bar.high - bar.low for bar in shown]
    assert widths == pytest.approx([widths[0]] * len(widths))


@given(st.lists(st.integers(0, 199), min_size=1))
def test_every_bar_counts_what_lies_in_it(steps):
    values = [0.25 + step / 2 for step in steps]
    for bar in charts.bars(histogram_of(values)):
        assert bar.count == sum(bar.low <= value < bar.high for value in values)


def test_the_bars_zoom_in_on_what_is_there():
    shown = charts.bars(histogram_of([40.1, 41.2, 43.9]))
    assert shown[0].low == 40
    assert shown[-1].high == 44


@given(st.floats(-1000, 1000), st.floats(0.5, 1000), st.integers(2, 6))
def test_ticks_are_round_inside_and_about_as_many(low, width, about):
    found = charts.ticks(low, low + width, about)
    assert 0.8 * about - 1 <= len(found) <= 2 * about + 1
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)
    if len(found) > 1:
        step = found[1] - found[0]
        leading = step / 10 ** np.floor(np.log10(step * 1.000001))
        assert min(abs(leading - nice) for nice in (1, 2, 2.5, 5)) < 1e-3
        assert found[0] / step == pytest.approx(round(found[0] / step), abs=1e-3)


@given(VALUES)
def test_a_histogram_is_well_formed_and_says_in_words_what_it_shows(values):
    data = histogram_of(values)
    svg = parsed(charts.histogram(data, HVSM))
    assert svg.get("role") == "img"
    words = svg.get("aria-label")
    assert words == f"Histogram of PSNR-HVS-M of {len(values):,} images. {charts.summed_up(data, HVSM)}"
    filled = [rect for rect in svg.iter("rect") if rect.get("class").startswith("bar")]
    assert sum(int(rect.findtext("title").split(": ")[1].replace(",", "")) for rect in filled) == len(values)
    assert all(0 <= float(rect.get("x")[:-1]) <= 100 for rect in filled)


def test_words_name_median_quartiles_and_extremes():
    assert charts.summed_up(Histogram(0, 1, (10,) * 10, 0.0, 1.0, 0.5), SAVING) == (
        "Median 50.0%, half of the images between 25.0% and 75.0%; least 0.0%, most 100.0%, mean 50.0%."
    )


def test_equal_values_need_no_quartiles():
    assert charts.summed_up(histogram_of([41.26]), HVSM) == "41.3 dB in every image."


def test_the_middle_half_stands_out():
    svg = parsed(charts.histogram(Histogram(0, 16, (10,) * 16, 0, 16, 8), HVSM))
    assert [rect.get("class") for rect in svg.iter("rect")] == ["bar tail"] * 4 + ["bar"] * 8 + ["bar tail"] * 4


def test_the_tallest_bar_fills_the_chart_and_the_others_are_to_scale():
    svg = parsed(charts.histogram(Histogram(0, 8, (1, 2, 4, 0, 0, 0, 0, 2), 0.5, 7.5, 3), HVSM))
    heights = [float(rect.get("height")) for rect in svg.iter("rect")]
    assert np.array(heights) / max(heights) == pytest.approx([0.25, 0.5, 1, 0.5], abs=0.01)


def test_axis_labels_bear_the_unit():
    svg = charts.histogram(histogram_of([-0.4, 0.2, 0.8], -1, 1, 40), SAVING)
    assert re.findall(r'class="tick"[^>]*>([^<]+)<', svg) == ["−25%", "0%", "25%", "50%", "75%"]


def test_stages_are_drawn_to_scale_and_told_in_words():
    svg = parsed(charts.stage_bar({"fetch": 1.0, "encode": 3.0, "map": None}, 8.0))
    assert svg.get("aria-label") == "fetch 1.00 s, encode 3.00 s"
    assert [(r.get("class"), r.get("x"), r.get("width")) for r in svg] == [
        ("stage-fetch", "0.000%", "12.500%"),
        ("stage-encode", "12.500%", "37.500%"),
    ]


def test_stages_without_times():
    assert 'aria-label="no times"' in charts.stage_bar({}, 0.0)


@pytest.mark.parametrize(("share", "width"), [(-1, "0.000%"), (0.25, "25.000%"), (7, "100.000%")])
def test_shares_stay_within_the_whole(share, width):
    part = parsed(charts.share_bar(share))[1]
    assert part.get("width") == width
