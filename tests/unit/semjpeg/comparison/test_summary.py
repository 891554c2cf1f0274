"""Means, gains, groups, and the tables that tell of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from semjpeg.comparison import report
from semjpeg.comparison.entry import JPEG, OUR, TITLES, Entry, File
from semjpeg.comparison.report import Summary
from semjpeg.comparison.summary import groups, summarise


def told(entries, width: int = 160) -> list[str]:
    """Return the lines on a terminal."""
    console = Console(width=width, file=None, record=True, quiet=False)
    with console.capture() as captured:
        for table in report.to_tables(Summary("title", entries, TITLES, []), console.width):
            console.print(table)
    return captured.get().splitlines()


def entry(jpeg: dict[str, float], our: dict[str, float] | None, sizes: tuple[int, int] = (1000, 1000)) -> Entry:
    files = {JPEG: File(sizes[0], 50, jpeg)}
    if our is not None:
        files[OUR] = File(sizes[1], None, our)
    return Entry("a", "", 1, 1, None, files)


values = st.floats(-100, 100)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(values, values), min_size=1, max_size=30))
def test_means_and_gains_are_over_the_pictures(pairs):
    jpeg, our = summarise([entry({"psnr": a}, {"psnr": b}) for a, b in pairs])
    gains = [b - a for a, b in pairs]
    assert (jpeg.encoder, jpeg.pictures, jpeg.gains) == (JPEG, len(pairs), {})
    assert jpeg.means == {"psnr": pytest.approx(np.mean([a for a, _ in pairs]), abs=1e-9)}
    assert our.means == {"psnr": pytest.approx(np.mean([b for _, b in pairs]), abs=1e-9)}
    gain = our.gains["psnr"]
    assert gain.mean == pytest.approx(np.mean(gains), abs=1e-9)
    assert gain.better == sum(each > 0 for each in gains)
    if len(pairs) == 1:
        assert gain.interval is None
    else:
        low, high = gain.interval
        assert min(gains) - 1e-9 <= low <= high <= max(gains) + 1e-9


def test_the_interval_is_about_two_standard_errors_wide():
    random = np.random.default_rng(3)
    gains = random.normal(1, 2, 400)
    our = summarise([entry({"psnr": 30.0}, {"psnr": 30 + each}) for each in gains])[1]
    low, high = our.gains["psnr"].interval
    error = gains.std() / math.sqrt(400)
    assert low == pytest.approx(gains.mean() - 1.96 * error, abs=0.03)
    assert high == pytest.approx(gains.mean() + 1.96 * error, abs=0.03)


def test_bytes_are_compared_by_log_ratios_and_those_beyond_1_percent_counted():
    sizes = [(1000, 1010), (1000, 990), (1000, 1011), (1000, 989), (1000, 2000), (1000, 500)]
    our = summarise([entry({}, {}, pair) for pair in sizes])[1]
    assert our.off == 4
    ratios = [math.log(our_size / jpeg_size) for jpeg_size, our_size in sizes]
    assert our.bytes_percent == pytest.approx(100 * math.expm1(np.mean(ratios)))
    assert our.size_bytes == sum(size for _, size in sizes)


def test_an_encoder_is_compared_on_the_pictures_that_it_encoded():
    rows = summarise([entry({"psnr": 10.0}, {"psnr": 12.0}), entry({"psnr": 30.0}, None)])
    assert [(row.pictures, row.means["psnr"]) for row in rows] == [(2, 20), (1, 12)]
    assert rows[1].gains["psnr"].mean == 2
    assert "semjpeg (1 picture)" in "\n".join(told([entry({"psnr": 1.0}, {"psnr": 2.0}), entry({"psnr": 3.0}, None)]))


def test_a_measure_that_not_every_picture_has_is_left_out():
    jpeg, our = summarise([entry({"psnr": 1.0, "ssim": 0.5}, {"psnr": 2.0}), entry({"psnr": 1.0}, {"psnr": 2.0})])
    assert list(jpeg.means) == list(our.means) == list(our.gains) == ["psnr"]


def test_pictures_are_grouped_by_category_and_by_model_where_there_are_several(entry_of):
    same = [entry_of("a", category="x"), entry_of("b", category="x")]
    assert groups(same) == {}
    mixed = [entry_of("b", category="x", model=6), entry_of("a"), entry_of("c", category="x", model=1)]
    found = {name: [each.filename for each in entries] for name, entries in groups(mixed).items()}
    assert found == {
        "(no folder)": ["a"], "x": ["b", "c"], "model 1, mean": ["c"], "model 2, linear": ["a"],
        "model 6, median-narrow": ["b"],
    }  # fmt: skip
    unknown = [replace(same[0], model_number=9), replace(same[0], model_number=0)]
    assert list(groups(unknown)) == ["model 0", "model 9"]


def test_the_tables_show_ours_beside_the_papers(entry_of):
    lines = told([entry_of("a", 30, 1), entry_of("b", 32, 3, our_size=1100)])
    text = "\n".join(lines)
    assert "Means over 2 pictures, beside the paper's" in text
    ours = next(line for line in lines if line.startswith("semjpeg "))
    assert ours.split() == [
        "semjpeg", "+4.88", "1", "33.00", "33.00", "33.0000", "33.0000", "33.0000", "33.00", "33.00", "33.00",
    ]  # fmt: skip
    kodak = next(line for line in lines if line.startswith("paper, Kodak (24): theirs"))
    assert kodak.split()[-8:] == ["39.16", "34.82", "0.969", "0.991", "0.629", "35.05", "42.33", "–"]
    mit = next(line for line in lines if line.startswith("paper, MIT outdoor (200): JPEG"))
    assert mit.split()[-8:] == ["36.90", "31.84", "0.893", "0.982", "0.521", "35.91", "45.37", "–"]

    assert "+2.00" in text
    assert "+1.00 … +3.00" in text
    assert "category" not in text


def test_categories_have_their_own_rows(entry_of):
    lines = told([entry_of("a", gain=1, category="x"), entry_of("b", gain=-3, category="y")])
    rows = [line.split() for line in lines if line.startswith(("x ", "y "))]
    assert [row[:4] for row in rows] == [["x", "semjpeg", "1", "+1.00"], ["y", "semjpeg", "1", "−3.00"]]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_on_a_narrow_terminal_tables_are_cut_and_nothing_is_lost(entry_of, width):
    entries = [entry_of("a", category="x"), entry_of("b", 32, 3, category="y")]
    wide, narrow = told(entries, 300), told(entries, width)
    assert max(map(len, map(str.rstrip, narrow))) <= width
    assert set(" ".join(wide).split()) == set(" ".join(narrow).split())


def test_markdown_is_a_table_with_every_figure(entry_of):
    entries = [entry_of("a", category="x|y"), entry_of("b", 32, 3, category="z")]
    text = report.to_markdown(Summary("Title", entries, TITLES, ["A note."]))
    assert text.startswith("# Title\n")
    assert text.endswith("\n- A note.\n")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any(line.startswith("| x\\|y | semjpeg | 1 | +1.00 |") for line in rows)
    assert "| semjpeg | +2.00<br>+1.00 … +3.00 |" in text
    assert {line.replace("\\|", "").count("|") for line in rows} == {12, 10}


def test_json_has_the_means_the_gains_and_the_paper(entry_of):
    entries = [entry_of("a", category="x"), entry_of("b", 32, 3, category="z")]
    found = json.loads(json.dumps(report.to_json(Summary("Title", entries, TITLES, []))))
    assert found["pictures"] == 2
    ours = found["encoders"]["our"]
    assert ours["gains"]["ssimulacra2"] == {"mean": 2.0, "interval": [1.0, 3.0], "better": 2}
    assert found["encoders"]["jpeg"]["means"]["vifp"] == 31
    assert found["groups"]["z"]["our"]["gains"]["psnr"] == {"mean": 3.0, "interval": None, "better": 1}
    assert found["paper"]["paper, Kodak (24): JPEG"]["psnr_s"] == 33.91
