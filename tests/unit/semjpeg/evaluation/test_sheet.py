"""The contact sheet."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from semjpeg.evaluation import sheet
from semjpeg.evaluation.run import MAP


def test_the_rows_run_evenly_from_the_worst_to_the_best(invented):
    scored = [invented(str(number), (number * 7 % 11) / 11, np.ones(255)) for number in range(11)]
    everything = sheet.choose(scored, 40)
    assert [rank for rank, _ in everything] == list(range(1, 12))
    aucs = [each.scores[MAP].auc for _, each in everything]
    assert aucs == sorted(aucs)
    assert [rank for rank, _ in sheet.choose(scored, 3)] == [1, 6, 11]
    assert [rank for rank, _ in sheet.choose(scored, 1)] == [1]


def test_a_row_shows_picture_mask_map_and_overlay(folders, evaluated):
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


def test_forty_rows_fill_a_page(folders, evaluated):
    scored, _ = evaluated(*folders)
    chosen = [(rank, scored[0]) for rank in range(1, 84)]
    heights = [page.height for page in sheet.draw_pages(chosen, 83, "t")]
    assert heights == [76 + 40 * 162, 76 + 40 * 162, 76 + 3 * 162]


def test_a_narrow_picture_leaves_room_for_its_text(folders, write, evaluated):
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
