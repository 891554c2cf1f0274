from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import mozjpeg_lossless_optimization
import numpy as np
import psnr_hvsm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import codec
from codec import reference
from config.errors import ConfigurationError, UnsupportedImageError
from semjpeg import benchmark
from semjpeg.benchmark import plan, report, speed, table
from semjpeg.benchmark.bjontegaard import bd_rate, percent
from semjpeg.benchmark.charts import charts
from semjpeg.benchmark.encoders import ENCODERS
from semjpeg.benchmark.measures import SLOW, TITLES, Judge
from semjpeg.benchmark.pictures import ellipse, find, large_picture, read_mask, read_picture
from semjpeg.benchmark.plan import Plan
from semjpeg.benchmark.runs import Job, Record, measure_picture
from semjpeg.benchmark.table import Line, Results, lines

QUALITIES = (30, 50, 70, 90)


@pytest.fixture(scope="module")
def coffee():
    return data.coffee()


def curve(factor: float = 1, shift: float = 0) -> list[tuple[float, float]]:
    return [(factor * 1000 * 2**step, 30 + 5 * step + shift) for step in range(5)]


# --- the Bjøntegaard delta rate ---


@pytest.mark.parametrize("factor", [0.5, 0.9, 1, 2])
def test_a_constant_factor_in_bytes_is_the_bd_rate(factor):
    assert bd_rate(curve(), curve(factor)) == pytest.approx(math.log(factor), abs=1e-12)


def test_a_shift_in_quality_counts_as_the_bytes_that_it_takes():
    # bytes double each 5 dB: 2.5 dB more are worth half an octave
    assert bd_rate(curve(), curve(shift=2.5)) == pytest.approx(-math.log(2) / 2)


def test_a_parabola_in_the_log_is_integrated_where_both_curves_are():
    measures = np.linspace(0, 10, 41)
    theirs = [(math.exp(0.01 * m * m), m) for m in measures]
    ours = [(1.0, m) for m in np.linspace(5, 20, 7)]
    mean_square = (10**3 - 5**3) / 3 / 5
    assert bd_rate(theirs, ours) == pytest.approx(-0.01 * mean_square, rel=1e-4)


def test_the_curves_are_monotone_cubics_through_the_points():
    # Level, then a rise of 1: the slopes are 0, 0 and, at the end, (3·1 − 0)/2. The integral over the rise of the cubic
    # with these is 1/2 + (0 − 3/2)/12 = 3/8, where straight lines have 1/2.
    kinked = [(1.0, 0.0), (1.0, 1.0), (math.e, 2.0)]
    level = [(1.0, 0.0), (1.0, 1.0), (1.0, 2.0)]
    assert bd_rate(level, kinked) == pytest.approx(0.375 / 2)


@given(
    st.lists(st.floats(0.1, 2), min_size=8, max_size=8),
    st.lists(st.floats(0.1, 2), min_size=8, max_size=8),
    st.randoms(use_true_random=False),
)
def test_swapping_the_encoders_changes_the_sign_and_order_does_not_matter(rates, gains, random):
    points = list(zip(np.exp(np.cumsum(rates)), np.cumsum(gains), strict=True))
    theirs, ours = points[::2], points[1::2]
    shuffled = random.sample(theirs, len(theirs))
    forth = bd_rate(theirs, ours)
    back = bd_rate(ours, shuffled)
    assert (forth is None) == (back is None)
    if forth is not None:
        assert back == pytest.approx(-forth)


def test_no_overlap_and_too_few_points_give_no_rate():
    assert bd_rate(curve(), curve(shift=20)) is None
    assert bd_rate(curve(), [(1000, 35), (900, 35)]) is None


def test_files_of_equal_measure_count_with_the_smallest():
    assert bd_rate(curve(), [*curve(0.5), (99_999, 40)]) == pytest.approx(math.log(0.5))


