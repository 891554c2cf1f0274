"""The pictures, masks and maps of a benchmark."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from config.errors import ConfigurationError, UnsupportedImageError
from semjpeg.benchmark.pictures import ellipse, find, large_picture, read_mask, read_picture


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
