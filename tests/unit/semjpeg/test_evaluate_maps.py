"""`semjpeg evaluate maps`: scores, what they are compared with, the contact sheet, the saving, and the command."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from skimage import data

import codec
import semjpeg.api
from config.errors import ConfigurationError
from models import Prepared, prepare, refine
from semjpeg import cli
from semjpeg.benchmark.runs import Failure
from semjpeg.evaluation import bootstrap, report, run, saving, sheet
from semjpeg.evaluation.pairs import Pair, pair_up
from semjpeg.evaluation.run import BARRIER, CENTRE, MAP, Scored, evaluate
from semjpeg.evaluation.scoring import Score, objects, score
from semjpeg.evaluation.summary import Figure, summarise
from semjpeg.overlay import map_image

HEIGHT, WIDTH = 72, 96
FEW_QUALITIES = (30, 50, 70, 90)


def levels_like(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 255, 0).astype(np.uint8)


def scored_against(mask: np.ndarray, levels: np.ndarray) -> Score:
    return score(levels, mask, objects(mask))


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def silent(path: Path, reason: str) -> None:
    del path, reason


# --- scores ---


def test_a_perfect_map_has_every_best_value_and_an_inverted_one_the_worst():
    mask = box(20, 30, 50, 70)
    perfect, inverted = (scored_against(mask, levels) for levels in (levels_like(mask), levels_like(~mask)))
    assert (perfect.auc, perfect.mae, perfect.above_mean, perfect.found) == (1, 0, 1, 1)
    np.testing.assert_allclose(perfect.f, 1)
    assert (inverted.auc, inverted.mae, inverted.above_mean, inverted.found) == (0, 1, 0, 0)
    np.testing.assert_array_equal(inverted.f, 0)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_constant_map_tells_nothing_apart(level):
    mask = box(20, 30, 50, 70)
    flat = scored_against(mask, np.full(mask.shape, level, np.uint8))
    share = mask.mean()
    assert (flat.auc, flat.above_mean, flat.found) == (0.5, 0, 0)
    assert flat.mae == pytest.approx(share * (1 - level / 255) + (1 - share) * level / 255)
    everything = 1.3 * share / (0.3 * share + 1)
    np.testing.assert_allclose(flat.f[:level], everything)
    np.testing.assert_array_equal(flat.f[level:], 0)


@given(
    arrays.arrays(np.uint8, (7, 5), elements=st.sampled_from([0, 1, 7, 128, 254, 255])),
    arrays.arrays(np.bool_, (7, 5)),
)
def test_scores_are_those_of_the_definitions_with_ties(levels, mask):
    assume(mask.any() and not mask.all())
    found = scored_against(mask, levels)
    on, off = levels[mask].astype(int), levels[~mask].astype(int)
    wins = [(a > b) + 0.5 * (a == b) for a in on for b in off]
    assert found.auc == sum(wins) / len(wins)
    assert found.mae == pytest.approx(np.mean(np.abs(levels / 255 - mask)), rel=1e-12)
    for threshold in (1, 7, 8, 129, 255):
        hits, chosen = int((on >= threshold).sum()), int((levels >= threshold).sum())
        precision, recall = (hits / chosen if chosen else 0), hits / len(on)
        f = 1.3 * precision * recall / (0.3 * precision + recall) if hits else 0
        assert found.f[threshold - 1] == pytest.approx(f, rel=1e-12)
    assert found.above_mean == np.mean(on > levels.mean())


def test_objects_are_the_large_connected_parts():
    mask = box(0, 0, 10, 10) | box(10, 10, 20, 20) | box(40, 40, 60, 60) | box(70, 0, 71, 60)
    things = objects(mask)  # two boxes that touch at a corner are one; 60 of 6912 points are none
    assert things.count == 2
    assert {things.labels[5, 5], things.labels[15, 15]} == {1}
    assert things.labels[50, 50] == 2
    assert not things.labels[70].any()
    levels = np.zeros(mask.shape, np.uint8)
    levels[45:60, 40:60] = 200
    assert scored_against(mask, levels).found == 1
    levels[:10, :10] = 60
    assert scored_against(mask, levels).found == 2


# --- pairs ---


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Five pictures with masks: a box that is brighter than the noise around it."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(["a", "b", "c", "grün", "日本"]):
        mask = box(10 + 6 * number, 20, 30 + 6 * number, 60)
        pixels = rng.integers(0, 100, (HEIGHT, WIDTH, 3), np.uint8)
        pixels[mask] += 120
        write(tmp_path / f"images/{name}.jpg", pixels)
        write(tmp_path / f"masks/{name}.png", levels_like(mask))
    return tmp_path / "images", tmp_path / "masks"


def test_stems_pair_whatever_their_unicode_form_and_what_stands_alone_is_told(folders):
    images, masks = folders
    (masks / "grün.png").rename(masks / unicodedata.normalize("NFD", "grün.png"))
    (masks / "b.png").rename(masks / "x.PNG")
    (masks / "notes.txt").touch()
    found = pair_up(images, masks, None, None)
    assert sorted(pair.picture.name for pair in found.pairs) == ["a.jpg", "c.jpg", "grün.jpg", "日本.jpg"]
    for pair in found.pairs:
        assert unicodedata.normalize("NFC", pair.mask.stem) == pair.picture.stem
        assert pair.map is None
    assert [path.name for path in found.pictures_without_mask] == ["b.jpg"]
    assert [path.name for path in found.masks_without_picture] == ["x.PNG"]


def test_a_limit_takes_pairs_at_even_distances(folders):
    images, masks = folders
    (images / "b.jpg").unlink()
    assert [pair.picture.stem for pair in pair_up(images, masks, None, 2).pairs] == ["a", "grün"]
    assert len(pair_up(images, masks, None, 9).pairs) == 4


def test_masks_may_lie_among_their_pictures(folders):
    images, masks = folders
    for mask in masks.iterdir():
        mask.rename(images / mask.name)
    found = pair_up(images, images, None, None)
    assert all((pair.picture.suffix, pair.mask.suffix) == (".jpg", ".png") for pair in found.pairs)
    assert (len(found.pairs), found.pictures_without_mask) == (5, [])


def test_two_pictures_of_one_stem_and_folders_without_a_pair_are_refused(folders):
    images, masks = folders
    write(images / "a.webp", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(ConfigurationError, match=r"a\.jpg and a\.webp"):
        pair_up(images, masks, None, None)
    (images / "a.webp").unlink()
    for number, mask in enumerate(masks.iterdir()):
        mask.rename(masks / f"{number}.png")
    with pytest.raises(ConfigurationError, match=r"no picture in .* has a mask"):
        pair_up(images, masks, None, None)


# --- maps and what they are compared with ---


class Network:
    """Marks what is bright."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def maps(self, prepared: list[Prepared]) -> list[np.ndarray]:
        self.batches.append(len(prepared))
        grids = [Image.fromarray(each.canvas).convert("L").reduce(8) for each in prepared]
        return [np.asarray(grid, np.float32) / 255 for grid in grids]


