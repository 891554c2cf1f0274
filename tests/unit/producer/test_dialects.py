from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.errors import InvalidMessageError, SemjpegError
from producer.events import parse_notification

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
"""Any key; 256 characters have at most 1024 bytes."""


@given(key=KEYS)
@example(key="in/a b+ü&.jpg")
@example(key="a%2Fb%zz%20+ %.jpg")
@example(key="\x00\x1f\x7f\n\u2028/../ü\U0001f600")
@example(key="ü" * 512)
@example(key="+" * 1024)
def test_every_dialect_gives_back_every_key(dialects, key):
    for name, dialect in dialects.all.items():
        [event] = parse_notification(json.dumps(dialect(key))).created
        assert (event.bucket, event.key, event.etag, event.size_bytes) == ("photos", key, dialects.etag, 10), name


def test_aws_may_name_a_configuration_as_versitygw_does(dialects):
    body = dialects.aws("a b.jpg")
    body["Records"][0]["s3"]["configurationId"] = "webhook-global"
    assert parse_notification(json.dumps(body)).created[0].key == "a b.jpg"


def test_a_body_may_be_bytes(dialect):
    body = json.dumps(dialect("ü.jpg"), ensure_ascii=False)
    assert parse_notification(body.encode()) == parse_notification(body)
    assert parse_notification(body).created[0].key == "ü.jpg"


@pytest.mark.parametrize(("sent", "read"), [("v1", "v1"), ("", None), ("null", None), (None, None)])
def test_the_version(dialect, sent, read):
    [event] = parse_notification(json.dumps(dialect("a.jpg", versionId=sent))).created
    assert event.version == read


@pytest.mark.parametrize(("sent", "read"), [('"e-2"', "e-2"), ("", None), (None, None)])
def test_the_entity_tag(dialect, sent, read):
    [event] = parse_notification(json.dumps(dialect("a.jpg", eTag=sent))).created
    assert event.etag == read


@pytest.mark.parametrize(("sent", "read"), [(0, 0), ("1024", 1024), ("", None), (None, None)])
def test_the_size(dialect, sent, read):
    [event] = parse_notification(json.dumps(dialect("a.jpg", size=sent))).created
    assert event.size_bytes == read


def test_user_metadata_is_read_where_it_is_told(dialects):
    told = {"userMetadata": {"X-Amz-Meta-Semjpeg-Job": "1", "content-type": "image/jpeg"}}
    [event] = parse_notification(json.dumps(dialects.minio("a.jpg", **told))).created
    assert event.metadata == {"semjpeg-job": "1", "content-type": "image/jpeg"}
    told = {"metadata": [{"key": "x-amz-meta-semjpeg-job", "val": "1"}, "odd", {"key": 5}]}
    [event] = parse_notification(json.dumps(dialects.ceph("a.jpg", **told))).created
    assert event.metadata == {"semjpeg-job": "1"}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ObjectCreated:CompleteMultipartUpload", True),
        ("s3:ObjectCreated:Copy", True),
        ("ObjectRemoved:Delete", False),
        ("ObjectTagging:Put", False),
        ("s3:ObjectRemoved:DeleteMarkerCreated", False),
        ("s3:ObjectAccessed:Get", False),
    ],
)
def test_only_creations_count(dialects, name, counts):
    assert len(parse_notification(json.dumps(dialects.aws("a.jpg", name=name))).created) == counts


def test_only_creations_count_in_event_bridge(dialects):
    body = json.dumps(dialects.event_bridge("a.jpg", "Object Deleted"))
    assert parse_notification(body).created == parse_notification(body).malformed == ()


TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos", "RequestId": "5582", "HostId": "h"}


