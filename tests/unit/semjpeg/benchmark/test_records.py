"""The plan of a benchmark, the records that it makes, and their CSV file and charts."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

import codec
from codec import reference
from semjpeg.benchmark import plan, report
from semjpeg.benchmark.charts import charts
from semjpeg.benchmark.measures import SLOW, TITLES
from semjpeg.benchmark.pictures import ellipse
from semjpeg.benchmark.plan import Plan
from semjpeg.benchmark.runs import Job, measure_picture
from semjpeg.benchmark.table import Results

QUALITIES = (30, 50, 70, 90)


def test_the_curves_of_the_others_reach_beyond_ours_within_the_scale():
    assert [s.rate.quality for s in Plan(QUALITIES).curve("libjpeg-turbo")] == [20, 30, 50, 70, 90, 95]
    assert [s.rate.quality for s in Plan((5, 30, 70, 99)).curve("libjpeg-turbo")] == [1, 5, 30, 70, 99, 100]
    assert [s.rate.quality for s in Plan((5, 30, 70, 99)).curve("semjpeg")] == [5, 30, 70, 99]


def test_each_file_is_planned_once_and_slow_measures_only_where_needed():
    needs = Plan(masks=True).settings()
    curves = {name for map_name in ("none", "ellipse", "mask") for name in Plan(masks=True).curves(map_name)}
    assert curves == {"libjpeg-turbo", "mozjpeg", "jpegli", "semjpeg, balanced", "semjpeg, hvs"}
    assert needs[plan.ours(codec.Quality(60))] == {"ssimulacra2"}
    assert needs[plan.ours(codec.Quality(60), "mask", "hvs")] == set()
    assert needs[plan.EQUAL_BYTES["libjpeg"]] == SLOW
    assert needs[plan.EQUAL_BYTES["network's map, psnr"]] == {"ms_ssim", "vifp"}
    assert len(needs) == 3 * 9 + 2 * 7 + 2 * 7 + 5 + 1 + 3  # others, no map, maps, equal bytes, 75, progressive
    assert not any(setting.map == "mask" for setting in Plan().settings())


@pytest.fixture(scope="module")
def records(tmp_path_factory, coffee):
    """Two pictures through everything, at four qualities."""
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for name, pixels in {"a": coffee[200:296, 300:412], "b": coffee[100:196, 200:296]}.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[30:70, 30:70] = 255
        Image.fromarray(mask).save(folder / f"{name}.mask.png")
        job = Job(folder / f"{name}.png", folder / f"{name}.mask.png", ellipse(), Plan(QUALITIES, masks=True))
        found += measure_picture(job)
    return found


def test_a_record_tells_of_the_file_that_its_setting_makes(records):
    record = next(r for r in records if r.setting == plan.ours(codec.Quality(70), "mask", "hvs"))
    pixels = np.asarray(Image.open(record.picture))
    mask = np.asarray(Image.open(record.picture.with_suffix(".mask.png")), np.float32) / 255
    jpeg = codec.encode(pixels, mask, rate=codec.Quality(70), aim="hvs", strength=0.9).data
    assert record.size_bytes == len(jpeg)
    assert record.bits_per_pixel == pytest.approx(8 * len(jpeg) / (96 * 112))
    assert record.measures["psnr"] == codec.measure(pixels, reference.decode(jpeg)).psnr


def test_the_csv_has_a_row_for_each_file_with_its_measures(records):
    rows = list(csv.DictReader(io.StringIO(report.to_csv(records))))
    assert len(rows) == len(records) == 2 * len(Plan(QUALITIES, masks=True).settings())
    assert set(TITLES) <= rows[0].keys()
    keys = ("picture", "encoder", "method", "aim", "map", "setting")
    assert len({tuple(row[key] for key in keys) for row in rows}) == len(rows)
    row = next(r for r in rows if r["method"] == "mosaic")
    assert (row["picture"], row["encoder"], row["map"], row["setting"]) == (
        "a.png", "semjpeg", "network", "bytes of libjpeg at 50",
    )  # fmt: skip
    assert float(row["vifp"]) > 0
    assert row["ssimulacra2"] == ""
    theirs = next(r for r in rows if r["encoder"] == "mozjpeg")
    assert (theirs["aim"], theirs["method"], theirs["setting"]) == ("", "", "quality 29")
    assert float(theirs["bits_per_pixel"]) == pytest.approx(8 * int(theirs["bytes"]) / (96 * 112), abs=1e-5)


def test_there_is_a_chart_for_each_measure_and_kind_of_map(records):
    drawn = charts(Results(records), Plan(QUALITIES, masks=True))
    assert set(drawn) == {
        "none-psnr_hvs_m.png", "none-ssimulacra2.png", "none-psnr.png", "none-ssim.png", "ellipse-psnr_hvs_m.png",
        "ellipse-psnr_hvs_m_ellipse.png", "mask-psnr_hvs_m.png", "mask-psnr_hvs_m_mask.png",
    }  # fmt: skip
    for name, chart in drawn.items():
        pixels = np.asarray(Image.open(io.BytesIO(chart)).convert("RGB"))
        assert (pixels == 255).all(axis=2).mean() > 0.7
        colours = {tuple(colour) for colour in pixels[::2, ::2].reshape(-1, 3).tolist()}
        curves = 5 if name.startswith("none") else 4
        assert len(colours & {(102, 102, 102), (0, 158, 115), (204, 121, 167), (0, 114, 178), (213, 94, 0)}) == curves