def evaluated(images: Path, masks: Path, maps: Path | None = None) -> tuple[list[Scored], list[Failure]]:
    return evaluate(pair_up(images, masks, maps, None).pairs, Network() if maps is None else None, silent)


def plain_auc(levels: np.ndarray, mask: np.ndarray) -> float:
    difference = levels[mask].astype(int)[:, None] - levels[~mask]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def test_the_networks_maps_score_as_the_files_that_it_would_write(folders, tmp_path):
    images, masks = folders
    direct, failures = evaluated(images, masks)
    assert not failures
    for each in direct:
        pixels = np.asarray(Image.open(each.pair.picture))
        prepared = prepare(pixels)
        importance = refine(prepared, Network().maps([prepared])[0])
        np.testing.assert_array_equal(each.importance, importance)
        levels = map_image(importance, WIDTH, HEIGHT)
        mask = np.asarray(Image.open(each.pair.mask)) > 127
        assert each.scores[MAP].auc == plain_auc(np.asarray(levels), mask)
        write(tmp_path / f"maps/{each.pair.picture.stem}.png", np.asarray(levels))
    read, _ = evaluated(images, masks, tmp_path / "maps")
    assert [each.scores[MAP].auc for each in read] == [each.scores[MAP].auc for each in direct]
    assert [each.importance for each in read] == [None] * 5


