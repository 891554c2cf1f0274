"""Maps of the network and of files, and what they are compared with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import prepare, refine
from semjpeg.evaluation import run
from semjpeg.evaluation.pairs import pair_up
from semjpeg.evaluation.run import BARRIER, CENTRE, MAP, evaluate
from semjpeg.overlay import map_image

HEIGHT, WIDTH = 72, 96


def silent(path: Path, reason: str) -> None:
    del path, reason


def plain_auc(levels: np.ndarray, mask: np.ndarray) -> float:
    difference = levels[mask].astype(int)[:, None] - levels[~mask]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def test_the_networks_maps_score_as_the_files_that_it_would_write(folders, tmp_path, write, network, evaluated):
    images, masks = folders
    direct, failures = evaluated(images, masks)
    assert not failures
    for each in direct:
        pixels = np.asarray(Image.open(each.pair.picture))
        prepared = prepare(pixels)
        importance = refine(prepared, network.maps([prepared])[0])
        np.testing.assert_array_equal(each.importance, importance)
        levels = map_image(importance, WIDTH, HEIGHT)
        mask = np.asarray(Image.open(each.pair.mask)) > 127
        assert each.scores[MAP].auc == plain_auc(np.asarray(levels), mask)
        write(tmp_path / f"maps/{each.pair.picture.stem}.png", np.asarray(levels))
    read, _ = evaluated(images, masks, tmp_path / "maps")
    assert [each.scores[MAP].auc for each in read] == [each.scores[MAP].auc for each in direct]
    assert [each.importance for each in read] == [None] * 5


def test_a_map_of_another_size_is_scaled_to_its_mask(folders, tmp_path, write, evaluated):
    images, masks = folders
    small = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    for mask in masks.iterdir():
        write(tmp_path / "maps" / mask.name, small)
    scaled = np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    for each in evaluated(images, masks, tmp_path / "maps")[0]:
        mask = np.asarray(Image.open(each.pair.mask)) > 127
        assert each.scores[MAP].auc == plain_auc(scaled, mask)
        assert each.scores[MAP].mae == pytest.approx(np.abs(scaled / 255 - mask).mean(), rel=1e-12)


def test_pictures_go_through_the_network_in_batches_in_order(folders, monkeypatch, network):
    monkeypatch.setattr(run, "_BATCH", 2)
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


def test_boundary_connectivity_and_the_centre_score_beside_the_map(folders, evaluated):
    scored, _ = evaluated(*folders)
    for each in scored:
        assert each.scores.keys() == {MAP, CENTRE, BARRIER}
        assert each.scores[BARRIER].auc > 0.9
    middle = next(each for each in scored if each.pair.picture.stem == "c")
    edge = next(each for each in scored if each.pair.picture.stem == "日本")
    assert middle.scores[CENTRE].auc > edge.scores[CENTRE].auc


def test_what_cannot_be_scored_is_named_with_its_reason_and_the_rest_goes_on(
    folders, tmp_path, box, levels_like, write, evaluated
):
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


def test_a_mask_of_another_resolution_is_no_other_shape(folders, evaluated):
    images, masks = folders
    small = Image.open(masks / "a.png").resize((WIDTH // 5, HEIGHT // 5))
    small.save(masks / "a.png")
    assert not evaluated(images, masks)[1]


def test_a_pair_without_a_map_needs_a_model(folders):
    with pytest.raises(ValueError, match="no map"):
        evaluate(pair_up(*folders, None, None).pairs, None, silent)
