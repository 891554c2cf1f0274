from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigurationError
from config.places import Place, ResultKeys

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://photos", Place("photos")),
        ("s3://photos/", Place("photos")),
        ("s3://photos/2024/in", Place("photos", "2024/in/")),
        ("s3://photos/a b+ü#1?/", Place("photos", "a b+ü#1?/")),
        ("file:///srv/photos/", Place("file:///srv/photos")),
    ],
)
def test_urls_of_places(url, place):
    assert Place.parse(url) == place
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize("url", ["photos", "s3://", "https://a/b", "file://host/x", "file:///", ""])
def test_what_is_no_place_is_refused_by_name(url):
    with pytest.raises(ConfigurationError, match="is no place"):
        Place.parse(url)


@pytest.mark.parametrize(
    ("outer", "inner", "contained"),
    [
        ("s3://a", "s3://a/b", True),
        ("s3://a/b", "s3://a/b", True),
        ("s3://a/b", "s3://a", False),
        ("s3://a/b", "s3://a/bc", False),
        ("s3://a", "s3://ab", False),
        ("file:///a", "file:///a/b", True),
        ("file:///a", "file:///ab", False),
    ],
)
def test_one_place_in_another(outer, inner, contained):
    assert Place.parse(outer).contains(Place.parse(inner)) is contained


@given(st.sets(keys, min_size=2, max_size=2))
def test_no_two_sources_share_a_result(pair):
    first, second = (ResultKeys.of(name, "out/") for name in pair)
    for part in ("jpeg", "metrics", "failure", "map"):
        assert getattr(first, part) != getattr(second, part)


def test_layout_of_the_results():
    assert ResultKeys.of("a/b.png", "out/") == ResultKeys(
        jpeg="out/a/b.png.jpg",
        metrics="out/.semjpeg/metrics/a/b.png.json",
        failure="out/.semjpeg/failed/a/b.png.json",
        map="out/.semjpeg/maps/a/b.png.png",
    )
