"""Traces, taken by a real HTTP server as a collector would."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.errors import ConfigurationError
from config.settings import TracingSettings
from config.tracing import Tracing


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Take)
        self.spans: list = []
        self.services: set[str] = set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class Take(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.services |= {a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_job_and_its_stages_are_one_trace(collector):
    tracing = Tracing(TracingSettings(endpoint=collector.endpoint))
    with tracing.span("compress", bucket="photos", key="a.png", bytes_in=7):
        with tracing.span("fetch"):
            pass
        with pytest.raises(ZeroDivisionError), tracing.span("decode"):
            raise ZeroDivisionError
    tracing.close()
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"compress", "fetch", "decode"}
    assert len({span.trace_id for span in spans.values()}) == 1
    assert spans["fetch"].parent_span_id == spans["decode"].parent_span_id == spans["compress"].span_id
    assert spans["decode"].status.code == 2  # an error
    attributes = {a.key: a.value.string_value or a.value.int_value for a in spans["compress"].attributes}
    assert attributes == {"semjpeg.bucket": "photos", "semjpeg.key": "a.png", "semjpeg.bytes_in": 7}
    assert "semjpeg" in collector.services


def test_without_a_collector_nothing_is_recorded():
    tracing = Tracing(TracingSettings())
    with tracing.span("compress", key="a.png") as span:
        assert span is None
    tracing.close()


def test_without_the_packages_a_collector_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match="extra 'tracing'"):
        Tracing(TracingSettings(endpoint="http://127.0.0.1:4318/v1/traces"))
