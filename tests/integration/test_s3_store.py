"""The S3 store against a real server of the protocol."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.errors import (
    ObjectChangedError,
    ObjectMissingError,
    OvertakenError,
    RetryableError,
    StorageUnavailableError,
    TooLargeError,
)
from config.settings import S3Settings
from storage import ABSENT, Stores
from storage.s3 import Abilities, S3Store, make_client

ODD_KEYS = [
    "plain.jpg",
    "a b+ü&.jpg",
    "50%/ä?#.png",
    "what?x=1&list-type=2",
    "a%2Fb%3F",
    "ends with/slash",
    "日本/写真.jpeg",
    "x" * 900,
]


@pytest.fixture
def store(servers, bucket) -> S3Store:
    return Stores(servers.settings()).open(bucket)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_what_is_put_comes_back(store, key):
    store.put(key, b"content", content_type="image/jpeg", metadata={"semjpeg-job": "abc"})

    found = store.head(key)
    assert found is not None
    assert (found.key, found.size_bytes, dict(found.metadata)) == (key, 7, {"semjpeg-job": "abc"})
    assert store.get(key, max_bytes=7, etag=found.etag) == b"content"


def test_a_missing_object_is_none_to_head_and_an_error_to_get(store):
    assert store.head("nothing") is None
    with pytest.raises(ObjectMissingError, match="nothing"):
        store.get("nothing", max_bytes=1)


def test_a_missing_bucket_is_an_error_to_list(servers):
    with pytest.raises(ObjectMissingError, match="no-such-bucket"):
        list(Stores(servers.settings()).open("no-such-bucket").list())


def test_an_overwritten_object_is_not_read_under_its_old_tag(store):
    store.put("k", b"old", content_type="text/plain")
    old = store.head("k")
    store.put("k", b"new!", content_type="text/plain")

    with pytest.raises(ObjectChangedError):
        store.get("k", max_bytes=10, etag=old.etag)


def test_the_limit_holds_before_the_body_is_read(store):
    store.put("k", b"12345678", content_type="text/plain")
    with pytest.raises(TooLargeError, match="8 bytes"):
        store.get("k", max_bytes=7)


def test_a_write_on_a_condition(store):
    with pytest.raises(OvertakenError):
        store.put("k", b"1", content_type="text/plain", expects="0" * 32)
    store.put("k", b"1", content_type="text/plain", expects=ABSENT)
    first = store.head("k")
    with pytest.raises(OvertakenError):
        store.put("k", b"2", content_type="text/plain", expects=ABSENT)
    store.put("k", b"3", content_type="text/plain", expects=first.etag)
    with pytest.raises(OvertakenError):
        store.put("k", b"4", content_type="text/plain", expects=first.etag)
    assert store.get("k", max_bytes=10) == b"3"


def test_of_many_writers_on_one_condition_one_writes(servers, bucket):
    store, writers, expects = Stores(servers.settings(), 8).open(bucket), range(8), ABSENT
    for turn in range(4):
        together = threading.Barrier(len(writers))

        def write(number: int, turn=turn, together=together, expects=expects) -> bytes | None:
            content = f"{turn} {number}".encode()
            together.wait()
            try:
                store.put("k", content, content_type="text/plain", expects=expects)
            except RetryableError:
                return None
            return content

        with ThreadPoolExecutor(len(writers)) as pool:
            [written] = filter(None, pool.map(write, writers))
        assert store.get("k", max_bytes=10) == written
        expects = store.head("k").etag


def test_a_deleted_object_is_gone_and_deleting_again_is_no_error(store):
    store.put("k", b"x", content_type="text/plain")
    store.delete("k")
    store.delete("k")
    assert store.head("k") is None


def test_a_listing_is_sorted_prefixed_and_resumable_over_many_pages(store):
    keys = [f"in/{number:04}" for number in range(1100)]
    for key in [*keys, "other"]:
        store.put(key, b"", content_type="text/plain")

    assert [o.key for o in store.list("in/")] == keys
    assert [o.key for o in store.list("in/", start_after=keys[1041])] == keys[1042:]
    assert [o.etag for o in store.list("other")] == [store.head("other").etag]


@pytest.mark.usefixtures("servers")
def test_a_server_that_is_away_is_retryable():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings = S3Settings(
            endpoint_url=f"http://127.0.0.1:{closed.getsockname()[1]}", region="us-east-1", max_attempts=1
        )
        store = S3Store(make_client(settings), "bucket", Abilities())
        with pytest.raises(StorageUnavailableError) as caught:
            store.head("k")
    assert caught.value.retryable
