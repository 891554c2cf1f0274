"""Measuring pictures, keeping results and going on with them; the charts; the command."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import codec
import semjpeg.api
from codec import reference
from config.errors import ConfigurationError
from semjpeg import cli
from semjpeg.benchmark.pictures import ellipse
from semjpeg.comparison import cache, charts, run
from semjpeg.comparison.entry import COLUMNS, JPEG, MOSAIC, OUR, TITLES, Entry, File, Point, Result, Saving
from semjpeg.comparison.measure import Job, Plan, measure_picture
from semjpeg.comparison.run import Place, find

PLAN = Plan(50, (50, 80), (JPEG, MOSAIC, OUR))
LINE = "/set/{} 6 9000 1000 1005 50 54 | 33.5 .95 .98 .55 33.9 39.8 | 34.5 .96 .99 .56 34.1 40.1 |\n"


class Network:
    """Marks the middle of every picture."""

    calls = 0

    def importance(self, pixels: np.ndarray) -> np.ndarray:
        del pixels
        type(self).calls += 1
        return ellipse()


@contextmanager
def threads(count):
    with ThreadPoolExecutor(count) as pool:
        yield pool


@pytest.fixture(autouse=True)
def network(monkeypatch):
    monkeypatch.setattr(semjpeg.api, "network", Network)
    monkeypatch.setattr(run, "processes", threads)
    monkeypatch.setattr(Network, "calls", 0)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, two of them in a subfolder."""
    root = tmp_path / "data"
    (root / "cups").mkdir(parents=True)
    for name, top in {"a.png": 0, "cups/b.png": 100, "cups/c.png": 200}.items():
        Image.fromarray(data.coffee()[top : top + 80, 200:296]).save(root / name)
    return root


def measured(pictures, place, plan=PLAN, megapixels=8.0):
    told = []
    found = run.measure_all(pictures, plan, place, megapixels, 2, lambda *args: told.append(args))
    return found, told


def test_pictures_are_found_with_their_categories_and_results_passed_over(folder):
    Image.fromarray(data.coffee()[:80, :80]).save(folder / "cups/z.png")
    (folder / "out/files").mkdir(parents=True)
    (folder / "cups/z.png").rename(folder / "out/files/z.png")
    (folder / "notes.txt").write_text("no picture")
    names = [(picture.filename, picture.category) for picture in find(folder, folder / "out", None)]
    assert names == [("a.png", ""), ("cups/b.png", "cups"), ("cups/c.png", "cups")]
    assert [picture.filename for picture in find(folder, folder / "x", 2)] == ["a.png", "cups/c.png"]
    assert [picture.filename for picture in find(folder / "out", folder / "out", None)] == ["files/z.png"]
    with pytest.raises(ConfigurationError, match="is no folder"):
        find(folder / "nowhere", folder, None)


def test_a_folder_of_nothing_but_results_is_refused(folder):
    (folder / "a.png").unlink()
    with pytest.raises(ConfigurationError, match="holds no image but results"):
        find(folder, folder / "cups", None)


