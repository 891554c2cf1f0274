from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigurationError
from config.places import MAX_KEY_BYTES, Place, ResultKeys, utf8_bytes

RECORDS = ("metrics", "failure", "map")
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


letters = st.sampled_from(["a", "ü", "日", "🐱", "e\u0301", "/"])


@st.composite
def long_names(draw) -> str:
    """Names of up to 1024 bytes, most of them nearly as long."""
    name = draw(letters) * 1024
    most = MAX_KEY_BYTES - draw(st.integers(0, 120))
    return draw(keys) + name.encode()[: most - 200].decode("utf-8", "ignore") + draw(keys)


@given(long_names(), st.sampled_from(["", "out/", "ü" * 400 + "/"]))
def test_every_record_has_a_key_that_fits_and_the_jpeg_keeps_the_whole_name(name, prefix):
    found = ResultKeys.of(name, prefix)
    assert all(utf8_bytes(getattr(found, part)) <= MAX_KEY_BYTES for part in RECORDS)
    assert all(getattr(found, part).startswith(f"{prefix}.semjpeg/") for part in RECORDS)
    assert found.jpeg == f"{prefix}{name}.jpg"
    assert found.jpeg_fits == (len(found.jpeg.encode()) <= MAX_KEY_BYTES)


@given(long_names(), long_names(), st.integers(0, 1024))
def test_no_two_long_names_share_a_record(name, other, cut):
    """Neither names that differ late, nor one that spells the other's shortened name."""
    folder = ".semjpeg/failed/"
    spelt = ResultKeys.of(name, "").failure.removeprefix(folder).removesuffix(".json")
    names = {name, other, name[:cut], f"{name[:-1]}ß", spelt, ResultKeys.of(spelt, "").failure} - {""}
    for part in RECORDS:
        assert len({getattr(ResultKeys.of(each, ""), part) for each in names}) == len(names)


def test_a_name_is_cut_between_characters_and_only_where_it_has_to_be():
    fits = "a" * (MAX_KEY_BYTES - len(".semjpeg/failed/" + ".json"))
    assert ResultKeys.of(fits, "").failure == f".semjpeg/failed/{fits}.json"
    assert ResultKeys.of(fits, "").metrics != f".semjpeg/metrics/{fits}.json"
    for start, whole in (("", 234), ("a", 234), ("aa", 234), ("aaa", 233)):
        shortened = ResultKeys.of(start + "🐱" * 255, "").failure
        assert re.fullmatch(rf"\.semjpeg/failed/{start}🐱{{{whole}}}~[0-9a-f]{{64}}\.json", shortened)


def test_odd_bytes_of_a_files_name_are_kept_apart():
    first, second = (ResultKeys.of("a" * 1000 + b"\xff\xfe"[:n].decode("utf-8", "surrogateescape"), "") for n in (1, 2))
    assert first.failure != second.failure


def test_a_prefix_that_leaves_no_room_for_a_digest_is_refused():
    most = MAX_KEY_BYTES - len(".semjpeg/metrics/" + "~" + ".json") - 64
    assert ResultKeys.of("a" * 500, "p" * (most - 1) + "/")
    with pytest.raises(ConfigurationError, match="1 bytes too long"):
        ResultKeys.of("a" * 500, "p" * most + "/")
