from __future__ import annotations

import base64
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from config.jobs import JOB_FIELD
from config.places import ResultKeys
from config.settings import LimitSettings, Settings, StorageSettings
from models.weights import SHIPPED, verify
from semjpeg.overlay import HEAT_SHARE
from semjpeg.report.collecting import Collector
from semjpeg.report.gallery import exhibit_of, make_gallery
from semjpeg.report.page import write_page
from semjpeg.report.rows import Row
from semjpeg.report.views import Box, choose_detail, detail_view, heat_view, whole_view
from storage import Stores
from worker.decode import Picture

LIMITS = LimitSettings()
ROOM_BYTES = 4_000_000


def as_file(pixels: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def shown(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2])))


def picture_of(pixels: np.ndarray, icc: bytes | None = None) -> Picture:
    return Picture(pixels, icc, Image.Exif())


def noise(height: int, width: int, *channels: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, *channels), np.uint8)


class Bench:
    """Folders like those that a run leaves."""

    def __init__(self, root: Path, record) -> None:
        self.root = root
        self.stores = Stores(Settings(storage=StorageSettings(local_root=root)))
        self._record = record
        self.source, self.output = f"file://{root}/in", f"file://{root}/out"

    def add(self, key: str, original: bytes, result: bytes, levels: np.ndarray | None = None, **other) -> Row:
        keys = ResultKeys.of(key, "")
        self.stores.open(self.source).put(key, original, content_type="")
        self.stores.open(self.output).put(keys.jpeg, result, content_type="", metadata={JOB_FIELD: "77"})
        if levels is not None:
            self.stores.open(self.output).put(keys.map, as_file(levels, "PNG"), content_type="")
        recipe = {"name": "r", "save_map": levels is not None}
        places = {"bucket": self.source, "output": self.output, "result": keys.jpeg, "recipe": recipe}
        sizes = {"bytes_in": len(original), "bytes_out": len(result)}
        etag = self.stores.open(self.source).head(key).etag
        return Row.of(self._record(key, **{"etag": etag, **places, **sizes, **other}))


@pytest.fixture
def bench(tmp_path, finished_record):
    return Bench(tmp_path, finished_record)


@pytest.fixture
def plain(bench):
    """A picture of 900×600 pixels, red before and green after, whose right third matters."""
    before, after = (np.full((600, 900, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 160, 0)))
    levels = np.zeros((20, 30), np.uint8)
    levels[:, 20:] = 255
    return bench.add("a/plain.png", as_file(before, "PNG"), as_file(after, "JPEG", quality=95), levels)


def test_views_hold_original_and_result(bench, plain):
    exhibit = exhibit_of(plain, bench.stores, LIMITS)
    assert exhibit.no_map is None
    for view, size in ((exhibit.whole, (720, 480)), (exhibit.detail, (512, 384))):
        assert (view.width_px, view.height_px) == size
        assert shown(view.original).size == shown(view.result).size == size
        assert np.asarray(shown(view.original)).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)
        assert np.asarray(shown(view.result)).mean(axis=(0, 1)) == pytest.approx([0, 160, 0], abs=4)


def test_the_overlays_are_the_kept_map(bench, plain):
    exhibit = exhibit_of(plain, bench.stores, LIMITS)
    for view in (exhibit.whole, exhibit.detail):
        heat = np.asarray(shown(view.heat).convert("RGBA"), float)
        assert max(heat.shape[:2]) <= 64
        assert set(heat[..., 3].ravel()) == {round(HEAT_SHARE * 255)}
        assert heat[:, 0, :3].sum() < heat[:, -1, :3].sum() / 3  # dark left, bright right


def test_the_same_picture_gives_the_same_bytes(bench, plain):
    assert exhibit_of(plain, bench.stores, LIMITS) == exhibit_of(plain, bench.stores, LIMITS)