def test_a_map_of_another_size_is_scaled_to_its_mask(folders, tmp_path):
    images, masks = folders
    small = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    for mask in masks.iterdir():
        write(tmp_path / "maps" / mask.name, small)
    scaled = np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    for each in evaluated(images, masks, tmp_path / "maps")[0]:
        mask = np.asarray(Image.open(each.pair.mask)) > 127
        assert each.scores[MAP].auc == plain_auc(scaled, mask)
        assert each.scores[MAP].mae == pytest.approx(np.abs(scaled / 255 - mask).mean(), rel=1e-12)


def test_pictures_go_through_the_network_in_batches_in_order(folders, monkeypatch):
    monkeypatch.setattr(run, "_BATCH", 2)
    network = Network()
    told = []
    scored, _ = evaluate(pair_up(*folders, None, None).pairs, network, lambda *args: told.append(args))
    assert network.batches == [2, 2, 1]
    assert [each.pair.picture.stem for each in scored] == ["a", "b", "c", "grün", "日本"]
    assert [(path.stem, reason) for path, reason in told] == [(each.pair.picture.stem, "") for each in scored]


def test_the_centre_prior_is_a_gaussian_of_a_quarter_of_each_side():
    prior = np.asarray(run._centre_prior(401, 201)) / 255
    assert prior.shape == (201, 401)
    assert prior[100, 200] == 1
    for y, x in ((0, 1), (1, 0), (1, 1), (1.5, -1.5)):
        point = prior[round(100 + y * 201 / 4), round(200 + x * 401 / 4)]
        assert point == pytest.approx(math.exp(-(y * y + x * x) / 2), abs=0.01)
    np.testing.assert_array_equal(prior, prior[::-1, ::-1])


def test_boundary_connectivity_and_the_centre_score_beside_the_map(folders):
    scored, _ = evaluated(*folders)
    for each in scored:
        assert each.scores.keys() == {MAP, CENTRE, BARRIER}
        assert each.scores[BARRIER].auc > 0.9
    middle = next(each for each in scored if each.pair.picture.stem == "c")
    edge = next(each for each in scored if each.pair.picture.stem == "日本")
    assert middle.scores[CENTRE].auc > edge.scores[CENTRE].auc


