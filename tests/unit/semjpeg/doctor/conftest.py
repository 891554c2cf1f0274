"""A store of the S3 protocol in this process, with whims."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

BUCKETS = ("photos", "results")
LISTING = "<ListBucketResult><KeyCount>{}</KeyCount><IsTruncated>false</IsTruncated>{}</ListBucketResult>"
CONTENT = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>e</ETag><Size>{}</Size></Contents>"
)


class Stub:
    """Answers by path. It knows no conditions on writes; `refuse` may answer in its stead."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {"photos/a.jpg": (b"0123", {})}
        self.refuse: Callable[[dict[str, Any]], tuple[str, str] | None] = lambda _: None
        """Given the request, a status line and an error code, or None."""
        self.date = ""
        self.headers: list[tuple[str, str]] = []
        self.endpoint = ""

    def __call__(self, request: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        body = request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0))
        status, headers, answer = self._answer(request, body)
        if self.date:
            headers = [*headers, ("Date", self.date)]
        start(status, [*headers, *self.headers, ("Content-Length", headers_length(headers) or str(len(answer)))])
        return [b"" if request["REQUEST_METHOD"] == "HEAD" else answer]

    def _answer(self, request: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        refused = self.refuse(request)
        if refused:
            return refused[0], [], f"<Error><Code>{refused[1]}</Code><Message>no</Message></Error>".encode()
        method, path = request["REQUEST_METHOD"], request["PATH_INFO"].strip("/")
        if method == "PUT":
            metadata = {
                name.removeprefix("HTTP_").lower().replace("_", "-"): value
                for name, value in request.items()
                if name.startswith("HTTP_X_AMZ_META_")
            }
            self.objects[path] = (unchunked(request, body), metadata)
            return "200 OK", [("ETag", '"e"')], b""
        if method == "DELETE":
            self.objects.pop(path, None)
            return "204 No Content", [], b""
        if path in ("", *BUCKETS):
            held = [
                (key.partition("/")[2], len(data)) for key, (data, _) in self.objects.items() if key.startswith(path)
            ]
            text = LISTING.format(len(held), "".join(CONTENT.format(*each) for each in held))
            return "200 OK", [], text.encode() if path else b"<ListAllMyBucketsResult/>"
        if path not in self.objects:
            return "404 Not Found", [], b"<Error><Code>NoSuchKey</Code></Error>"
        data, metadata = self.objects[path]
        described = [("ETag", '"e"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), *metadata.items()]
        return "200 OK", described, data


def headers_length(headers: list[tuple[str, str]]) -> str:
    return dict(headers).get("Content-Length", "")


def unchunked(request: dict[str, Any], body: bytes) -> bytes:
    """The content of an upload with a checksum behind it: a length in hexadecimal digits, the bytes, a trailer."""
    if "HTTP_X_AMZ_DECODED_CONTENT_LENGTH" not in request:
        return body
    length, _, rest = body.partition(b"\r\n")
    return rest[: int(length.partition(b";")[0], 16)]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # or boto3 waits a second for leave to send what it writes

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def stub(monkeypatch, tmp_path) -> Iterator[Stub]:
    """The store, to which this process' settings lead."""
    store = Stub()
    with make_server("127.0.0.1", 0, store, server_class=Server, handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store.endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "SEMJPEG_S3__ENDPOINT_URL": store.endpoint,
            "SEMJPEG_S3__REGION": "us-east-1",
            "SEMJPEG_S3__ADDRESSING_STYLE": "path",
            "AWS_ACCESS_KEY_ID": "a-key-of-tests",
            "AWS_SECRET_ACCESS_KEY": "and-its-secret",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }.items():
            monkeypatch.setenv(name, value)
        yield store
        server.shutdown()
