"""A proxy before the object store that spoils one request of ten."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
_SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
FAULTS = ("silent", "silent-after", "503", "500", "cut", "reset-after")
"""No answer; no answer, but the store did it; two kinds of refusal; half an answer; the line dies, the store did it."""


class Proxy(ThreadingHTTPServer):
    """Passes requests on to `target`; while `share` is above nought, that share of them meets a fault."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: str, *, share: float, silence_s: float, seed: int) -> None:
        address = urlsplit(target)
        self.store = (str(address.hostname), int(address.port or 80))
        self.share = share
        self.silence_s = silence_s
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self.ended = threading.Event()
        self._random = random.Random(seed)  # noqa: S311 - a seed is what is wanted
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, name="proxy", daemon=True).start()

    def draw(self) -> str | None:
        """Decide whether a request meets a fault, and which; count it."""
        with self._lock:
            self.requests += 1
            if self._random.random() >= self.share:
                return None
            fault = self._random.choice(FAULTS)
            self.faults[fault] += 1
            return fault

    def close(self) -> None:
        """Stop listening, and let go of those who wait in silence."""
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that was killed in the middle of a request says nothing worth a line."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_):
        """Keep quiet: the clients' logs tell."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.draw()
        if fault == "silent":
            self._hang_up_after_silence()
        elif fault in {"503", "500"}:
            self._answer(int(fault), {"Content-Type": "application/xml"}, _SLOW_DOWN)
        else:
            status, headers, answer = self._ask(body)
            if fault == "silent-after":
                self._hang_up_after_silence()
            elif fault == "reset-after":
                self.close_connection = True
            elif fault == "cut":
                self._answer(status, headers, answer, sent=len(answer) // 2)
                self.close_connection = True
            else:
                self._answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - the names that http.server looks for

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.server.store, timeout=60)
        with suppress(KeyError):
            del self.headers["Expect"]  # it was answered here
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, sent: int | None = None) -> None:
        self.send_response_only(status)
        length = headers.pop("Content-Length", headers.pop("content-length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])

    def _hang_up_after_silence(self) -> None:
        self.server.ended.wait(self.server.silence_s)
        self.close_connection = True
