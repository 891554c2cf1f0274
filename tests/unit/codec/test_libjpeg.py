"""What libjpeg would choose, against libjpeg itself: its tables by Pillow, its levels by jpeglib."""

from __future__ import annotations

from pathlib import Path

import jpeglib
import numpy as np
import pytest
from PIL import Image

from codec import libjpeg, reference
from codec.picture import prepare
from codec.tables import ZIGZAG
from codec.trellis import nearest


def _raster(table: np.ndarray) -> list[int]:
    raster = np.empty(64, int)
    raster[ZIGZAG] = table
    return raster.tolist()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Save a picture with Pillow and return the path."""
    folder = tmp_path_factory.mktemp("libjpeg")

    def save(pixels: np.ndarray, quality: int) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.jpg"
        path.write_bytes(reference.libjpeg(pixels, quality))
        return path

    return save


def test_tables_are_libjpegs_at_every_quality(saved):
    pixels = np.zeros((8, 8, 3), np.uint8)
    for quality in range(1, 101):
        with Image.open(saved(pixels, quality)) as image:
            # Pillow gives them in raster order.
            theirs = [list(table) for table in image.quantization.values()]
        ours = libjpeg.libjpeg_tables(quality)
        assert [_raster(table) for table in ours] == theirs
        assert {table.dtype for table in ours} == {np.dtype(np.float32)}


def _levels_of_jpeglib(path: Path) -> list[np.ndarray]:
    """Levels `[rows,columns,64]` per component, in zigzag order."""
    file = jpeglib.read_dct(str(path))
    parts = [part for part in (file.Y, file.Cb, file.Cr) if part is not None]
    return [part.reshape(*part.shape[:2], 64)[..., ZIGZAG] for part in parts]


# libjpeg rounds each pass of its DCT to whole numbers, which decides about what is nearly a tie. Chroma is not
# compared: another filter than libjpeg's halves it.
@pytest.mark.parametrize(("quality", "share"), [(10, 0.998), (50, 0.995), (75, 0.99), (95, 0.97)])
@pytest.mark.parametrize("name", ["coffee", "cat", "camera", "text", "gradient"])
def test_levels_of_luma_are_libjpegs_but_for_ties(picture, saved, name, quality, share):
    pixels = picture(name)
    taken = prepare(pixels, None, 0)
    found = libjpeg.libjpeg_levels(taken.components, quality)[0]
    expected = _levels_of_jpeglib(saved(pixels, quality))[0]
    assert found.dtype == np.int16
    rows, columns = expected.shape[:2]
    levels = found.reshape(taken.planes[0].rows, taken.planes[0].columns, 64)[:rows, :columns]
    assert (levels == expected).mean() >= share
    assert np.abs(levels - expected).max() <= 1


def test_levels_are_the_nearest_by_the_table_of_each_component(picture):
    components = prepare(picture("cat"), None, 0).components
    luma, chroma = libjpeg.libjpeg_tables(60)
    expected = [nearest(part.coefficients, chroma if part.number else luma) for part in components]
    for levels, table_levels in zip(libjpeg.libjpeg_levels(components, 60), expected, strict=True):
        assert np.array_equal(levels, table_levels)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 90, 99])
def test_the_scale_gives_about_the_tables(quality):
    scale = libjpeg.libjpeg_scale(quality)
    for found, one in zip(libjpeg.libjpeg_tables(quality), libjpeg.libjpeg_tables(50), strict=True):
        assert np.abs(found - np.clip(one * scale, 1, 255)).max() <= 1


def test_the_scale_falls_with_quality_and_stays_above_zero():
    scales = [libjpeg.libjpeg_scale(quality) for quality in range(1, 101)]
    assert scales == sorted(scales, reverse=True)
    assert scales[-1] > 0
    assert scales[49] == 1


@pytest.mark.parametrize("strength", [0.3, 0.6, 1])
def test_the_floor_lies_at_steps_coarser_by_the_strength(strength):
    for quality in range(1, 101):
        floor = libjpeg.floor_quality(quality, strength)
        coarser = libjpeg.libjpeg_scale(quality) * 10 ** (strength / 2)
        assert 1 <= floor <= quality
        # It is the finest of the qualities that are as coarse.
        assert libjpeg.libjpeg_scale(floor) >= coarser * (1 - 1e-9) or floor == 1
        assert libjpeg.libjpeg_scale(floor + 1) < coarser


def test_no_strength_has_its_floor_at_the_quality_itself():
    assert [libjpeg.floor_quality(quality, 0) for quality in range(1, 100)] == list(range(1, 100))


def test_the_floors_that_users_are_told():
    assert [libjpeg.floor_quality(quality, 0.6) for quality in (90, 75, 50)] == [80, 50, 25]
    assert libjpeg.floor_quality(75, 1) == 31