def test_oriented_sources_are_shown_upright(bench):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    row = bench.add("a.jpg", as_file(noise(30, 60, 3), "JPEG", exif=exif), as_file(noise(60, 30, 3), "JPEG"))
    exhibit = exhibit_of(row, bench.stores, LIMITS)
    assert shown(exhibit.detail.original).size == shown(exhibit.detail.result).size == (30, 60)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": "gone.png"}, "gone.png does not exist"),
        ({"etag": "other"}, "was overwritten"),
        ({"bytes_in": 5}, "original was replaced"),
        ({"bytes_out": 5}, "was replaced after the run"),
        ({"job": "78"}, "was replaced after the run"),
        ({"result": "gone.jpg"}, "the result gone.jpg does not exist"),
        ({"result": None}, "does not say where"),
        ({"bucket": "file:///elsewhere"}, "does not lie in storage.local_root"),
        ({"output": "ftp://x"}, "is no place"),
    ],
)
def test_what_is_gone_changed_or_forbidden_is_left_out_with_the_reason(bench, plain, change, reason):
    bad = dataclasses.replace(plain, **change)
    gallery = make_gallery([bad, plain], bench.stores, LIMITS, ROOM_BYTES)
    assert [exhibit.row for exhibit in gallery.exhibits] == [plain]
    ((key, told),) = gallery.left_out
    assert key == bad.key
    assert reason in told


def test_a_key_that_the_store_cannot_even_ask_for_is_left_out(plain):
    class Picky:
        def open(self, bucket):
            raise UnicodeEncodeError("utf-8", bucket, 0, 1, "surrogates not allowed")

    gallery = make_gallery([plain], Picky(), LIMITS, ROOM_BYTES)
    assert gallery.exhibits == ()
    assert "surrogates not allowed" in gallery.left_out[0][1]


def test_what_is_damaged_too_large_or_of_another_size_is_left_out_with_the_reason(bench, plain):
    good, small = as_file(noise(40, 40, 3), "JPEG"), as_file(noise(32, 40, 3), "JPEG")
    rows = [
        bench.add("text.png", b"no picture", good),
        bench.add("short.jpg", good[:-200], good),
        bench.add("result.jpg", good, good[:-200]),
        bench.add("size.jpg", good, small),
        bench.add("huge.png", as_file(noise(600, 901), "PNG"), good),
        plain,
    ]
    limits = LimitSettings(max_pixels=600 * 900)
    gallery = make_gallery(rows, bench.stores, limits, ROOM_BYTES)
    assert len(gallery.exhibits) == 1
    reasons = dict(gallery.left_out)
    assert "not an image" in reasons["text.png"]
    assert "cannot be decoded" in reasons["short.jpg"]
    assert "cannot be decoded" in reasons["result.jpg"]
    assert "differ in size" in reasons["size.jpg"]
    assert "more than the limit" in reasons["huge.png"]


def test_without_a_kept_map_another_network_is_no_help(bench):
    row = bench.add("a.png", as_file(noise(40, 40), "PNG"), as_file(noise(40, 40), "JPEG"), model_hash="ab" * 32)
    exhibit = exhibit_of(row, bench.stores, LIMITS)
    assert (exhibit.whole.heat, exhibit.detail.heat) == (None, None)
    assert "made by the network abababababab" in exhibit.no_map


def test_without_tensorflow_the_reason_says_so(bench, monkeypatch):
    def no_network():
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr("semjpeg.api.network", no_network)
    sources = as_file(noise(40, 40), "PNG"), as_file(noise(40, 40), "JPEG")
    exhibit = exhibit_of(bench.add("a.png", *sources, model_hash=verify(SHIPPED)), bench.stores, LIMITS)
    assert "No module named 'tensorflow'" in exhibit.no_map