def test_everything_is_measured_as_it_would_be_one_by_one(folder, tmp_path):
    pixels = np.asarray(Image.open(folder / "cups/b.png"))
    kept = tmp_path / "kept.json"
    files = {OUR: tmp_path / "our.jpg", JPEG: tmp_path / "deep/jpeg.jpg"}
    result = measure_picture(Job(folder / "cups/b.png", ellipse(), PLAN, kept, files))
    entry = result.entry
    assert (entry.model_number, entry.size_px) == (2, (96, 80))
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    assert entry.png_size == len(png.getvalue())
    jpeg = files[JPEG].read_bytes()
    assert jpeg == reference.libjpeg(pixels, 50)
    assert files[OUR].read_bytes() == codec.encode(pixels, ellipse(), rate=codec.MatchJpeg(50)).data
    for encoder, path in files.items():
        file = entry.files[encoder]
        decoded = reference.decode(path.read_bytes())
        quick = codec.measure(pixels, decoded, ellipse())
        slow = codec.measure_full(pixels, decoded)
        assert file.size_bytes == path.stat().st_size
        assert list(file.measures) == list(COLUMNS)
        for measure, value in file.measures.items():
            assert value == pytest.approx(getattr(quick if measure.startswith("psnr") else slow, measure)), measure
    assert (entry.files[JPEG].quality, entry.files[MOSAIC].quality) == (50, pytest.approx(50, abs=25))
    distances = [
        abs(
            codec.measure(pixels, reference.decode(reference.libjpeg(pixels, quality))).psnr_hvs_m
            - entry.files[OUR].measures["psnr_hvs_m"]
        )
        for quality in range(1, 101)
    ]
    assert distances[int(entry.files[OUR].quality) - 1] == min(distances)

    points = {(point.encoder, point.quality): point for point in result.points}
    assert points.keys() == {(encoder, quality) for encoder in PLAN.encoders for quality in (50, 80)}
    assert points[JPEG, 80].size_bytes == len(reference.libjpeg(pixels, 80))
    assert points[OUR, 50].measures.items() <= entry.files[OUR].measures.items()
    assert points[OUR, 50].measures.keys() == points[OUR, 80].measures.keys()
    assert {"psnr_s", "psnr", "psnr_hvs_m", "ssimulacra2"} <= points[OUR, 80].measures.keys()
    ours = codec.encode(pixels, ellipse(), rate=codec.Quality(80)).data
    assert result.savings[1] == Saving(80, len(reference.libjpeg(pixels, 80)), len(ours))
    assert result.savings[1].percent == pytest.approx(100 - 100 * len(ours) / len(reference.libjpeg(pixels, 80)))
    assert [saving.quality for saving in result.savings] == [50, 80]
    assert cache.find(kept) == result


def test_a_second_run_takes_over_what_is_there_and_measures_the_rest(folder, tmp_path):
    place = Place(tmp_path / "out", keep_files=False)
    pictures = find(folder, place.out, None)
    first, _ = measured(pictures[1:2], place)
    assert (first.resumed, Network.calls) == (0, 1)
    (folder / "cups/b.png").rename(folder / "cups/other name.png")
    again, told = measured(find(folder, place.out, None), place)
    assert (again.resumed, Network.calls) == (1, 3)
    assert [result.entry.filename for result in again.results] == ["a.png", "cups/c.png", "cups/other name.png"]
    assert [result.entry.category for result in again.results] == ["", "cups", "cups"]
    assert again.results[2].entry.files == first.results[0].entry.files
    assert sorted(reason for _, reason in told) == ["", "", ""]
    assert measured(find(folder, place.out, None), place)[0] == run.Found(again.results, [], 3)


def test_other_pixels_another_plan_and_a_broken_result_are_measured_again(folder, tmp_path):
    place = Place(tmp_path / "out", keep_files=False)
    pictures = find(folder, place.out, None)[:1]
    first, _ = measured(pictures, place)
    assert measured(pictures, place, Plan(60, (), (JPEG,)))[0].resumed == 0
    next(path for path in (place.out / ".cache").iterdir() if len(path.read_bytes()) > 1500).write_text('{"entry": 3}')
    again, _ = measured(pictures, place)
    assert (again.resumed, again.results) == (0, first.results)
    Image.fromarray(data.coffee()[3:83, 200:296]).save(folder / "a.png")
    changed, _ = measured(pictures, place)
    assert changed.resumed == 0
    assert changed.results[0].entry.files != first.results[0].entry.files


def test_files_that_are_wanted_and_missing_are_made(folder, tmp_path):
    pictures = find(folder, tmp_path, None)[1:2]
    measured(pictures, Place(tmp_path / "out", keep_files=False))
    kept = Place(tmp_path / "out", keep_files=True)
    found, _ = measured(pictures, kept)
    assert found.resumed == 0
    for encoder, file in found.results[0].entry.files.items():
        assert (tmp_path / f"out/files/{encoder}/cups/b.png.jpg").stat().st_size == file.size_bytes
    assert measured(pictures, kept)[0].resumed == 1
    (tmp_path / "out/files/our/cups/b.png.jpg").write_bytes(b"of another picture")
    assert measured(pictures, kept)[0].resumed == 0


