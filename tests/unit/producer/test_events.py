from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigurationError, InvalidMessageError, SemjpegError
from config.settings import Settings
from producer.events import parse_notification
from producer.routing import Router


def record(key: str = "in/a+b%2B%C3%BC%26.jpg", name: str = "ObjectCreated:Put", bucket: str = "photos", **stored):
    content = {"key": key, "size": 10, "eTag": "abc", **stored}
    return {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": content}}


def body(*records) -> str:
    return json.dumps({"Records": list(records)})


def test_a_key_is_decoded():
    [event] = parse_notification(body(record(versionId="v1")))
    assert (event.bucket, event.source.key, event.source.etag) == ("photos", "in/a b+ü&.jpg", "abc")
    assert (event.source.size_bytes, event.source.version) == (10, "v1")


def test_only_creations_count():
    names = [
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectRemoved:Delete",
        "s3:ObjectCreated:Put",
        "ObjectTagging:Put",
    ]
    assert len(parse_notification(body(*(record(name=name) for name in names)))) == 2


def test_a_test_event_yields_nothing():
    assert parse_notification('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}') == []


MALFORMED = [
    *(
        "",
        "null",
        "[]",
        "{}",
        '{"Records": 5}',
        '{"Records": [null]}',
        '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
    ),
    *(body(record(eTag=None)), body(record(size="many")), body(record(key="%FF"))),
]


@pytest.mark.parametrize("malformed", MALFORMED)
def test_what_is_malformed_is_refused(malformed):
    with pytest.raises(InvalidMessageError):
        parse_notification(malformed)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_json_breaks_the_parser(anything):
    try:
        parse_notification(json.dumps({"Records": [anything]}))
        parse_notification(json.dumps(anything))
    except SemjpegError:
        pass


ROUTES = [
    {"source": "s3://photos/in", "output": "s3://small"},
    {"source": "s3://photos", "output": "s3://tiny/x", "recipe": "tiny"},
]
SETTINGS = {"routes": ROUTES, "recipes": {"tiny": {"quality": 20}}}


def test_an_object_takes_every_route_that_leads_through_its_key():
    router = Router(Settings(**SETTINGS), "run")
    jobs = list(router.jobs(body(record("in/a.jpg"), record("b.png"), record("in/a.jpg", bucket="others"))))
    assert [(j.key, j.output, j.recipe.quality, j.result_keys.jpeg) for j in jobs] == [
        ("in/a.jpg", "s3://small", 75, "a.jpg.jpg"),
        ("in/a.jpg", "s3://tiny/x", 20, "x/in/a.jpg.jpg"),
        ("b.png", "s3://tiny/x", 20, "x/b.png.jpg"),
    ]


@pytest.mark.parametrize("key", ["notes.txt", "in/.semjpeg/maps/a.png", "folder/", "noextension"])
def test_what_is_no_image_causes_no_job(key):
    assert list(Router(Settings(**SETTINGS), "run").jobs(body(record(key)))) == []


def test_routes_that_feed_each_other_are_refused():
    circle = [{"source": "s3://a", "output": "s3://b"}, {"source": "s3://b", "output": "s3://c"}]
    with pytest.raises(ConfigurationError, match="compressed again"):
        Router(Settings(routes=circle), "run")


def test_no_route_and_unknown_recipes_are_refused():
    with pytest.raises(ConfigurationError, match="no route"):
        Router(Settings(), "run")
    with pytest.raises(ConfigurationError, match="tiny"):
        Router(Settings(routes=ROUTES), "run")