def test_a_test_event_yields_nothing(dialects):
    for body in (TEST_EVENT, dialects.sns(lambda _: TEST_EVENT)("")):
        parsed = parse_notification(json.dumps(body))
        assert parsed.created == parsed.malformed == ()


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_is_named_and_its_secret_is_not(kind):
    secrets = {"Token": "2336412f37fb687f5d51e6e2425a8a5874", "SubscribeURL": "https://sns.example/?Token=2336412f"}
    body = {"Type": kind, "TopicArn": "arn:aws:sns:eu-central-1:111122223333:uploads", **secrets}
    with pytest.raises(InvalidMessageError, match=kind) as caught:
        parse_notification(json.dumps(body))
    assert "uploads" in str(caught.value)
    assert "2336412f" not in str(caught.value)


def nested(count: int, dialects) -> str:
    wrap = dialects.aws
    for _ in range(count):
        wrap = dialects.sns(wrap)
    return json.dumps(wrap("a.jpg"))


def test_envelopes_end_somewhere(dialects):
    assert len(parse_notification(nested(3, dialects)).created) == 1
    with pytest.raises(InvalidMessageError, match="more than 3 envelopes"):
        parse_notification(nested(4, dialects))


MALFORMED = [
    *("", "null", "5", '"text"', "{}", '{"Records": 5}', '{"Event": "else"}', "{" * 9, "[" * 200_000, b"\xff\xfe{"),
    *('{"Type": "Notification"}', '{"Type": "Notification", "Message": "no JSON"}', '{"Type": 5}'),
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda body: repr(body[:40]))
def test_what_is_malformed_as_a_whole_is_refused_in_few_words(malformed):
    with pytest.raises(InvalidMessageError) as caught:
        parse_notification(malformed)
    assert len(str(caught.value)) < 400


BROKEN = [
    ({"key": "%FF"}, "UTF-8"),
    ({"key": ""}, "'key'"),
    ({"key": 5}, "'key'"),
    ({"key": "a" * 1025}, "1024"),
    ({"key": "ü" * 513}, "1024"),
    ({"key": "\ud800.jpg"}, "no text"),
    ({"eTag": 5}, "eTag"),
    ({"size": "many"}, "size"),
    ({"size": "٣"}, "size"),
    ({"size": -1}, "size"),
    ({"size": 1.5}, "size"),
    ({"size": True}, "size"),
    ({"size": "9" * 5000}, "size"),
    ({"versionId": {}}, "versionId"),
]


@pytest.mark.parametrize(("fields", "reason"), BROKEN)
def test_a_broken_record_is_named_and_does_not_lose_the_others(dialects, fields, reason):
    def event(key: str) -> dict:
        return dialects.aws(key)["Records"][0]

    broken = event("broken.jpg")
    broken["s3"]["object"] |= fields
    parsed = parse_notification(json.dumps({"Records": [event("a.jpg"), broken, event("b.jpg")]}))
    assert [created.key for created in parsed.created] == ["a.jpg", "b.jpg"]
    assert len(parsed.malformed) == 1
    assert reason in parsed.malformed[0]
    assert len(parsed.malformed[0]) < 400


@pytest.mark.parametrize("path", [["eventName"], ["s3"], ["s3", "bucket"], ["s3", "bucket", "name"], ["s3", "object"]])
@pytest.mark.parametrize("value", [None, 5, [], ""])
def test_a_missing_part_is_named(dialects, path, value):
    body = dialects.aws("a.jpg")
    parent = body["Records"][0]
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    parsed = parse_notification(json.dumps(body))
    assert parsed.created == ()
    assert repr(path[-1]) in parsed.malformed[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["Records", "Event", "Type", "Message", "detail-type", "detail", "s3", "object", "key"]),
            inner,
        )
    ),
)


@given(anything=JSON)
def test_no_json_breaks_the_parser(dialects, anything):
    first = dialects.aws("a.jpg")["Records"][0]
    first["s3"]["object"]["userMetadata"] = anything
    for body in (anything, {"Records": [anything]}, {"Records": [{**first, "s3": anything}]}, {"Records": [first]}):
        with suppress(SemjpegError):
            parse_notification(json.dumps(body))