def test_what_cannot_be_measured_is_named_and_the_rest_goes_on(folder, tmp_path):
    (folder / "broken.png").write_text("no picture")
    Image.fromarray(np.zeros((60, 200, 3), np.uint8)).save(folder / "low.png")
    Image.fromarray(np.zeros((120, 110, 3), np.uint8)).save(folder / "big.png")
    place = Place(tmp_path / "out", keep_files=False)
    found, told = measured(find(folder, place.out, None), place, Plan(50, (), (JPEG,)), 0.013)
    assert [result.entry.filename for result in found.results] == ["a.png", "cups/b.png", "cups/c.png"]
    reasons = {failure.picture.name: failure.reason for failure in found.failures}
    assert reasons.keys() == {"broken.png", "low.png", "big.png"}
    assert reasons["big.png"] == "has 110x120 pixels, more than --max-megapixels 0.013 allows"
    assert "200x60" in reasons["low.png"]
    assert {path.name: reason for path, reason in told if reason} == reasons


@pytest.mark.parametrize("change", [{"quality": 51}, {"curve": (50,)}, {"encoders": (JPEG,)}])
def test_the_name_of_a_result_tells_everything_apart(change):
    plain = cache.key(b"a", PLAN, "w")
    assert plain == cache.key(b"a", Plan(50, (50, 80), (JPEG, MOSAIC, OUR)), "w")
    fields = {"quality": 50, "curve": (50, 80), "encoders": (JPEG, MOSAIC, OUR)}
    assert plain not in {cache.key(b"b", PLAN, "w"), cache.key(b"a", PLAN, "v")}
    assert plain != cache.key(b"a", Plan(**{**fields, **change}), "w")


# --- charts ---


def has(png: bytes, *colours: tuple[int, ...]) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return all((pixels == colour).all(axis=2).any() for colour in colours)


GREEN, RED, BLUE = (0, 158, 115), (213, 94, 0), (0, 114, 178)


@pytest.mark.parametrize("count", [1, 5, 80])
@pytest.mark.parametrize(("gain", "shown", "hidden"), [(1.0, GREEN, RED), (-1.0, RED, GREEN)])
def test_bars_are_green_above_zero_and_red_below(entry_of, count, gain, shown, hidden):
    entries = [entry_of(f"dir/$x_{number}^ 日本 {'n' * 50}.png", gain=gain) for number in range(count)]
    drawn = charts.difference_charts(entries, TITLES)
    assert list(drawn) == ["difference-our.png"]
    assert has(drawn["difference-our.png"], shown)
    assert not has(drawn["difference-our.png"], hidden)


def test_there_is_a_curve_for_each_measure_and_a_histogram_of_savings():
    points = tuple(
        Point(encoder, quality, 100 * quality, {"psnr": 30 + quality / 10, "ssimulacra2": quality})
        for encoder in (JPEG, OUR)
        for quality in (30, 50)
    )
    entry = Entry("a", "", 2, 1, (96, 64), {JPEG: File(1, 1, {})})
    results = [Result(entry, points, (Saving(50, 100, 80), Saving(90, 100, 120)))]
    drawn = charts.curve_charts(results)
    assert list(drawn) == ["curve-psnr.png", "curve-ssimulacra2.png"]
    assert has(drawn["curve-psnr.png"], BLUE, (102, 102, 102))
    assert has(charts.saving_chart(results), BLUE)
    assert charts.curve_charts([Result(entry, (), ())]) == {}


