"""Pictures and the masks that belong to them."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from config.errors import ConfigurationError
from semjpeg.evaluation.pairs import pair_up


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


def test_two_pictures_of_one_stem_and_folders_without_a_pair_are_refused(folders, write):
    images, masks = folders
    write(images / "a.webp", np.zeros((72, 96, 3), np.uint8))
    with pytest.raises(ConfigurationError, match=r"a\.jpg and a\.webp"):
        pair_up(images, masks, None, None)
    (images / "a.webp").unlink()
    for number, mask in enumerate(masks.iterdir()):
        mask.rename(masks / f"{number}.png")
    with pytest.raises(ConfigurationError, match=r"no picture in .* has a mask"):
        pair_up(images, masks, None, None)
