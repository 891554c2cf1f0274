"""The promise of `Quality`, measured on what Pillow decodes, with the measure's own package."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from psnr_hvsm import hvs_hvsm_mse_tiles

import codec
from codec import sample as sampling
from codec import search
from codec.weights import grid_importance

_ROUNDING_DB = 0.005


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


def _ellipse(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(1.5 - 2 * np.hypot(y, x), 0, 1).astype(np.float32)


def _interesting(importance: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    grid = (pixels.shape[0] // 8, pixels.shape[1] // 8)
    found = grid_importance(importance, grid, 8, pixels.shape[:2]).reshape(grid)
    return found >= found.max() / 2


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("name", ["coffee", "astronaut", "cat", "camera", "text", "gradient", "noise"])
def test_without_a_map_the_picture_is_as_good_as_libjpegs_and_smaller(picture, name, quality):
    pixels = picture(name)
    encoded = codec.encode(pixels, rate=codec.Quality(quality))
    plain = _pillow(pixels, quality, optimize=True, progressive=True)
    ours, theirs = _seen_db(pixels, encoded.data), _seen_db(pixels, plain)
    assert ours >= theirs - _ROUNDING_DB
    assert len(encoded.data) <= len(plain)
    assert encoded.psnr_hvs_m_db == pytest.approx(ours, abs=0.01)
    assert encoded.libjpeg_psnr_hvs_m_db == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("name", ["coffee", "astronaut", "cat", "camera"])
def test_with_a_map_the_region_keeps_the_quality_and_the_rest_the_floor(picture, name, strength):
    pixels = picture(name)
    importance = _ellipse(30, 40)
    encoded = codec.encode(pixels, importance, strength=strength)
    region = _interesting(importance, pixels)
    plain = _pillow(pixels, 75, optimize=True, progressive=True)
    floor = _pillow(pixels, search.floor_quality(75, strength))
    assert _seen_db(pixels, encoded.data, region) >= _seen_db(pixels, plain, region) - _ROUNDING_DB
    assert _seen_db(pixels, encoded.data, ~region) >= _seen_db(pixels, floor, ~region) - _ROUNDING_DB
    assert len(encoded.data) < len(codec.encode(pixels).data)


@pytest.mark.parametrize("name", ["coffee", "astronaut", "camera"])
def test_the_floor_holds_where_the_weights_alone_would_break_it(picture, name, monkeypatch):
    monkeypatch.setattr("codec.weights.FLOOR", 0.001)
    pixels = picture(name)
    importance = _ellipse(30, 40)
    region = _interesting(importance, pixels)
    encoded = codec.encode(pixels, importance)
    floor = _pillow(pixels, search.floor_quality(75, codec.DEFAULT_STRENGTH))
    assert encoded.lagrangian > 0
    assert _seen_db(pixels, encoded.data, ~region) >= _seen_db(pixels, floor, ~region) - _ROUNDING_DB
    assert _seen_db(pixels, encoded.data, region) >= _seen_db(pixels, _pillow(pixels, 75), region) - _ROUNDING_DB


def test_at_equal_bytes_a_map_moves_quality_into_its_region(picture):
    pixels = picture("coffee")
    importance = _ellipse(30, 40)
    region = _interesting(importance, pixels)
    mapped = codec.encode(pixels, importance, rate=codec.Quality(75)).data
    even = next(
        data
        for data in (codec.encode(pixels, rate=codec.Quality(q)).data for q in range(75, 40, -1))
        if len(data) <= len(mapped)
    )
    assert _seen_db(pixels, mapped, region) > _seen_db(pixels, even, region) + 1
    assert _seen_db(pixels, mapped, ~region) < _seen_db(pixels, even, ~region)


def test_more_strength_takes_more_bytes_from_the_rest(picture):
    importance = _ellipse(30, 40)
    sizes = [len(codec.encode(picture("astronaut"), importance, strength=s).data) for s in (0, 0.3, 0.6, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == len(codec.encode(picture("astronaut")).data)


def test_the_promise_holds_on_the_whole_of_a_picture_that_was_sampled(picture, monkeypatch):
    monkeypatch.setattr(sampling, "LARGEST", 400)
    pixels = picture("coffee")
    encoded = codec.encode(pixels)
    assert _seen_db(pixels, encoded.data) == pytest.approx(encoded.psnr_hvs_m_db, abs=1)
    assert _seen_db(pixels, encoded.data) >= _seen_db(pixels, _pillow(pixels, 75)) - 0.3


def test_where_nothing_smaller_is_as_good_the_file_is_libjpegs_with_better_scans(picture, monkeypatch):
    monkeypatch.setattr(search._Search, "coarsest", lambda *_: None)
    pixels = picture("cat")
    encoded = codec.encode(pixels)
    assert encoded.lagrangian == 0
    decoded, plain = (np.asarray(Image.open(io.BytesIO(data))) for data in (encoded.data, _pillow(pixels, 75)))
    assert np.array_equal(decoded, plain)
    assert len(encoded.data) < len(_pillow(pixels, 75, optimize=True))
