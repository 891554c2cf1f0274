"""The table of a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from semjpeg.benchmark import plan, report, speed, table
from semjpeg.benchmark.measures import SLOW, TITLES
from semjpeg.benchmark.plan import Plan
from semjpeg.benchmark.runs import Record
from semjpeg.benchmark.table import Line, Results, lines

QUALITIES = (30, 50, 70, 90)


def invented(factor: float, gain: float, *, masks: bool = True) -> list[Record]:
    """Two pictures on which our files have `factor` times the bytes at equal measure, or `gain` more at equal bytes."""
    found = []
    for picture, base in (("a", 1000), ("b", 5000)):
        for setting, slow in Plan(QUALITIES, masks=masks).settings().items():
            ours = setting.encoder == plan.OURS
            equal = setting in plan.EQUAL_BYTES.values() and ours
            level = setting.rate.quality
            size = base * 1.02**level * (factor if ours and not equal else 1)
            measures = dict.fromkeys((*TITLES.keys() - SLOW, *slow), level + (gain if equal else 0))
            found.append(Record(Path(picture), 10_000, setting, round(size * 1000), measures))
    return found


def lookup(found: list[Line]) -> dict[tuple[int, str, str, str], Line]:
    return {(line.row, line.setting, line.against, line.figure.partition(" (")[0]): line for line in found}


def test_every_row_is_computed_from_its_own_files():
    table_lines = lookup(
        lines(Results(invented(0.8, 1.5)), Plan(QUALITIES, masks=True), speed.Speed(12, 0.4, 1.6, 1.9, 130.0))
    )
    expected = {
        (1, "no map, balanced", "mozjpeg", "BD-rate, PSNR-HVS-M"): (-20, "aim"),
        (1, "no map, balanced", "mozjpeg", "BD-rate, SSIMULACRA2"): (-20, "aim"),
        (2, "no map, balanced", "jpegli", "BD-rate, PSNR-HVS-M"): (-20, "must"),
        (2, "no map, balanced", "jpegli", "BD-rate, SSIMULACRA2"): (-20, "aim"),
        (3, "no map, hvs", "libjpeg-turbo", "BD-rate, PSNR-HVS-M"): (-20, "must"),
        (3, "no map, hvs", "mozjpeg", "BD-rate, PSNR-HVS-M"): (-20, "aim"),
        (4, "mask, hvs, strength 0.9", "libjpeg-turbo", "BD-rate, PSNR-HVS-M in the mask"): (-20, "no"),
        (4, "mask, hvs, strength 0.9", "libjpeg-turbo", "BD-rate, PSNR-HVS-M"): (-20, "must"),
        (5, "ellipse, hvs", "mozjpeg", "BD-rate, PSNR-HVS-M in the ellipse"): (-20, "must"),
        (5, "ellipse, hvs", "mozjpeg", "BD-rate, PSNR-HVS-M"): (-20, "must"),
        (6, "network's map, psnr", "libjpeg-turbo at 50", "PSNR-S"): (1.5, "must"),
        (6, "network's map, psnr", "libjpeg-turbo at 50", "VIFp"): (1.5, "must"),
        (6, "no map, balanced", "libjpeg-turbo at 50", "MS-SSIM"): (1.5, ""),
        (6, "network's map, mosaic", "libjpeg-turbo at 50", "bytes"): (0, ""),
        (7, "map, 12 megapixels", "mozjpeg", "seconds"): (0.25, "aim"),
        (7, "map, 12 megapixels", "one thread", "throughput of two threads"): (1.9, "must"),
        (7, "map, 12 megapixels", "the pixels", "memory beside them"): (130, "must"),
        (8, "no map, balanced", "libjpeg-turbo progressive", "bytes at quality 75 of both"): (-20, ""),
    }
    for key, (result, met) in expected.items():
        line = table_lines[key]
        # the others' curves have their own qualities, and the size of each is the same function of the measure
        assert line.result == pytest.approx(result, abs=0.01), key
        assert line.met == met, key


def test_rows_that_need_masks_or_speed_are_left_out_without_them():
    found = lines(Results(invented(0.8, 1, masks=False)), Plan(QUALITIES), None)
    assert {line.row for line in found} == {1, 2, 3, 5, 6, 8}
    assert lines(Results([]), Plan(), None) == []


def test_memory_that_the_system_does_not_tell_gives_no_line():
    found = lines(Results(invented(1, 0)), Plan(QUALITIES, masks=True), speed.Speed(12, 1, 1, 2, None))
    assert [line.figure for line in found if line.row == 7] == ["seconds (1.00 / 1.00)", "throughput of two threads"]


def test_files_that_miss_the_equal_bytes_are_counted():
    changed = [
        Record(r.picture, r.pixels, r.setting, round(r.size_bytes * 0.98), r.measures)
        if r.setting == plan.EQUAL_BYTES["no map, balanced"] and r.picture.name == "a"
        else r
        for r in invented(1, 0)
    ]
    figures = {
        line.setting: line for line in lines(Results(changed), Plan(QUALITIES), None) if "bytes (" in line.figure
    }
    assert figures["no map, balanced"].figure == "bytes (1 off by over 1 %)"
    assert figures["no map, balanced"].result == pytest.approx(100 * (0.98**0.5 - 1), abs=0.01)
    assert figures["network's map, psnr"].figure == "bytes (0 off by over 1 %)"


def test_pictures_without_overlap_are_not_counted():
    far = [
        Record(
            r.picture, r.pixels, r.setting, r.size_bytes, {**r.measures, "psnr_hvs_m": 1000 + r.setting.rate.quality}
        )
        if r.picture.name == "a" and r.setting.encoder == "mozjpeg"
        else r
        for r in invented(0.5, 0)
    ]
    line = lines(Results(far), Plan(QUALITIES), None)[0]
    assert line.result == pytest.approx(-50, abs=0.01)
    assert line.pictures == 1


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("%", -12.34, "−12.3 %"),
        ("dB", 1, "+1.00 dB"),
        ("", -0.00123, "−0.0012"),
        ("×", 0.5, "0.50 ×"),
        ("MB", 119.6, "120 MB"),
        ("%", None, "–"),
    ],
)
def test_numbers_are_written_with_sign_and_unit(unit, value, text):
    assert Line(1, "", "", "", None, unit).text(value) == text


def test_the_markdown_holds_every_line_and_the_measures_at_equal_bytes():
    results = Results(invented(0.8, 1.5))
    found = lines(results, Plan(QUALITIES, masks=True), speed.Speed(12, 0.4, 1.6, 1.9, 130.0))
    text = report.to_markdown(found, results, "album")
    assert text.startswith("# semjpeg beside other JPEG encoders: album, 2 pictures\n\n| row | semjpeg | against |")
    assert "| 3 | no map, hvs | libjpeg-turbo | BD-rate, PSNR-HVS-M | 2 | −20.0 % | −17.0 % | −22.0 % | must |" in text
    assert "| no map, balanced | 51.50 | 51.50 | 51.5000 | 51.5000 | 51.5000 | 51.50 | 51.50 |" in text
    assert "| libjpeg | 50.00 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == len(found) + 2 + len(plan.EQUAL_BYTES) + 2


def test_every_measure_at_equal_bytes_is_one_that_is_made():
    assert set(table.EQUAL_BYTES_MEASURES) <= set(TITLES)
