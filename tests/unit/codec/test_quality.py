"""The promise of `Quality`, measured on what Pillow decodes, with the measure's own package."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from psnr_hvsm import hvs_hvsm_mse_tiles

import codec
from codec import libjpeg, progressive, search
from codec import sample as sampling
from codec.picture import prepare
from codec.weights import grid_importance

PHOTOGRAPHS = ("coffee", "astronaut", "cat", "camera")
DRAWN = ("text", "gradient", "noise")

# How far the file may be below libjpeg's, by quality. The search measures blocks that are decoded MCU by MCU, and
# libjpeg's by levels that are its own but for ties; the nearer the errors are to a decoder's rounding, the more that
# matters, most in a small region.
BELOW_DB = {50: 0.1, 75: 0.1, 90: 0.1}
BELOW_IN_REGION_DB = {50: 0.15, 75: 0.3, 90: 0.6}
TOLD_DB = {50: 0.12, 75: 0.25, 90: 0.3}


def _luma(data: bytes | np.ndarray) -> np.ndarray:
    image = Image.fromarray(data) if isinstance(data, np.ndarray) else Image.open(io.BytesIO(data))
    luma = np.asarray(image.convert("YCbCr"))[..., 0] if image.mode == "RGB" else np.asarray(image)
    return luma[: luma.shape[0] // 8 * 8, : luma.shape[1] // 8 * 8] / 255


def _pillow(pixels: np.ndarray, quality: int, **options: bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


def _seen_db(pixels: np.ndarray, data: bytes, blocks: np.ndarray | None = None) -> float:
    with np.errstate(all="ignore"):
        tiles = hvs_hvsm_mse_tiles(_luma(pixels), _luma(data))[1]
    tiles = tiles.reshape(_luma(pixels).shape[0] // 8, -1)
    error = (tiles if blocks is None else tiles[blocks]).mean()
    return min(-10 * np.log10(error), 100) if error > 0 else 100


def _ellipse() -> np.ndarray:
    y, x = np.mgrid[-1:1:30j, -1:1:40j]
    return np.clip(1.5 - 2 * np.hypot(y, x), 0, 1).astype(np.float32)


def _interesting(importance: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    grid = (pixels.shape[0] // 8, pixels.shape[1] // 8)
    found = grid_importance(importance, grid, 8, pixels.shape[:2]).reshape(grid)
    return found >= found.max() / 2


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_without_a_map_the_picture_is_as_good_as_libjpegs(picture, name, quality):
    pixels = picture(name)
    encoded = codec.encode(pixels, rate=codec.Quality(quality))
    ours, theirs = _seen_db(pixels, encoded.data), _seen_db(pixels, _pillow(pixels, quality))
    assert ours >= theirs - BELOW_DB[quality]
    assert encoded.measured_db >= encoded.libjpeg_db
    assert encoded.measured_db == pytest.approx(ours, abs=TOLD_DB[quality])
    assert encoded.libjpeg_db == pytest.approx(theirs, abs=TOLD_DB[quality])


@pytest.mark.parametrize("quality", [50, 75])
@pytest.mark.parametrize("name", ["text", "gradient"])
def test_what_is_no_photograph_is_as_good_as_well(picture, name, quality):
    pixels = picture(name)
    encoded = codec.encode(pixels, rate=codec.Quality(quality))
    assert _seen_db(pixels, encoded.data) >= _seen_db(pixels, _pillow(pixels, quality)) - BELOW_DB[quality]


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("name", [*PHOTOGRAPHS, *DRAWN])
def test_no_file_is_larger_than_libjpegs_levels_in_the_same_scans(picture, name, quality):
    pixels = picture(name)
    taken = prepare(pixels, None, 0)
    tables = libjpeg.libjpeg_tables(quality)[: len(taken.planes)]
    levels = libjpeg.libjpeg_levels(taken.components, quality)
    size = len(codec.encode(pixels, rate=codec.Quality(quality)).data)
    assert size <= len(progressive.write(taken.size, taken.planes, tables, levels))
    assert size <= 1.005 * len(_pillow(pixels, quality, optimize=True, progressive=True))


def _assert_kept(pixels: np.ndarray, data: bytes, quality: int, strength: float) -> None:
    """As good as libjpeg inside the region, as good as at the floor quality outside."""
    region = _interesting(_ellipse(), pixels)
    plain, floor = _pillow(pixels, quality), _pillow(pixels, libjpeg.floor_quality(quality, strength))
    assert _seen_db(pixels, data, region) >= _seen_db(pixels, plain, region) - BELOW_IN_REGION_DB[quality]
    assert _seen_db(pixels, data, ~region) >= _seen_db(pixels, floor, ~region) - BELOW_DB[quality]


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_with_a_map_the_region_keeps_the_quality_and_the_rest_the_floor(picture, name, quality, strength):
    pixels = picture(name)
    encoded = codec.encode(pixels, _ellipse(), rate=codec.Quality(quality), strength=strength)
    _assert_kept(pixels, encoded.data, quality, strength)
    assert encoded.measured_db >= encoded.libjpeg_db
    assert len(encoded.data) < len(codec.encode(pixels, rate=codec.Quality(quality)).data)


@pytest.mark.parametrize("aim", codec.AIMS)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_each_aim_keeps_the_promise(picture, name, aim):
    pixels = picture(name)
    plain = _pillow(pixels, 75, optimize=True, progressive=True)
    even = codec.encode(pixels, aim=aim)
    assert _seen_db(pixels, even.data) >= _seen_db(pixels, plain) - BELOW_DB[75]
    assert len(even.data) <= 1.005 * len(plain)
    mapped = codec.encode(pixels, _ellipse(), aim=aim)
    _assert_kept(pixels, mapped.data, 75, codec.DEFAULT_STRENGTH)
    assert len(mapped.data) < len(even.data)


@pytest.mark.parametrize("name", ["coffee", "astronaut", "camera"])
def test_the_floor_holds_where_the_weights_alone_would_break_it(picture, name, monkeypatch):
    monkeypatch.setattr("codec.weights.FLOOR", 0.001)
    encoded = codec.encode(picture(name), _ellipse())
    assert encoded.lagrangian > 0
    _assert_kept(picture(name), encoded.data, 75, codec.DEFAULT_STRENGTH)


def test_at_equal_bytes_a_map_moves_quality_into_its_region(picture):
    pixels = picture("coffee")
    region = _interesting(_ellipse(), pixels)
    mapped = codec.encode(pixels, _ellipse(), rate=codec.Quality(75)).data
    even = next(
        data
        for data in (codec.encode(pixels, rate=codec.Quality(q)).data for q in range(75, 40, -1))
        if len(data) <= len(mapped)
    )
    assert _seen_db(pixels, mapped, region) > _seen_db(pixels, even, region) + 1
    assert _seen_db(pixels, mapped, ~region) < _seen_db(pixels, even, ~region)


def test_more_strength_takes_more_bytes_from_the_rest(picture):
    sizes = [len(codec.encode(picture("astronaut"), _ellipse(), strength=s).data) for s in (0, 0.3, 0.6, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == len(codec.encode(picture("astronaut")).data)


def test_the_promise_nearly_holds_on_the_whole_of_a_picture_that_was_sampled(picture, monkeypatch):
    monkeypatch.setattr(sampling, "LARGEST", 400)
    pixels = picture("coffee")
    encoded = codec.encode(pixels)
    assert _seen_db(pixels, encoded.data) == pytest.approx(encoded.measured_db, abs=1)
    assert _seen_db(pixels, encoded.data) >= _seen_db(pixels, _pillow(pixels, 75)) - 0.3


@pytest.mark.parametrize("name", ["cat", "camera"])
def test_where_nothing_smaller_is_as_good_the_levels_are_libjpegs(picture, name, monkeypatch):
    monkeypatch.setattr(search.Search, "coarsest", lambda *_: None)
    pixels = picture(name)
    encoded = codec.encode(pixels)
    taken = prepare(pixels, None, 0)
    tables = libjpeg.libjpeg_tables(75)[: len(taken.planes)]
    expected = progressive.write(taken.size, taken.planes, tables, libjpeg.libjpeg_levels(taken.components, 75))
    assert encoded.data == expected
    assert encoded.lagrangian == 0
    assert encoded.scale == libjpeg.libjpeg_scale(75)
    assert encoded.measured_db == encoded.libjpeg_db
    assert len(encoded.data) < len(_pillow(pixels, 75, optimize=True))
