"""What the kernel says a decoder shows, against the formulas written out in NumPy and against what Pillow decodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import hvsm, libjpeg, outcome, progressive, reference, transform, trellis
from codec.picture import prepare
from codec.sample import sample
from codec.tables import ZIGZAG

_FREQUENCY, _PLACE = np.mgrid[0:8, 0:8]
_BASIS = 0.5 * np.cos((2 * _PLACE + 1) * _FREQUENCY * np.pi / 16)
_BASIS[0] /= np.sqrt(2)


def _samples(levels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Samples `[n,8,8]` of dequantised blocks: T.81, A.3.3 and A.3.1, rounded half up and clipped."""
    raster = np.zeros((len(levels), 64))
    raster[:, ZIGZAG] = levels * table.astype(float)
    # On a grid far finer than the arithmetic's errors, so that halves are halves.
    exact = np.round(_BASIS.T @ raster.reshape(-1, 8, 8) @ _BASIS, 6)
    return np.clip(np.floor(exact + 128.5), 0, 255)


def _twice(chroma: np.ndarray) -> np.ndarray:
    """One component of an MCU at luma's resolution: triangle filter of libjpeg, h2v2, the edge repeated."""
    edged = np.pad(chroma, 1, mode="edge")
    tall = np.empty((16, 10))
    tall[::2], tall[1::2] = 3 * edged[1:-1] + edged[:-2], 3 * edged[1:-1] + edged[2:]
    full = np.empty((16, 16))
    full[:, ::2] = (3 * tall[:, 1:-1] + tall[:, :-2] + 8) // 16
    full[:, 1::2] = (3 * tall[:, 1:-1] + tall[:, 2:] + 7) // 16
    return full


def _rgb(luma: np.ndarray, blue: np.ndarray, red: np.ndarray) -> np.ndarray:
    """JFIF 1.02, section 7, rounded and clipped."""
    cb, cr = blue - 128, red - 128
    channels = (luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb)
    return np.clip(np.floor(np.stack(channels, axis=-1) + 0.5), 0, 255).astype(np.uint8)


def _mosaic(blocks: np.ndarray) -> np.ndarray:
    """Join four blocks to one of 16×16."""
    return blocks.reshape(2, 2, 8, 8).swapaxes(1, 2).reshape(16, 16)


def _shown(levels: tuple[np.ndarray, ...], tables: tuple[np.ndarray, ...]) -> np.ndarray:
    """Luma `[n,8,8]` that measures see of MCUs that stand alone."""
    luma = _samples(levels[0], tables[0])
    if len(levels) == 1:
        return luma
    blue, red = (_samples(part, tables[1]) for part in levels[1:])
    shown = []
    for number in range(len(blue)):
        mcu = _rgb(_mosaic(luma[4 * number : 4 * number + 4]), _twice(blue[number]), _twice(red[number]))
        shown.append(_in_blocks(reference.luma(mcu)))
    return np.concatenate(shown)


def _coefficients(blocks: np.ndarray) -> np.ndarray:
    raster = _BASIS @ (blocks - 128) @ _BASIS.T
    return np.ascontiguousarray(raster.reshape(-1, 64)[:, ZIGZAG], np.float32)


def _dissimilarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 − SSIM of each block `[n,8,8]` as one window (Wang et al. 2004, equation 13, population moments)."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    x, y = first.mean(axis=(1, 2)), second.mean(axis=(1, 2))
    own, other = first.var(axis=(1, 2)), second.var(axis=(1, 2))
    common = (first * second).mean(axis=(1, 2)) - x * y
    return 1 - (2 * x * y + c1) * (2 * common + c2) / ((x**2 + y**2 + c1) * (own + other + c2))