# --- the command ---


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line and return its exit code, standard output and standard error."""

    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["semjpeg", "evaluate", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = left.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_it


def test_a_log_is_summarised_and_plotted(call, tmp_path):
    log = tmp_path / "log file.txt"
    log.write_text(LINE.format("indoor/a b.png") + "bad\n" + LINE.format("outdoor/c.png"), encoding="utf-8")
    code, out, err = call("log", log, "-o", tmp_path / "out")
    assert code == 1
    assert f"{log}:2: bars part it into 1, not into 3" in err
    assert "Means over 2 pictures" in out
    assert "indoor" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "metrics.csv", "summary.json", "summary.md", "difference-our.png",
    }  # fmt: skip
    told = json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))
    assert told["malformed"] == [f"{log}:2: bars part it into 1, not into 3"]
    assert told["encoders"]["our"]["gains"]["psnr"]["mean"] == 1
    again, out, _ = call("log", tmp_path / "out/metrics.csv", "--json", "-o", tmp_path / "again")
    assert again == 0
    assert json.loads(out)["encoders"] == told["encoders"]


def test_a_log_of_nothing_and_one_that_would_be_overwritten_are_refused(call, tmp_path):
    (tmp_path / "metrics.csv").write_text(LINE.format("a"), encoding="utf-8")
    code, _, err = call("log", tmp_path / "metrics.csv", "-o", tmp_path)
    assert (code, "give another -o" in err) == (2, True)
    (tmp_path / "log").write_text("\n" * 3 + "x\n" * 12, encoding="utf-8")
    code, _, err = call("log", tmp_path / "log", "-o", tmp_path / "out")
    assert code == 2
    assert err.count("log:") == 11
    assert "2 more lines" in err
    assert not (tmp_path / "out").exists()


def test_options_stand_before_or_after_the_folder_and_help_tells_of_all(call, folder, tmp_path):
    for arguments in (["--curve", "", folder, "-o", tmp_path / "x"], [folder, "--curve=", "-o", tmp_path / "x"]):
        code, out, err = call(*arguments, "--limit", "1")
        assert code == 0, err
        assert "Means over 1 picture," in out
    assert "1 of 1 pictures were measured already" in err
    assert {path.name for path in (tmp_path / "x").glob("curve*")} == set()
    for flag in ("--help", "-h"):
        code, out, _ = call(flag)
        assert code == 0
        assert all(word in out for word in ("DATA", "--keep-files", "maps", "log", "--max-megapixels"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "'nowhere' does not exist"),
        (["-o", "x"], "Missing argument 'DATA'"),
        ([".", "--curve", "30,x"], "'x' is not a valid integer"),
        ([".", "--quality", "101"], "101"),
        ([".", "--max-megapixels", "0"], "--max-megapixels"),
        (["."], "holds no image"),
    ],
)
def test_bad_usage_has_exit_code_2(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_missing_ends_the_run_at_once(call, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMJPEG_MODEL__PATH", str(tmp_path / "none.keras"))
    code, _, err = call(folder, "-o", tmp_path / "out")
    assert code == 2
    assert err.count("none.keras") == 1


def test_failures_alone_leave_with_1(call, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.png").write_text("broken")
    code, out, err = call(tmp_path / "d", "-o", tmp_path / "out", "--json")
    assert code == 1
    assert "x.png: is not an image" in err
    assert json.loads(out)["failed"][0]["picture"].endswith("x.png")


def test_a_missing_encoder_is_told_and_the_columns_left_out(call, folder, tmp_path, monkeypatch):
    from semjpeg.comparison import encoders

    monkeypatch.setattr(encoders, "find_spec", lambda name: None if name in {"pyjpegli", "jpeglib"} else object())
    code, _, err = call(folder, "-o", tmp_path / "out", "--curve", "", "--limit", "1")
    assert code == 0
    assert "jpeglib is not installed: its encoder is left out" in err
    assert "pyjpegli is not installed" in err
    with (tmp_path / "out/metrics.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert {name.rpartition("_")[0] for name in row if name.endswith("_size")} == {
        "png", "jpeg", "our", "our_aim_psnr", "mosaic", "mosaic_program",
    }  # fmt: skip
