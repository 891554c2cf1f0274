"""Means over pictures, their intervals, and the rows of the CSV file."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest

from semjpeg.evaluation import bootstrap, report
from semjpeg.evaluation.summary import Figure, summarise


def test_the_best_threshold_is_shared_by_all_pictures(invented):
    one, two = np.zeros(255), np.zeros(255)
    one[[9, 99]] = 1, 0.6
    two[[199, 99]] = 1, 0.6
    row = summarise([invented("a", 0.9, one), invented("b", 0.7, two, found=0)], "ours")[0]
    assert (row.name, row.pictures, row.threshold, row.found, row.objects) == ("ours", 2, 100, 1, 4)
    assert row.best_f.value == pytest.approx(0.6)
    assert (row.auc.value, row.mae.value) == (pytest.approx(0.8), pytest.approx(0.2))


def test_the_rows_are_the_maps_and_the_two_that_know_nothing(invented):
    rows = summarise([invented("a", 0.9, np.ones(255)), invented("b", 0.7, np.ones(255))], "ours")
    assert [row.name for row in rows] == ["ours", "centre prior", "boundary connectivity alone"]


def test_intervals_are_those_of_means_over_pictures_drawn_again(invented):
    rng = np.random.default_rng(5)
    values = rng.normal(0.8, 0.05, 200)
    row = summarise([invented(str(v), v, np.full(255, v)) for v in values], "ours")[0]
    half = 1.96 * values.std() / math.sqrt(200)
    for figure, mean in ((row.auc, values.mean()), (row.best_f, values.mean()), (row.mae, 1 - values.mean())):
        assert figure.interval == (
            pytest.approx(mean - half, abs=0.1 * half),
            pytest.approx(mean + half, abs=0.1 * half),
        )
    assert summarise([invented("a", 0.9, np.ones(255))], "ours")[0].auc == Figure(0.9, None)


def test_draws_are_the_same_at_each_call_and_weigh_one_in_all():
    draws = bootstrap.resamples(7)
    assert draws.shape == (2000, 7)
    np.testing.assert_allclose(draws.sum(axis=1), 1)
    np.testing.assert_array_equal(draws, bootstrap.resamples(7))
    assert bootstrap.interval(np.arange(1001.0)) == (25, 975)


def test_the_csv_has_a_row_for_each_picture_with_f_at_the_shared_threshold(invented):
    f = np.linspace(0, 1, 255)
    scored = [invented("a, ü.jpg", 0.875, f), invented("b.jpg", 0.5, f)]
    rows = list(csv.DictReader(io.StringIO(report.to_csv(scored, 128, None))))
    assert rows[0] == {
        "name": "a, ü.jpg", "auc": "0.875000", "f": "0.500000", "mae": "0.125000", "mask_above_mean": "0.500000",
        "objects": "2", "objects_found": "1",
    }  # fmt: skip
    rates = {Path("a, ü.jpg"): (math.log(0.9), math.log(0.8), math.log(0.5))}
    rows = list(csv.DictReader(io.StringIO(report.to_csv(scored, 128, rates))))
    rate_columns = ("bd_rate_none", "bd_rate_map", "bd_rate_mask")
    assert [rows[0][column] for column in rate_columns] == ["-10.000", "-20.000", "-50.000"]
    assert [rows[1][column] for column in rate_columns] == ["", "", ""]
