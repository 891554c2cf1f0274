"""What the webhook's server makes of slow, silent, many and malformed requests; its queue and store are stand-ins."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from types import SimpleNamespace

import pytest
import uvicorn

from config.errors import BrokerUnavailableError, StorageUnavailableError
from config.settings import Settings
from config.telemetry import ProducerTelemetry
from producer import serving
from producer.intake import Intake
from producer.routing import Router
from producer.serving import Address, Connection, configuration, listener
from producer.webhook import Webhook

PATIENCE_S = 60
HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n"


class World:
    """A server in a thread, a queue, and a store that is asked about objects."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        self.queue_away = self.store_away = False
        self.port = 0
        self.telemetry = ProducerTelemetry(Settings(), "live")

    def counted(self, answer: str) -> float | None:
        return self.telemetry.registry.get_sample_value("semjpeg_events_total", {"answer": answer})

    def publish(self, jobs) -> None:
        if self.queue_away:
            raise BrokerUnavailableError("the broker at 192.0.2.1 is away")
        self.queued += [job.key for job in jobs]

    def open(self, bucket: str) -> World:
        assert bucket == "photos"
        return self

    def head(self, key: str) -> None:
        if self.store_away:
            raise StorageUnavailableError(f"{key} cannot be asked for")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def ask(self, request: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(request)
            return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


@pytest.fixture
def start() -> Iterator[Callable[..., World]]:
    with ExitStack() as stack:

        def start_one(body_s: float = 20, **events: object) -> World:
            world = World()
            settings = Settings(routes=[{"source": "s3://photos", "output": "s3://small"}], events=events)
            webhook = Webhook(
                settings.events,
                Intake(Router(settings, "run", world), world, world.telemetry),
                lambda: False,
                body_s=body_s,
            )
            address = Address("127.0.0.1", 0)
            server = uvicorn.Server(configuration(webhook.application(), address))
            listening = stack.enter_context(listener(address))
            world.port = listening.getsockname()[1]
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()

            def stop() -> None:
                server.should_exit = True
                thread.join()
                webhook._threads.shutdown()

            stack.callback(stop)
            return world

        yield start_one


def request(content: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(content)}", *headers))
    return HEAD + lines.encode() + b"\r\n" + content


CLOSE = "Connection: close"


def event(dialects: SimpleNamespace, key: str = "a.jpg", **stored: object) -> bytes:
    return json.dumps(dialects.aws(key, **stored)).encode()


def test_a_body_that_dribbles_is_given_up(start, dialects):
    world = start(body_s=0.2)
    with world.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()
    assert b" 200 " in world.ask(request(event(dialects), CLOSE))


@pytest.mark.parametrize("sent", [b"", b"POST", HEAD, HEAD + b"X: y"])
def test_a_request_that_does_not_come_is_given_up(start, monkeypatch, sent):
    monkeypatch.setattr(Connection, "headers_s", 0.2)
    with start().connect() as connection:
        connection.sendall(sent)
        assert rest(connection) == b""


def test_headers_that_dribble_are_given_up(start, monkeypatch):
    monkeypatch.setattr(Connection, "headers_s", 0.3)
    with start().connect() as connection:
        connection.settimeout(0.02)
        patience = time.monotonic() + PATIENCE_S
        connection.sendall(HEAD)
        with suppress(ConnectionError):
            while time.monotonic() < patience:
                connection.sendall(b"X: y\r\n")
                with suppress(TimeoutError):
                    assert connection.recv(1) == b""
                    break
        assert time.monotonic() < patience


def test_neither_does_a_body_go_on_after_its_answer(start, monkeypatch):
    monkeypatch.setattr(Connection, "headers_s", 0.3)
    world = start(token="0123456789abcdef")  # noqa: S106 - of this test alone
    with world.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 401"
        connection.settimeout(PATIENCE_S)
        patience = time.monotonic() + PATIENCE_S
        with suppress(ConnectionError):
            while time.monotonic() < patience:
                connection.sendall(b" ")
                time.sleep(0.02)
        assert time.monotonic() < patience


def test_a_connection_is_kept_for_the_next_request_and_a_slow_body_is_none_of_a_slow_header(
    start, dialects, monkeypatch
):
    monkeypatch.setattr(Connection, "headers_s", 0.5)
    world = start()
    content = event(dialects)
    with world.connect() as connection:
        connection.sendall(request(content))
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(request(content, CLOSE)[: -len(content)])
        time.sleep(0.8)  # longer than headers may take
        connection.sendall(content)
        assert b"HTTP/1.1 200" in rest(connection)
    assert world.queued == ["a.jpg", "a.jpg"]


def test_requests_come_one_behind_the_other_until_one_is_none(start, dialects):
    world = start()
    answer = world.ask(request(event(dialects)) + request(event(dialects, "b.jpg")) + b"\x16\x03\x01 junk\r\n\r\n")
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")] == [b"", b"200", b"200", b"400"]
    assert world.queued == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "junk",
    [
        b"\0" * 100 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
        HEAD + b"X: " + b"x" * (1 << 17) + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused(start, junk):
    world = start()
    assert world.ask(junk).startswith(b"HTTP/1.1 400 ")
    assert world.ask(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert world.queued == []


def test_what_is_turned_away_is_counted_and_what_is_malformed_as_that(start):
    world = start(token="0123456789abcdef")  # noqa: S106 - of this test alone
    assert world.ask(HEAD + b"Content-Length: 1\r\nConnection: close\r\n\r\n{").startswith(b"HTTP/1.1 401 ")
    token = b"Authorization: Bearer 0123456789abcdef\r\n"
    answer = world.ask(HEAD + token + b"Content-Length: 1\r\nConnection: close\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert (world.counted("refused"), world.counted("malformed")) == (1, 1)


def test_chunks_without_a_length_end_at_the_limit(start):
    world = start(max_body_bytes=1000)
    chunk = b"12c\r\n" + b" " * 300 + b"\r\n"
    answer = world.ask(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 4)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_store_or_a_broker_that_is_away_puts_the_sender_off(start, dialects):
    world = start()
    for away, content in (("store_away", event(dialects, eTag=None)), ("queue_away", event(dialects))):
        setattr(world, away, True)
        answer = world.ask(request(content, CLOSE))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in answer.lower()
        assert b"192.0.2.1" not in answer
        setattr(world, away, False)
        assert world.ask(request(content, CLOSE)).startswith(b"HTTP/1.1 200 ")
    assert world.queued == ["a.jpg"]  # the store knows no object, so its event needs no job


def test_so_many_connections_are_served_and_no_more_are_kept(start, dialects, monkeypatch):
    monkeypatch.setattr(serving, "_MOST_CONNECTIONS", 4)
    monkeypatch.setattr(serving, "_MOST_OPEN", 6)
    monkeypatch.setattr(Connection, "headers_s", 3600)
    world = start()
    with ExitStack() as stack:
        silent = [stack.enter_context(world.connect()) for _ in range(2)]
        assert world.ask(request(event(dialects), CLOSE)).startswith(b"HTTP/1.1 200 ")
        silent += [stack.enter_context(world.connect()) for _ in range(3)]
        assert world.ask(request(event(dialects), CLOSE)).startswith(b"HTTP/1.1 503 ")
        silent += [stack.enter_context(world.connect()) for _ in range(1)]
        assert world.ask(request(event(dialects), CLOSE)) == b""
        for connection in silent:
            connection.close()
        patience = time.monotonic() + PATIENCE_S
        while not world.ask(request(event(dialects), CLOSE)).startswith(b"HTTP/1.1 200 "):
            assert time.monotonic() < patience
    assert world.queued == ["a.jpg"] * 2