def test_a_map_that_was_not_kept_is_made_again_by_the_same_network(bench):
    sources = as_file(noise(64, 96, 3), "PNG"), as_file(noise(64, 96, 3), "JPEG")
    row = bench.add("a.png", *sources, model_hash=verify(SHIPPED))
    exhibit = exhibit_of(row, bench.stores, LIMITS)
    assert exhibit.no_map is None
    assert shown(exhibit.whole.heat).size == (64, 43)


def test_a_map_of_an_earlier_recipe_is_not_taken_for_this_ones(bench, plain):
    row = dataclasses.replace(plain, recipe=json.dumps({"save_map": False}))
    assert exhibit_of(row, bench.stores, LIMITS).no_map is not None


def test_the_page_stays_under_5_mb_however_large_and_noisy_the_sample_is(bench):
    original, result = as_file(noise(900, 1200, 3), "BMP"), as_file(noise(900, 1200, 3), "JPEG", quality=90)
    collector = Collector(100)
    for index in range(100):
        collector.add(bench.add(f"{'long ' * 150}{index}".replace(" ", "/"), original, result, noise(12, 16)))
    summary = collector.summary("large")
    page = write_page(summary, bench.stores, price=1, currency="$", gallery=100)
    assert 3_000_000 < len(page) < 5_000_000
    articles = page.count(b"<article")
    assert articles >= 2
    assert f"{100 - articles} more of the sample found no room".encode() in page


def test_the_detail_is_where_importance_differs_most():
    importance = np.zeros((60, 80), np.float32)
    importance[45:, 60:] = 1
    box = choose_detail((4000, 3000), importance)
    assert box.width == 512
    assert box.height == 384
    assert 3000 - 512 < box.left < 3000  # the edge of what matters is in the picture
    assert box.top > 2250 - 384


@pytest.mark.parametrize("importance", [None, np.full((4, 4), 0.5, np.float32)])
def test_without_differences_the_detail_is_the_middle(importance):
    assert choose_detail((1512, 1384), importance) == Box(500, 500, 512, 384)


@pytest.mark.parametrize("size", [(1, 1), (100, 80), (100, 5000), (6000, 20)])
def test_details_lie_in_the_picture(size):
    box = choose_detail(size, np.eye(7, dtype=np.float32))
    left, top, right, bottom = box.edges
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert (box.width, box.height) == (min(size[0], 512), min(size[1], 384))


def test_details_are_the_very_pixels():
    pixels = np.kron(noise(50, 60, 3), np.ones((16, 16, 1), np.uint8))
    view = Image.open(io.BytesIO(detail_view(picture_of(pixels), Box(160, 80, 480, 320))))
    difference = np.asarray(view, float) - pixels[80:400, 160:640]
    assert np.sqrt((difference**2).mean()) < 6


@pytest.mark.parametrize(
    ("size", "view"), [((6000, 20), (720, 2)), ((30, 3000), (7, 720)), ((720, 500), (720, 500)), ((10, 6), (240, 144))]
)
def test_whole_views_fit_and_small_pictures_are_enlarged(size, view):
    data, told = whole_view(picture_of(noise(size[1], size[0])))
    assert Image.open(io.BytesIO(data)).size == told == view


def test_the_map_of_a_part_is_that_part_of_the_map():
    importance = np.zeros((10, 10), np.float32)
    importance[5:, 5:] = 1
    for left, colour in ((800, (255, 250, 190)), (0, (13, 8, 64))):
        data = heat_view(importance, (1000, 1000), Box(left, 800, 200, 200))
        heat = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
        assert {tuple(pixel) for pixel in heat[..., :3].reshape(-1, 3).tolist()} == {colour}


def test_colours_are_those_that_the_profile_means():
    pixels = np.full((300, 300, 3), (100, 150, 200), np.uint8)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (None, srgb, lab, b"broken"):  # the last two cannot be meant
        view = Image.open(io.BytesIO(whole_view(picture_of(pixels, icc))[0]))
        assert np.asarray(view)[150, 150] == pytest.approx([100, 150, 200], abs=3)
