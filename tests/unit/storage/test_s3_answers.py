"""What the S3 store makes of a server's answers. The server is a stand-in that says what it is told to."""

from __future__ import annotations

import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from config.errors import (
    ConfigurationError,
    ForbiddenError,
    ObjectChangedError,
    ObjectMissingError,
    OvertakenError,
    RetryableError,
    StorageUnavailableError,
    TooLargeError,
)
from config.settings import Settings
from storage import ABSENT, ObjectStore, Stores

MODIFIED = "Sun, 01 Nov 2026 12:00:00 GMT"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answer = (200, "")
    """Status and error code."""
    refuses_conditions = False
    takes_marks_for_tags = False
    """Whether quotation marks count as a part of an entity tag, as in Ceph."""
    refuses_tags = False
    """Whether no entity tag is right, as in Ceph's buckets with versions."""
    tag = "tag"
    cuts_bodies = False
    content = b"content"

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []
        """Method, and whether there was a condition on it."""
        self.asked: list[bool] = []
        """Whether each request asked if its body may be sent."""
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request, client_address):
        """A cut line says nothing."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def handle_one(self) -> None:
        server = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        condition = "If-None-Match" in self.headers or "If-Match" in self.headers
        server.seen.append((self.command, condition))
        server.asked.append("Expect" in self.headers)
        status, code = (501, "NotImplemented") if server.refuses_conditions and condition else server.answer
        if server.takes_marks_for_tags and self.headers.get("If-Match", server.tag) != server.tag:
            status, code = 412, "PreconditionFailed"
        if server.refuses_tags and "If-Match" in self.headers:
            status, code = 412, "PreconditionFailed"
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        if not code and self.command == "GET":
            body = server.content
        self.send_response(status)
        self.send_header("ETag", f'"{server.tag}"')
        self.send_header("Content-Length", str(len(body) + 1000 * server.cuts_bodies))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = server.cuts_bodies

    def do_HEAD(self) -> None:
        self.server.seen.append((self.command, False))
        self.send_response(200)
        for name, value in {"ETag": f'"{self.server.tag}"', "Last-Modified": MODIFIED, "Content-Length": "7"}.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_PUT = handle_one  # noqa: N815 - the names that http.server looks for


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def stores(server, monkeypatch) -> Stores:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    s3 = {
        "endpoint_url": f"http://127.0.0.1:{server.server_address[1]}",
        "region": "us-east-1",
        "addressing_style": "path",
        "max_attempts": 1,
    }
    return Stores(Settings(s3=s3))


@pytest.fixture
def store(stores) -> ObjectStore:
    return stores.open("bucket")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", StorageUnavailableError),
        (503, "ServiceUnavailable", StorageUnavailableError),
        (503, "SlowDown", StorageUnavailableError),
        (429, "TooManyRequests", StorageUnavailableError),
        (400, "RequestTimeout", StorageUnavailableError),
        (403, "AccessDenied", ForbiddenError),
        (403, "SignatureDoesNotMatch", ForbiddenError),
        (404, "NoSuchKey", ObjectMissingError),
        (400, "InvalidArgument", ConfigurationError),
    ],
)
def test_answers_are_sorted_by_what_to_do_about_them(server, store, status, code, kind):
    server.answer = (status, code)
    with pytest.raises(kind) as caught:
        store.get("k", max_bytes=100)
    assert type(caught.value) is kind
    with pytest.raises(kind):
        store.put("k", b"x", content_type="text/plain")
    assert isinstance(caught.value, RetryableError) is (kind is StorageUnavailableError)


def test_a_body_that_is_cut_is_retryable(server, store):
    server.cuts_bodies = True
    with pytest.raises(StorageUnavailableError):
        store.get("k", max_bytes=10_000)


def test_a_large_object_is_kept_on_disk(server, store):
    server.content = bytes(range(256)) * (1 << 16)
    tracemalloc.start()
    with store.open("k", max_bytes=len(server.content)) as file:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < len(server.content) / 2
        assert file.read() == server.content
        assert file.seek(5) == 5
        assert file.read(1) == b"\5"
    assert file.closed
    with pytest.raises(TooLargeError, match="more than the limit"), store.open("k", max_bytes=100):
        pytest.fail("is too large")
    server.cuts_bodies = True
    with pytest.raises(StorageUnavailableError), store.open("k", max_bytes=1 << 30):
        pytest.fail("is cut")


def test_one_version_of_a_large_object_is_asked_for(server, store):
    with store.open("k", max_bytes=100, etag="tag"):
        assert server.seen == [("GET", True)]
    server.answer = (412, "PreconditionFailed")
    with pytest.raises(ObjectChangedError), store.open("k", max_bytes=100, etag="tag"):
        pytest.fail("was overwritten")


def test_a_full_disk_is_told_with_the_object(store, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "w+b", buffering=0))  # noqa: SIM115, PTH123
    with pytest.raises(StorageUnavailableError, match="k fits in no temporary"), store.open("k", max_bytes=100):
        pytest.fail("has no room")


@pytest.mark.parametrize(
    ("status", "code"), [(412, "PreconditionFailed"), (409, "ConditionalRequestConflict"), (404, "NoSuchKey")]
)
def test_a_condition_that_does_not_hold_is_told(server, store, status, code):
    server.answer = (status, code)
    server.tag = "another"
    with pytest.raises(OvertakenError) as caught:
        store.put("k", b"x", content_type="text/plain", expects="tag")
    assert caught.value.retryable


def test_a_store_that_takes_quotation_marks_for_a_part_of_the_tag_is_asked_without(server, store):
    server.takes_marks_for_tags = True
    store.put("k", b"x", content_type="text/plain", expects="tag")
    assert server.seen == [("PUT", True), ("HEAD", False), ("PUT", True)]
    with pytest.raises(OvertakenError):
        store.put("k", b"x", content_type="text/plain", expects="gone")
    assert server.seen[3:] == [("PUT", True), ("HEAD", False)]


def test_a_store_that_refuses_the_very_tag_that_it_shows_is_asked_without_a_condition(server, store):
    server.refuses_tags = True
    store.put("k", b"x", content_type="text/plain", expects="tag")
    assert server.seen == [("PUT", True), ("HEAD", False), ("PUT", True), ("HEAD", False), ("PUT", False)]


def test_only_what_is_large_asks_whether_it_may_be_sent(server, store):
    for size in (0, 1, 1 << 16, (1 << 16) + 1):
        store.put("k", bytes(size), content_type="text/plain")
    assert server.asked == [False, False, False, True]


def test_a_missing_bucket_is_not_taken_for_a_broken_condition(server, store):
    server.answer = (404, "NoSuchBucket")
    with pytest.raises(ObjectMissingError):
        store.put("k", b"x", content_type="text/plain", expects="tag")


def test_a_store_without_conditional_writes_is_asked_once(server, stores):
    server.refuses_conditions = True
    for bucket in ("one", "two"):
        stores.open(bucket).put("k", b"x", content_type="text/plain", expects=ABSENT)
    assert server.seen == [("PUT", True), ("PUT", False), ("PUT", False)]