def test_percent_is_of_the_geometric_mean():
    assert percent([math.log(0.5), math.log(2)]) == pytest.approx(0)
    assert percent([math.log(0.8)]) == pytest.approx(-20)


# --- encoders ---


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_gives_a_file_of_the_right_size_at_420_that_grows_with_quality(name, coffee):
    pixels = coffee[:97, :131]
    files = [ENCODERS[name].encode(pixels, quality) for quality in (40, 85)]
    assert len(files[0]) < len(files[1])
    with Image.open(io.BytesIO(files[1])) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (131, 97), "RGB")
        assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]
        assert bool(image.info.get("progressive")) is (name != "libjpeg-turbo")
    assert codec.measure(pixels, reference.decode(files[1])).psnr > 32


def test_mozjpeg_searches_its_scans_itself_and_beats_libjpeg(coffee):
    jpeg = ENCODERS["mozjpeg"].encode(coffee, 75)
    assert len(mozjpeg_lossless_optimization.optimize(jpeg)) >= 0.999 * len(jpeg)
    same = [reference.decode(file) for file in (jpeg, reference.libjpeg(coffee, 75))]
    assert len(jpeg) < 0.9 * len(reference.libjpeg(coffee, 75))
    assert not np.array_equal(*same)


@pytest.mark.parametrize("name", ["mozjpeg", "jpegli"])
@pytest.mark.parametrize("quality", [30, 50, 70, 90])
def test_scales_are_aligned_by_psnr_hvs_m(name, quality, coffee):
    encoder = ENCODERS[name]
    values = [
        codec.measure(coffee, reference.decode(jpeg)).psnr_hvs_m
        for jpeg in (encoder.encode(coffee, encoder.quality(quality)), reference.libjpeg(coffee, quality))
    ]
    assert values[0] == pytest.approx(values[1], abs=1.2)


def test_qualities_between_are_interpolated_and_the_ends_kept():
    assert [ENCODERS["mozjpeg"].quality(quality) for quality in (1, 50, 60, 100)] == [1, 64, 70, 100]
    assert [ENCODERS["libjpeg-turbo"].quality(quality) for quality in QUALITIES] == list(QUALITIES)


# --- measures ---


def test_the_measures_of_a_known_picture_are_the_known_ones(coffee):
    judge = Judge(coffee, np.ones((1, 1), np.float32), {})
    values = judge.judge(reference.libjpeg(coffee, 50), SLOW)
    expected = {
        "psnr": 32.40, "ssim": 0.9107, "ms_ssim": 0.9877, "vifp": 0.5462, "psnr_hvs": 35.42, "psnr_hvs_m": 42.23,
        "ssimulacra2": 59.92, "psnr_s": 32.40,
    }  # fmt: skip
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=0.006 if value > 1 else 0.00006)


def test_a_region_is_measured_where_its_map_is_half_or_more(coffee):
    pixels = coffee[:128, :160]
    mask = np.zeros((128, 160), np.float32)
    mask[32:96, 40:120] = 1
    jpeg = reference.libjpeg(pixels, 40)
    values = Judge(pixels, mask, {"mask": mask, "nothing": np.zeros((4, 4), np.float32)}).judge(jpeg)
    lumas = [reference.luma(picture) / 255 for picture in (pixels, reference.decode(jpeg))]
    with np.errstate(invalid="ignore"):  # that package divides by nothing in flat blocks
        tiles = psnr_hvsm.hvs_hvsm_mse_tiles(*lumas)[1].reshape(16, 20)
    assert values["psnr_hvs_m_mask"] == pytest.approx(-10 * np.log10(tiles[4:12, 5:15].mean()), abs=0.1)
    assert values["psnr_hvs_m_nothing"] == pytest.approx(values["psnr_hvs_m"])
    assert values["psnr_hvs_m_mask"] != pytest.approx(values["psnr_hvs_m"], abs=0.05)
    assert not SLOW & values.keys()