def test_what_cannot_be_scored_is_named_with_its_reason_and_the_rest_goes_on(folders, tmp_path):
    images, masks = folders
    (images / "a.jpg").write_bytes(b"no picture")
    write(masks / "b.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    write(masks / "c.png", levels_like(box(10, 10, 50, 50)).T.copy())
    (masks / "grün.png").write_bytes((masks / "grün.png").read_bytes()[:60])
    scored, failures = evaluated(images, masks)
    assert [each.pair.picture.stem for each in scored] == ["日本"]
    reasons = {failure.picture.stem: failure.reason for failure in failures}
    assert reasons.keys() == {"a", "b", "c", "grün"}
    assert "one colour: b.png" in reasons["b"]
    assert "has 96x72 pixels, its mask c.png 72x96" in reasons["c"]
    assert "no usable mask" in reasons["grün"]
    write(tmp_path / "maps/other.png", np.zeros((4, 4), np.uint8))
    reasons = {failure.picture.stem: failure.reason for failure in evaluated(images, masks, tmp_path / "maps")[1]}
    assert "has no usable map" in reasons["日本"]
    assert "日本.png does not exist" in reasons["日本"]


def test_a_mask_of_another_resolution_is_no_other_shape(folders):
    images, masks = folders
    small = Image.open(masks / "a.png").resize((WIDTH // 5, HEIGHT // 5))
    small.save(masks / "a.png")
    assert not evaluated(images, masks)[1]


def test_a_pair_without_a_map_needs_a_model(folders):
    with pytest.raises(ValueError, match="no map"):
        evaluate(pair_up(*folders, None, None).pairs, None, silent)


# --- means ---


def invented(name: str, auc: float, f: np.ndarray, found: int = 1) -> Scored:
    scores = {kind: Score(auc, f, 1 - auc, 0.5, found) for kind in (MAP, CENTRE, BARRIER)}
    return Scored(Pair(Path(name), Path("m.png")), scores, 2, np.zeros((2, 2), np.uint8), None)


def test_the_best_threshold_is_shared_by_all_pictures():
    one, two = np.zeros(255), np.zeros(255)
    one[[9, 99]] = 1, 0.6
    two[[199, 99]] = 1, 0.6
    row = summarise([invented("a", 0.9, one), invented("b", 0.7, two, found=0)], "ours")[0]
    assert (row.name, row.pictures, row.threshold, row.found, row.objects) == ("ours", 2, 100, 1, 4)
    assert row.best_f.value == pytest.approx(0.6)
    assert (row.auc.value, row.mae.value) == (pytest.approx(0.8), pytest.approx(0.2))


def test_the_rows_are_the_maps_and_the_two_that_know_nothing():
    rows = summarise([invented("a", 0.9, np.ones(255)), invented("b", 0.7, np.ones(255))], "ours")
    assert [row.name for row in rows] == ["ours", "centre prior", "boundary connectivity alone"]


def test_intervals_are_those_of_means_over_pictures_drawn_again():
    rng = np.random.default_rng(5)
    values = rng.normal(0.8, 0.05, 200)
    row = summarise([invented(str(v), v, np.full(255, v)) for v in values], "ours")[0]
    half = 1.96 * values.std() / math.sqrt(200)
    for figure, mean in ((row.auc, values.mean()), (row.best_f, values.mean()), (row.mae, 1 - values.mean())):
        assert figure.interval == (
            pytest.approx(mean - half, abs=0.1 * half),
            pytest.approx(mean + half, abs=0.1 * half),
        )
    assert summarise([invented("a", 0.9, np.ones(255))], "ours")[0].auc == Figure(0.9, None)


def test_draws_are_the_same_at_each_call_and_weigh_one_in_all():
    draws = bootstrap.resamples(7)
    assert draws.shape == (2000, 7)
    np.testing.assert_allclose(draws.sum(axis=1), 1)
    np.testing.assert_array_equal(draws, bootstrap.resamples(7))
    assert bootstrap.interval(np.arange(1001.0)) == (25, 975)


def test_the_csv_has_a_row_for_each_picture_with_f_at_the_shared_threshold():
    f = np.linspace(0, 1, 255)
    scored = [invented("a, ü.jpg", 0.875, f), invented("b.jpg", 0.5, f)]
    rows = list(csv.DictReader(io.StringIO(report.to_csv(scored, 128, None))))
    assert rows[0] == {
        "name": "a, ü.jpg", "auc": "0.875000", "f": "0.500000", "mae": "0.125000", "mask_above_mean": "0.500000",
        "objects": "2", "objects_found": "1",
    }  # fmt: skip
    rates = {Path("a, ü.jpg"): (math.log(0.9), math.log(0.8), math.log(0.5))}
    rows = list(csv.DictReader(io.StringIO(report.to_csv(scored, 128, rates))))
    rate_columns = ("bd_rate_none", "bd_rate_map", "bd_rate_mask")
    assert [rows[0][column] for column in rate_columns] == ["-10.000", "-20.000", "-50.000"]
    assert [rows[1][column] for column in rate_columns] == ["", "", ""]


# --- the contact sheet ---


def test_the_rows_run_evenly_from_the_worst_to_the_best():
    scored = [invented(str(number), (number * 7 % 11) / 11, np.ones(255)) for number in range(11)]
    everything = sheet.choose(scored, 40)
    assert [rank for rank, _ in everything] == list(range(1, 12))
    aucs = [each.scores[MAP].auc for _, each in everything]
    assert aucs == sorted(aucs)
    assert [rank for rank, _ in sheet.choose(scored, 3)] == [1, 6, 11]
    assert [rank for rank, _ in sheet.choose(scored, 1)] == [1]


def test_a_row_shows_picture_mask_map_and_overlay(folders):
    scored, _ = evaluated(*folders)
    worst = sheet.choose(scored, 40)[0][1]
    (page,) = sheet.draw_pages([(1, worst)], 5, "title")
    height = 150  # of the thumbnails: 96 × 72 points are drawn as 200 × 150
    assert page.size == (1082, 76 + height + 12)
    pixels = np.asarray(page).astype(int)
    cells = [pixels[76 : 76 + height, sheet._left(column) :][:, :200] for column in range(4)]
    picture = np.asarray(Image.open(worst.pair.picture).resize((200, 150))).astype(int)
    mask = np.asarray(Image.open(worst.pair.mask).resize((200, 150))).astype(int)
    inside = (slice(2, -2), slice(2, -2))  # a frame is drawn around each
    assert np.abs(cells[0][inside] - picture[inside]).mean() < 12
    assert np.abs(cells[1][inside] - mask[inside][..., None]).mean() < 4
    assert np.abs(cells[2][inside] - worst.thumbnail[inside][..., None]).max() == 0
    heat = cells[3][inside]
    assert (heat[..., 0] != heat[..., 2]).any()
    assert not (cells[3] == cells[0]).all()
    text = pixels[76:, : sheet._left(0) - 2]
    assert 500 < (text.sum(axis=2) < 3 * 140).sum() < 8000


def test_forty_rows_fill_a_page(folders):
    scored, _ = evaluated(*folders)
    chosen = [(rank, scored[0]) for rank in range(1, 84)]
    heights = [page.height for page in sheet.draw_pages(chosen, 83, "t")]
    assert heights == [76 + 40 * 162, 76 + 40 * 162, 76 + 3 * 162]


def test_a_narrow_picture_leaves_room_for_its_text(folders):
    images, masks = folders
    mask = np.zeros((9, 500), np.uint8)
    mask[:, :100] = 255
    write(masks / "a.png", mask)
    write(images / "a.jpg", np.zeros((9, 500, 3), np.uint8))
    scored, _ = evaluated(images, masks)
    page = next(iter(sheet.draw_pages([(1, scored[0])], 1, "t")))
    assert page.height == 76 + 114 + 12


@pytest.mark.parametrize("name", ["short.jpg", "very" * 40 + ".jpg", "grün.jpg", "日本.jpg", "\udce4.jpg"])
def test_names_fit_their_column_in_letters_that_can_be_drawn(name):
    shown = sheet._fitting(name, 18, 198)
    font = sheet.ImageFont.load_default(18)
    assert font.getlength(shown) <= 198
    assert shown.replace("…", "").isascii()
    assert shown.endswith(".jpg")
    assert name != "short.jpg" or shown == name
    assert name != "grün.jpg" or shown == "grun.jpg"


# --- the saving ---


@pytest.fixture
def photo(tmp_path) -> Pair:
    pixels = data.coffee()[100:196, 200:328]
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[24:64, 32:96] = 255
    return Pair(write(tmp_path / "p/photo.png", pixels), write(tmp_path / "m/photo.png", mask))


def test_the_rates_are_those_of_no_map_the_map_and_the_mask(photo):
    curves = saving.Curves(FEW_QUALITIES, masks=True)
    mask = np.asarray(Image.open(photo.mask), np.float32) / 255
    none, same, true = saving.bd_rates(photo, mask, curves)
    assert same == true < none < 0
    flat = saving.bd_rates(Pair(photo.picture, photo.mask, photo.mask), np.ones((1, 1), np.float32), curves)
    assert flat == (none, none, true)
    ready = saving.bd_rates(Pair(photo.picture, photo.mask, photo.mask), None, curves)
    assert ready == (none, true, true)
    with pytest.raises(ValueError, match="no map"):
        saving.bd_rates(photo, None, curves)


def test_the_curves_have_the_aim_hvs_and_a_floor_of_a_tenth():
    settings = saving.Curves(masks=True).settings()
    ours = [setting for setting in settings if setting.encoder == "semjpeg"]
    assert len(settings) == 9 + 3 * 7
    assert {(s.aim, s.rate.quality) for s in ours} == {("hvs", quality) for quality in (30, 40, 50, 60, 70, 80, 90)}
    strength = ours[0].strength
    assert {s.strength for s in ours} == {strength}
    weights = codec.weights.weights(np.array([0, 1], np.float32), 1.0, strength)
    np.testing.assert_allclose(weights, [0.1, 1], rtol=1e-5)
    assert not any(settings.values())


def test_the_share_is_that_of_the_means():
    rates = {
        Path(str(number)): tuple(math.log(1 + rate) for rate in (-0.1, -0.1 - 0.1 * number, -0.5))
        for number in (0, 1, 2)
    }
    found = saving.summarise_saving(rates)
    means = [100 * math.expm1(np.mean([each[column] for each in rates.values()])) for column in range(3)]
    assert [found.none.value, found.map.value, found.mask.value] == pytest.approx(means)
    assert found.share.value == pytest.approx((means[1] - means[0]) / (means[2] - means[0]))
    low, high = found.share.interval
    assert low == pytest.approx(0, abs=0.03)
    assert found.share.value < high == pytest.approx(0.5, abs=0.03)
    assert found.none.interval == (pytest.approx(-10), pytest.approx(-10))


def test_there_is_no_share_of_nothing_and_no_interval_of_one():
    assert saving.summarise_saving({}) is None
    found = saving.summarise_saving({Path("a"): (-0.2, -0.3, -0.2)})
    assert found.share is None
    assert found.map == Figure(pytest.approx(100 * math.expm1(-0.3)), None)


@contextmanager
def threads(count):
    with ThreadPoolExecutor(count) as pool:
        yield pool


def test_a_picture_that_cannot_be_encoded_is_named_and_the_rest_goes_on(photo, tmp_path, monkeypatch):
    small = write(tmp_path / "p/small.png", np.zeros((16, 16, 3), np.uint8))
    mask = np.asarray(Image.open(photo.mask), np.float32) / 255
    scored = [Scored(pair, {}, 1, np.zeros((2, 2), np.uint8), mask) for pair in (Pair(small, photo.mask), photo)]
    monkeypatch.setattr(saving, "processes", threads)
    monkeypatch.setattr(saving, "Curves", partial(saving.Curves, FEW_QUALITIES))
    told = []
    rates, failures = saving.measure_saving(scored, 4, lambda *args: told.append(args))
    assert list(rates) == [photo.picture]
    assert [failure.picture for failure in failures] == [small]
    assert "16x16" in failures[0].reason
    assert sorted(told) == sorted([(photo.picture, ""), (small, failures[0].reason)])


# --- the command ---


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line and return its exit code, standard output and standard error."""
    monkeypatch.setattr(semjpeg.api, "network", Network)

    def run_it(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["semjpeg", "evaluate", "maps", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run_it


def test_the_command_prints_the_table_and_leaves_csv_and_sheet(folders, tmp_path, call):
    code, out, err = call(*folders, "-o", tmp_path / "out/deep")
    assert code == 0
    assert "the network" in out
    assert "boundary connectivity alone" in out
    assert "5 of 5" in out
    assert "scoring: 5/5" in err
    assert {path.name for path in (tmp_path / "out/deep").iterdir()} == {"maps.csv", "contact-sheet.png"}
    text = (tmp_path / "out/deep/maps.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in text.splitlines()] == [
        "name",
        "a.jpg",
        "b.jpg",
        "c.jpg",
        "grün.jpg",
        "日本.jpg",
    ]
    with Image.open(tmp_path / "out/deep/contact-sheet.png") as page:
        assert page.size == (1082, 76 + 5 * 162)


def test_further_pages_are_numbered_and_none_drawn_where_none_is_wanted(folders, tmp_path, call, monkeypatch):
    monkeypatch.setattr(sheet, "ROWS_OF_A_PAGE", 2)
    call(*folders, "-o", tmp_path / "three")
    assert {path.name for path in (tmp_path / "three").glob("*.png")} == {
        "contact-sheet.png", "contact-sheet-2.png", "contact-sheet-3.png",
    }  # fmt: skip
    call(*folders, "-o", tmp_path / "one", "--sheet", "1")
    with Image.open(tmp_path / "one/contact-sheet.png") as page:
        assert page.height == 76 + 162
    call(*folders, "-o", tmp_path / "none", "--sheet", "0")
    assert {path.name for path in (tmp_path / "none").iterdir()} == {"maps.csv"}


def test_a_broken_file_gives_one_and_no_pair_two(folders, tmp_path, call):
    images, masks = folders
    (images / "a.jpg").write_bytes(b"broken")
    (masks / "b.png").rename(masks / "z.png")
    code, out, err = call(images, masks, "-o", tmp_path / "out", "--json")
    told = json.loads(out)
    assert code == 1
    assert (told["pictures"], told["pictures_without_mask"], told["masks_without_picture"]) == (3, ["b.jpg"], ["z.png"])
    assert [Path(failure["picture"]).name for failure in told["failed"]] == ["a.jpg"]
    assert len(told["table"]) == 3
    assert told["saving"] is None
    assert "1 left out, without a mask: b.jpg" in err
    assert "1 left out, without a picture: z.png" in err
    assert "a.jpg: " in err
    for mask in masks.iterdir():
        mask.rename(masks / f"no-{mask.name}")
    assert call(images, masks, "-o", tmp_path / "out")[0] == 2


def test_where_nothing_could_be_scored_the_exit_code_is_one(folders, tmp_path, call):
    images, masks = folders
    for image in images.iterdir():
        image.write_bytes(b"broken")
    code, out, _ = call(images, masks, "-o", tmp_path / "out", "--saving")
    assert (code, out) == (1, "")
    assert json.loads(call(images, masks, "-o", tmp_path / "out", "--json")[1])["table"] == []


def test_ready_made_maps_need_no_network(folders, tmp_path, call, monkeypatch):
    images, masks = folders
    monkeypatch.setattr(semjpeg.api, "network", None)
    code, out, _ = call(images, masks, "--maps", masks, "-o", tmp_path / "out", "--limit", "3", "--json")
    row = json.loads(out)["table"][0]
    assert (code, row["name"], row["pictures"], row["auc"]["value"]) == (0, "masks", 3, 1)
    assert row["mae"] == {"value": 0, "interval": [0, 0]}
    weights = write(tmp_path / "weights.png", np.zeros((2, 2), np.uint8))
    assert call(images, masks, "--maps", masks, "--model", weights)[0] == 2


def test_the_saving_is_told_in_table_json_and_csv(folders, tmp_path, call, monkeypatch):
    def measured(scored, jobs, tell):
        del jobs
        for each in scored:
            tell(each.pair.picture, "")
        rates = {each.pair.picture: tuple(map(math.log, (0.8, 0.7, 0.6))) for each in scored[1:]}
        return rates, [Failure(scored[0].pair.picture, "why")]

    monkeypatch.setattr(saving, "measure_saving", measured)
    code, out, _ = call(*folders, "-o", tmp_path / "out", "--saving")
    assert code == 1
    assert "the true mask" in out
    assert "−20.0" in out
    assert "50 to 50" in out
    told = json.loads(call(*folders, "-o", tmp_path / "out", "--saving", "--json")[1])
    assert told["saving"]["share"]["value"] == pytest.approx(0.5)
    assert told["saving"]["pictures"] == 4
    assert len(told["failed"]) == 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/maps.csv").read_text(encoding="utf-8"))))
    assert [row["bd_rate_mask"] for row in rows] == ["", *["-40.000"] * 4]


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_work(folders, tmp_path, call, monkeypatch):
    monkeypatch.setattr(semjpeg.api, "network", None)
    (tmp_path / "file").touch()
    code, _, err = call(*folders, "-o", tmp_path / "file/out")
    assert code == 2
    assert "cannot be made" in err
