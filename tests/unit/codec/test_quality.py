"""The promise of `Quality`, measured on what Pillow decodes, with the measures' own packages."""

from __future__ import annotations

import io

import mozjpeg_lossless_optimization
import numpy as np
import pytest
from PIL import Image
from psnr_hvsm import hvs_hvsm_mse_tiles
from ssimulacra2 import compute_ssimulacra2

import codec
from codec import libjpeg, promise, reference, search
from codec import sample as sampling
from codec.weights import grid_importance

PHOTOGRAPHS = ("coffee", "astronaut", "cat", "camera")
DRAWN = ("text", "gradient", "noise")

PROMISE_DB = 0.045
"""How far a file may be below libjpeg's where the promise is kept on the file: 1.01 times its error."""
LEEWAY_DB = 2.1
"""What aim "ssimulacra2" may give up."""
TOLD_DB = 0.02


def _luma(data: bytes | np.ndarray) -> np.ndarray:
    """Luma `float64[h,w]` of the whole blocks."""
    image = Image.fromarray(data) if isinstance(data, np.ndarray) else Image.open(io.BytesIO(data))
    luma = np.asarray(image.convert("YCbCr"))[..., 0] if image.mode == "RGB" else np.asarray(image)
    return luma[: luma.shape[0] // 8 * 8, : luma.shape[1] // 8 * 8].astype(float)


def _pillow(pixels: np.ndarray, quality: int, **options: bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


def _decibels(tiles: np.ndarray, blocks: np.ndarray | None) -> float:
    """Decibels of errors `[rows,columns]` on the scale 0..255, over some blocks or all."""
    error = (tiles if blocks is None else tiles[blocks]).mean() / 255**2
    return min(-10 * np.log10(error), 100) if error > 0 else 100


def _seen_db(pixels: np.ndarray, data: bytes, blocks: np.ndarray | None = None) -> float:
    """PSNR-HVS-M over some blocks or all."""
    with np.errstate(all="ignore"):
        tiles = hvs_hvsm_mse_tiles(_luma(pixels) / 255, _luma(data) / 255)[1] * 255**2
    return _decibels(tiles.reshape(_luma(pixels).shape[0] // 8, -1), blocks)


def _psnr_db(pixels: np.ndarray, data: bytes, blocks: np.ndarray | None = None) -> float:
    """PSNR of luma over some blocks or all."""
    squared = (_luma(pixels) - _luma(data)) ** 2
    return _decibels(squared.reshape(squared.shape[0] // 8, 8, -1, 8).mean(axis=(1, 3)), blocks)


def _ssimulacra2(pixels: np.ndarray, data: bytes) -> float:
    files = [io.BytesIO(), io.BytesIO()]
    for file, image in zip(files, (Image.fromarray(pixels), Image.open(io.BytesIO(data))), strict=True):
        image.save(file, "PPM")
    return float(compute_ssimulacra2(*files))


def _ellipse() -> np.ndarray:
    y, x = np.mgrid[-1:1:30j, -1:1:40j]
    return np.clip(1.5 - 2 * np.hypot(y, x), 0, 1).astype(np.float32)


def _interesting(importance: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    grid = (pixels.shape[0] // 8, pixels.shape[1] // 8)
    found = grid_importance(importance, grid, 8, pixels.shape[:2]).reshape(grid)
    return found >= found.max() / 2


def _assert_never_larger(pixels: np.ndarray, data: bytes, quality: int) -> None:
    """No larger than libjpeg's file in whatever scans are to be had."""
    assert len(data) <= len(mozjpeg_lossless_optimization.optimize(_pillow(pixels, quality)))
    assert len(data) <= len(_pillow(pixels, quality, optimize=True, progressive=True))


@pytest.mark.parametrize("quality", [30, 50, 75, 90])
@pytest.mark.parametrize("name", [*PHOTOGRAPHS, *DRAWN])
def test_without_a_map_the_picture_is_as_good_as_libjpegs_and_no_larger(picture, name, quality):
    pixels = picture(name)
    encoded = codec.encode(pixels, rate=codec.Quality(quality))
    ours, theirs = _seen_db(pixels, encoded.data), _seen_db(pixels, _pillow(pixels, quality))
    assert ours >= theirs - PROMISE_DB
    assert encoded.measured_db == pytest.approx(ours, abs=TOLD_DB)
    assert encoded.libjpeg_db == pytest.approx(theirs, abs=TOLD_DB)
    assert encoded.libjpeg_bytes == len(_pillow(pixels, quality))
    _assert_never_larger(pixels, encoded.data, quality)


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("quality", [30, 50, 75, 90])
@pytest.mark.parametrize("name", [*PHOTOGRAPHS, *DRAWN])
def test_with_a_map_the_region_keeps_the_quality_and_the_rest_the_floor(picture, name, quality, strength):
    pixels = picture(name)
    region = _interesting(_ellipse(), pixels)
    encoded = codec.encode(pixels, _ellipse(), rate=codec.Quality(quality), strength=strength)
    plain, floor = _pillow(pixels, quality), _pillow(pixels, libjpeg.floor_quality(quality, strength))
    ours, theirs = _seen_db(pixels, encoded.data, region), _seen_db(pixels, plain, region)
    assert ours >= theirs - PROMISE_DB
    assert encoded.measured_db == pytest.approx(ours, abs=TOLD_DB)
    assert encoded.libjpeg_db == pytest.approx(theirs, abs=TOLD_DB)
    assert _seen_db(pixels, encoded.data, ~region) >= _seen_db(pixels, floor, ~region) - PROMISE_DB
    _assert_never_larger(pixels, encoded.data, quality)
    if name in PHOTOGRAPHS:
        assert len(encoded.data) < len(codec.encode(pixels, rate=codec.Quality(quality)).data)


@pytest.mark.parametrize("aim", codec.AIMS)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_each_aim_keeps_its_promise(picture, name, aim):
    pixels = picture(name)
    region = _interesting(_ellipse(), pixels)
    measured = _psnr_db if aim == "psnr" else _seen_db
    below = LEEWAY_DB if aim == "ssimulacra2" else PROMISE_DB
    plain, floor = _pillow(pixels, 75), _pillow(pixels, libjpeg.floor_quality(75, codec.DEFAULT_STRENGTH))
    even, mapped = codec.encode(pixels, aim=aim), codec.encode(pixels, _ellipse(), aim=aim)
    for encoded, blocks in ((even, None), (mapped, region)):
        ours, theirs = measured(pixels, encoded.data, blocks), measured(pixels, plain, blocks)
        assert ours >= theirs - below
        assert encoded.measured_db == pytest.approx(ours, abs=TOLD_DB)
        assert encoded.libjpeg_db == pytest.approx(theirs, abs=TOLD_DB)
        _assert_never_larger(pixels, encoded.data, 75)
    assert measured(pixels, mapped.data, ~region) >= measured(pixels, floor, ~region) - PROMISE_DB
    # The map is not given up for the floor, which is nearest to what weights alone would do in PSNR.
    assert len(mapped.data) < 0.9 * len(even.data)


@pytest.mark.parametrize("name", ["coffee", "astronaut", "cat"])
def test_the_aim_for_ssimulacra2_reaches_libjpegs_score_in_fewer_bytes(picture, name):
    pixels = picture(name)
    ours, theirs = codec.encode(pixels, aim="ssimulacra2").data, _pillow(pixels, 75, optimize=True, progressive=True)
    assert _ssimulacra2(pixels, ours) >= _ssimulacra2(pixels, theirs)
    assert len(ours) < 0.95 * len(theirs)


@pytest.mark.parametrize("name", ["coffee", "camera"])
def test_what_the_decoded_file_shows_decides(picture, name, monkeypatch):
    looks = []

    def worse(*arguments):
        """Libjpeg's own file, which is looked at first, as it is; each of ours with a tenth more error."""
        looks.append(sampling.shown_errors(*arguments))
        return looks[-1] if len(looks) == 1 else 1.1 * looks[-1]

    monkeypatch.setattr(promise, "shown_errors", worse)
    pixels = picture(name)
    encoded = codec.encode(pixels)
    assert len(looks) > 2
    assert encoded.lagrangian > 0
    ours, theirs = _seen_db(pixels, encoded.data), _seen_db(pixels, _pillow(pixels, 75))
    assert theirs + 0.36 < ours < theirs + 0.7
    assert encoded.measured_db == pytest.approx(ours - 0.414, abs=TOLD_DB)


def test_a_file_that_does_not_keep_the_promise_is_not_given(picture, monkeypatch):
    factors = iter([1.0, *[5.0] * 9])
    monkeypatch.setattr(promise, "shown_errors", lambda *given: next(factors) * sampling.shown_errors(*given))
    encoded = codec.encode(picture("cat"))
    assert encoded.data == mozjpeg_lossless_optimization.optimize(_pillow(picture("cat"), 75))
    assert encoded.lagrangian == 0


@pytest.mark.parametrize("name", ["coffee", "astronaut", "camera"])
def test_the_floor_holds_where_the_weights_alone_would_break_it(picture, name, monkeypatch):
    monkeypatch.setattr("codec.weights.FLOOR", 0.001)
    pixels = picture(name)
    region = _interesting(_ellipse(), pixels)
    encoded = codec.encode(pixels, _ellipse())
    floor = _pillow(pixels, libjpeg.floor_quality(75, codec.DEFAULT_STRENGTH))
    assert encoded.lagrangian > 0
    assert _seen_db(pixels, encoded.data, region) >= _seen_db(pixels, _pillow(pixels, 75), region) - PROMISE_DB
    assert _seen_db(pixels, encoded.data, ~region) >= _seen_db(pixels, floor, ~region) - PROMISE_DB


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


@pytest.mark.parametrize("largest", [sampling.LARGEST, 100])
@pytest.mark.parametrize("name", ["cat", "camera"])
def test_where_nothing_smaller_is_as_good_the_file_is_libjpegs(picture, name, largest, monkeypatch):
    monkeypatch.setattr(search.Search, "within", lambda *_: None)
    monkeypatch.setattr(sampling, "LARGEST", largest)
    pixels = picture(name)
    encoded = codec.encode(pixels)
    plain = _pillow(pixels, 75)
    assert encoded.data == mozjpeg_lossless_optimization.optimize(plain)
    assert np.array_equal(reference.decode(encoded.data), reference.decode(plain))
    assert encoded.lagrangian == 0
    assert encoded.scale == libjpeg.libjpeg_scale(75)
    assert encoded.measured_db == encoded.libjpeg_db
