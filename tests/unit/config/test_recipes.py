from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.recipes import MetadataPolicy, MosaicOptions, Recipe
from config.settings import Settings


def test_a_plain_recipe_has_one_rate():
    assert Recipe().rate == ("quality", 75)
    assert (Recipe().match_jpeg, Recipe().target_bytes) == (None, None)


@pytest.mark.parametrize(
    ("fields", "rate", "libjpeg_quality"),
    [
        ({"quality": 40}, ("quality", 40), 40),
        ({"match_jpeg": 50}, ("match_jpeg", 50), 50),
        ({"target_bytes": 9000}, ("target_bytes", 9000), None),
        ({"target_bytes": "200k"}, ("target_bytes", 200_000), None),
        ({"target_bytes": "1.5M"}, ("target_bytes", 1_500_000), None),
    ],
)
def test_a_rate_takes_the_place_of_the_default(fields, rate, libjpeg_quality):
    recipe = Recipe(**fields)
    assert recipe.rate == rate
    assert type(recipe.rate[1]) is int
    assert recipe.libjpeg_quality == libjpeg_quality
    assert set(recipe.model_dump()) == {rate[0], "name", "aim", "method", "strength", "metadata", "save_map"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"quality": 75, "match_jpeg": 50}, "one of quality, match_jpeg, target_bytes, not quality and match_jpeg"),
        ({"quality": 75, "target_bytes": 50}, "not quality and target_bytes"),
        ({"match_jpeg": 75, "target_bytes": 50}, "not match_jpeg and target_bytes"),
        ({"match_jpeg": 0}, "match_jpeg"),
        ({"target_bytes": 0}, "target_bytes"),
        ({"target_bytes": "much"}, "target_bytes"),
        ({"aim": "ssim"}, "aim"),
        ({"method": "jpeg"}, "method"),
        ({"mosaic": {"levels": 5}}, "need the method mosaic"),
        ({"method": "trellis", "mosaic": {}}, "need the method mosaic"),
        ({"method": "mosaic", "mosaic": {"levels": 1}}, "mosaic.levels"),
        ({"method": "mosaic", "mosaic": {"low": 70}}, "low must be below high, not 70 and 70"),
        ({"method": "mosaic", "mosaic": {"levels": 4, "low": 50, "high": 52}}, "3 qualities, not 4"),
        ({"method": "mosaic", "mosaic": {"mixing": "median"}}, "mosaic.mixing"),
        ({"method": "mosaic", "mosaic": {"threshold": 1}}, "mosaic.threshold"),
        ({"method": "mosaic", "mosaic": {"quality": 1}}, "mosaic.quality"),
    ],
)
def test_what_contradicts_itself_or_is_out_of_range_is_named(fields, named):
    with pytest.raises(ValidationError, match=named):
        Recipe(**fields)


def test_equal_recipes_are_equal_however_they_are_written():
    for one, other in (
        (Recipe(), Recipe(quality=75, match_jpeg=None, target_bytes=None, aim="balanced", method="trellis")),
        (Recipe(target_bytes=200_000), Recipe(target_bytes="200k", quality=None)),
        (Recipe(method="mosaic"), Recipe(method="mosaic", mosaic={})),
        (Recipe(method="mosaic"), Recipe(method="mosaic", mosaic=MosaicOptions(threshold=0.01))),
        (Recipe(strength=1), Recipe(strength=1.0)),
    ):
        assert one == other
        assert one.hash == other.hash


def test_different_recipes_have_different_hashes():
    recipes = [
        Recipe(),
        Recipe(quality=50),
        Recipe(match_jpeg=50),
        Recipe(target_bytes=50),
        *(Recipe(aim=aim) for aim in ("hvs", "ssimulacra2", "psnr")),
        Recipe(method="mosaic"),
        Recipe(method="mosaic", mosaic={"levels": 9}),
        Recipe(method="mosaic", mosaic={"mixing": "mean"}),
        Recipe(strength=0.5),
        Recipe(metadata=MetadataPolicy.KEEP),
    ]
    assert len({recipe.hash for recipe in recipes}) == len(recipes)


def test_recipes_from_before_there_were_choices_keep_their_hashes():
    options = {"metadata": "safe", "quality": 75, "save_map": False, "strength": 0.6}
    assert Recipe(name="any").hash == hashlib.sha256(json.dumps(options).encode()).hexdigest()


@given(
    st.sampled_from([{}, {"quality": 3}, {"match_jpeg": 97}, {"target_bytes": "7k"}, {"target_bytes": 2**41}]),
    st.sampled_from([{}, {"method": "mosaic"}, {"method": "mosaic", "mosaic": {"low": 5, "levels": 12}}]),
    st.sampled_from(["balanced", "hvs", "ssimulacra2", "psnr"]),
)
def test_a_recipe_survives_json(rate, method, aim):
    recipe = Recipe(**rate, **method, aim=aim)
    again = Recipe.model_validate(json.loads(json.dumps(recipe.model_dump(mode="json"))))
    assert (again, again.hash) == (recipe, recipe.hash)


def test_every_choice_can_stand_in_the_settings_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEMJPEG_CONFIG", raising=False)
    (tmp_path / "semjpeg.toml").write_text(
        '[recipes.mail]\ntarget_bytes = "1.5M"\naim = "hvs"\n'
        '[recipes.paper]\nmatch_jpeg = 50\nmethod = "mosaic"\nmosaic = { levels = 9, low = 20, high = 100 }\n'
    )
    settings = Settings.load()
    assert settings.recipe("mail") == Recipe(name="mail", target_bytes=1_500_000, aim="hvs")
    options = MosaicOptions(levels=9, low=20, high=100)
    assert settings.recipe("paper") == Recipe(name="paper", match_jpeg=50, method="mosaic", mosaic=options)
