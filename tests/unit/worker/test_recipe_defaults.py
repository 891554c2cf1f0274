"""What `config` must repeat of `codec`, which it cannot import, is the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

import pytest

import codec
from config import recipes
from config.recipes import MosaicOptions, Recipe
from worker.encode import method_of, rate_of


def test_a_plain_recipe_asks_for_what_the_encoder_does_by_itself():
    assert Recipe().strength == codec.DEFAULT_STRENGTH
    assert rate_of(Recipe()) == codec.DEFAULT_QUALITY
    assert method_of(Recipe()) == codec.DEFAULT_METHOD
    assert Recipe().aim == codec.DEFAULT_AIM
    assert method_of(Recipe(method="mosaic")) == codec.Mosaic()


def test_a_recipe_knows_every_choice_of_the_encoder():
    assert get_args(recipes.Aim) == codec.AIMS
    assert get_args(recipes.Method) == codec.METHODS
    assert get_args(recipes.Mixing) == codec.MIXINGS
    assert set(MosaicOptions.model_fields) == set(asdict(codec.Mosaic()))


@pytest.mark.parametrize(
    ("fields", "rate"),
    [
        ({"quality": 40}, codec.Quality(40)),
        ({"match_jpeg": 40}, codec.MatchJpeg(40)),
        ({"target_bytes": "40k"}, codec.TargetBytes(40_000)),
    ],
)
def test_each_rate_becomes_the_encoders(fields, rate):
    assert rate_of(Recipe(**fields)) == rate


def test_the_options_of_a_mosaic_become_the_encoders():
    options = {"levels": 9, "low": 20, "high": 100, "mixing": "steps", "threshold": 0.2}
    assert method_of(Recipe(method="mosaic", mosaic=options)) == codec.Mosaic(**options)