def _expected(original: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """All measures of blocks `[n,8,8]`, in the order that the module promises."""
    weighted, visible = hvsm.block_errors(_coefficients(original), _coefficients(shown))
    squared = ((original - shown) ** 2).mean(axis=(1, 2))
    return np.stack((squared, weighted, visible, _dissimilarity(original, shown)), axis=1)


def _outcome(levels: tuple[np.ndarray, ...], tables: tuple[np.ndarray, ...], original: np.ndarray) -> np.ndarray:
    coefficients = _coefficients(original)
    return outcome.outcome(levels, tables, coefficients, hvsm.masking(coefficients))


def _same(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Which blocks agree in all measures."""
    return np.isclose(found, expected, rtol=2e-3, atol=2e-3).all(axis=1)


def _pictures(count: int, seed: int, *, colour: bool) -> np.ndarray:
    """Small pictures `[n,side,side,…]`, one MCU each: smooth, textured, dark and bright ones."""
    random = np.random.default_rng(seed)
    side, channels = (16, (3,)) if colour else (8, ())
    one = (count, 1, 1, *channels)
    across = np.arange(side).reshape(1, 1, side, *[1] * len(channels))
    centre, slope = random.uniform(-20, 275, one), random.uniform(-8, 8, one)
    texture = random.choice([2, 10, 40, 90], one) * random.standard_normal((count, side, side, *channels))
    return np.clip(centre + slope * across + texture, 0, 255).astype(np.uint8)


def _quantised(pixels: np.ndarray, quality: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], np.ndarray]:
    """Levels of pictures of one MCU each, their tables, and the luma blocks that measures compare with."""
    planes = [transform.to_planes(one) for one in pixels]
    tables = libjpeg.libjpeg_tables(quality)[: 1 if pixels.ndim == 3 else 2]
    levels = tuple(
        trellis.nearest(np.concatenate([one[number].coefficients for one in planes]), tables[min(number, 1)])
        for number in range(len(planes[0]))
    )
    return levels, tables, np.concatenate([_in_blocks(reference.luma(one)) for one in pixels])


def _in_blocks(luma: np.ndarray) -> np.ndarray:
    """Blocks `[n,8,8]` of a picture of one MCU."""
    return luma.reshape(-1, 8, luma.shape[1] // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8).astype(float)


def test_the_measures_are_in_the_order_that_is_promised():
    assert outcome.MEASURES == ("squared", "weighted", "visible", "dissimilarity")


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.booleans(), st.sampled_from([5, 20, 50, 75, 92, 100]), st.integers(0, 9999))
def test_blocks_come_out_as_the_formulas_say(colour, quality, seed):
    levels, tables, luma = _quantised(_pictures(40, seed, colour=colour), quality)
    found = _outcome(levels, tables, luma)
    assert found.dtype == np.float32
    assert found.shape == (len(luma), 4)
    expected = _expected(luma, _shown(levels, tables))
    # A sample that lies within single precision of a half may go the other way, which at fine steps moves PSNR-HVS-M
    # most: its errors are small.
    assert _same(found, expected).mean() >= 0.95
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=0.02, abs=5e-3)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.booleans(), st.integers(1, 255), st.integers(1, 1023), st.integers(0, 9999))
def test_any_levels_at_any_step_come_out_as_the_formulas_say(colour, step, largest, seed):
    random = np.random.default_rng(seed)
    shapes = ((8, 64), (2, 64), (2, 64)) if colour else ((8, 64),)
    levels = tuple(
        np.where(random.random(shape) < 0.2, random.integers(-largest, largest + 1, shape), 0).astype(np.int16)
        for shape in shapes
    )
    tables = tuple(np.full(64, value, np.float32) for value in (step, 1 + step // 2)[: len(shapes[:2])])
    luma = random.integers(0, 256, (8, 8, 8)).astype(float)
    found, expected = _outcome(levels, tables, luma), _expected(luma, _shown(levels, tables))
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=5e-3, abs=1e-3)


def _decoded_mcus(pixels: np.ndarray, levels: tuple[np.ndarray, ...], tables: tuple[np.ndarray, ...]) -> np.ndarray:
    """Luma blocks `[n,8,8]` that Pillow decodes from a file for each picture of one MCU."""
    shown = []
    for number, one in enumerate(pixels):
        own = tuple(part.reshape(len(pixels), -1, 64)[number] for part in levels)
        data = progressive.write(one.shape[:2], transform.to_planes(one), tables, own)
        shown.append(_in_blocks(reference.luma(reference.decode(data))))
    return np.concatenate(shown)


# libjpeg's IDCT works with whole numbers: in about half of the full blocks one or two samples round the other way,
# which matters where errors are small.
@pytest.mark.parametrize(("quality", "share"), [(10, 0.002), (50, 0.01), (75, 0.01), (95, 0.05)])
@pytest.mark.parametrize("colour", [False, True])
def test_pictures_of_one_mcu_are_what_pillow_decodes(colour, quality, share):
    pixels = _pictures(300, quality, colour=colour)
    levels, tables, luma = _quantised(pixels, quality)
    expected = _expected(luma, _decoded_mcus(pixels, levels, tables))
    found = _outcome(levels, tables, luma)
    assert np.abs(found - expected)[:, 0] == pytest.approx(np.zeros(len(found)), abs=0.3 + 0.02 * expected[:, 0].max())
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=share)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("quality", [5, 95])
def test_an_mcu_comes_out_alike_wherever_it_stands_and_each_time(colour, quality):
    # The kernel takes eight MCUs at a time; of 19 the last three are a group of their own.
    levels, tables, luma = _quantised(_pictures(19, quality, colour=colour), quality)
    per_mcu = len(luma) // 19
    whole = _outcome(levels, tables, luma)
    for first, last in [(0, 19), *((0, count) for count in range(1, 10)), *((start, 19) for start in range(1, 19))]:
        part = slice(per_mcu * first, per_mcu * last)
        own = levels[0][part], *(chroma[first:last] for chroma in levels[1:])
        assert np.array_equal(_outcome(own, tables, luma[part]), whole[part])


@pytest.mark.parametrize("quality", [3, 20, 50, 75, 100])
def test_plain_grey_blocks_are_exactly_what_pillow_decodes(quality):
    pixels = np.arange(256, dtype=np.uint8)[:, None, None].repeat(8, axis=1).repeat(8, axis=2)
    levels, tables, luma = _quantised(pixels, quality)
    expected = _expected(luma, _decoded_mcus(pixels, levels, tables))
    assert _outcome(levels, tables, luma) == pytest.approx(expected, rel=1e-5, abs=1e-4)


def _raster(coefficients: np.ndarray) -> np.ndarray:
    raster = np.empty(coefficients.shape)
    raster[:, ZIGZAG] = coefficients
    return raster.reshape(-1, 8, 8)


def _whole(pixels: np.ndarray, quality: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean errors of a picture at libjpeg's levels: by the kernel, and of what Pillow decodes from the file."""
    picture = prepare(pixels, None, 0)
    taken = sample(picture)
    tables = libjpeg.libjpeg_tables(quality)[: len(picture.planes)]
    data = progressive.write(picture.size, picture.planes, tables, libjpeg.libjpeg_levels(picture.components, quality))
    found = outcome.outcome(libjpeg.libjpeg_levels(taken.components, quality), tables, taken.luma, taken.masking)
    copy = sample(prepare(reference.decode(data), None, 0)).luma
    blocks = [_BASIS.T @ _raster(part) @ _BASIS + 128 for part in (taken.luma, copy)]
    expected = _expected(*blocks)
    return found[taken.region].mean(axis=0, dtype=float), expected[taken.region].mean(axis=0)


@pytest.mark.parametrize("quality", [25, 50, 75, 90])
def test_a_grey_picture_is_what_pillow_decodes(picture, quality):
    found, expected = _whole(picture("camera"), quality)
    assert found == pytest.approx(expected, rel=0.005)


# In a picture, libjpeg interpolates chroma across the borders of MCUs as well. That moves luma only where RGB is
# rounded or clipped, and so counts most where the error is near to that of rounding.
@pytest.mark.parametrize(("quality", "decibels"), [(25, 0.05), (50, 0.1), (75, 0.3), (90, 0.3)])
@pytest.mark.parametrize("name", ["coffee", "astronaut", "cat", "text"])
def test_a_colour_picture_is_nearly_what_pillow_decodes(picture, name, quality, decibels):
    found, expected = _whole(picture(name), quality)
    assert found[[0, 3]] == pytest.approx(expected[[0, 3]], rel=0.015)
    assert found[1] == pytest.approx(expected[1], rel=0.03)
    assert hvsm.decibels(found[2]) == pytest.approx(hvsm.decibels(expected[2]), abs=decibels)