def test_a_grey_file_is_measured_like_any_other(coffee):
    jpeg = io.BytesIO()
    Image.fromarray(coffee[:64, :64]).convert("L").save(jpeg, "JPEG", quality=95)
    values = Judge(coffee[:64, :64], ellipse(), {}).judge(jpeg.getvalue())
    assert values["psnr"] > 35


# --- pictures ---


@pytest.fixture
def folder(tmp_path, coffee):
    for number in range(7):
        Image.fromarray(coffee[10 * number :][:80, : 70 + number]).save(tmp_path / f"{number}.png")
    return tmp_path


def test_a_limit_takes_pictures_at_even_distances(folder):
    assert [path.stem for path in find(folder, 3)] == ["0", "2", "4"]
    assert [path.stem for path in find(folder, None)] == [path.stem for path in find(folder, 99)] == list("0123456")


def test_only_the_folder_itself_is_searched_and_one_without_pictures_refused(folder, coffee):
    (folder / "below").mkdir()
    with pytest.raises(ConfigurationError, match="holds no image"):
        find(folder / "below", None)
    Image.fromarray(coffee).save(folder / "below/deep.png")
    assert len(find(folder, None)) == 7
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="only its subfolders"):
        find(folder, None)


def test_pictures_come_as_rgb_and_small_ones_are_refused(tmp_path, coffee):
    Image.fromarray(coffee[:64, :80]).convert("L").save(tmp_path / "grey.png")
    Image.fromarray(coffee[:63, :80]).save(tmp_path / "small.png")
    assert read_picture(tmp_path / "grey.png").shape == (64, 80, 3)
    with pytest.raises(UnsupportedImageError, match="80x63"):
        read_picture(tmp_path / "small.png")


def test_a_mask_is_lightness_and_a_missing_one_is_named(tmp_path):
    Image.fromarray(np.array([[0, 51], [255, 102]], np.uint8)).save(tmp_path / "m.png")
    np.testing.assert_allclose(read_mask(tmp_path / "m.png"), [[0, 0.2], [1, 0.4]], atol=1e-6)
    with pytest.raises(ConfigurationError, match=r"none\.png does not exist"):
        read_mask(tmp_path / "none.png")


def test_a_large_picture_is_laid_of_the_pictures_unscaled(folder):
    paths = find(folder, 2)
    tiles = [read_picture(path)[:80, :70] for path in paths]
    large = large_picture(paths, 0.0768)
    assert large.shape == (240, 320, 3)
    for number in range(15):
        y, x = number // 5 * 80, number % 5 * 70
        tile = tiles[number % 2][:, :: -1 if number // 2 % 2 else 1]
        np.testing.assert_array_equal(large[y : y + 80, x : x + 70], tile[:, : 320 - x])


def test_the_ellipse_is_one_in_the_middle_and_nothing_in_the_corners():
    importance = ellipse()
    assert importance.dtype == np.float32
    assert importance[14, 14] == 1
    assert importance[0, 0] == 0
    assert 0.1 < (importance >= 0.5).mean() < 0.3


# --- plan and records ---


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


# --- the table ---


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


# --- speed and packages ---


def test_time_and_throughput_are_measured(folder):
    seconds, mozjpeg_seconds, throughput = speed._time(find(folder, None), 0.02)
    assert min(seconds, mozjpeg_seconds, throughput) > 0


def test_memory_grows_with_the_picture(folder):
    small, large = (speed._memory(find(folder, 2), megapixels) for megapixels in (0.1, 4))
    assert large is None or 4 < large - small < 400


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(benchmark, "PACKAGES", ("scipy", "no_such_package"))
    with pytest.raises(ModuleNotFoundError) as error:
        benchmark.require_packages()
    assert error.value.name == "no_such_package"


def test_the_command_line_knows_the_extra_of_every_package():
    from semjpeg.cli import _EXTRAS

    assert {_EXTRAS[name] for name in benchmark.PACKAGES} == {"benchmark"}
