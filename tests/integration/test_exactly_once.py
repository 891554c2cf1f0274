"""One right result of the newest version, whatever happens to the workers: they die, they stall, they overtake."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
import redis
from PIL import Image

from config.broker import make_celery
from config.errors import BrokerUnavailableError, JobInFlightError, PermanentError, WorkerLostError
from config.jobs import Job
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores
from worker.claim import Claims, begun_key, claim_key
from worker.heartbeat import Heartbeat

PATIENCE_S = 120
VISIBILITY_S = 6
chance = np.random.default_rng()


class Gate(socketserver.ThreadingTCPServer):
    """A way to the S3 server on which requests can be held up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self.target = (address.hostname, address.port)
        self.held = b""
        """Requests that begin so wait."""
        self.delay_s = 0.0
        """Each request waits up to so long."""
        self.arrived = threading.Event()
        self.opened = threading.Event()
        super().__init__(("127.0.0.1", 0), Forward)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def hold(self, beginning: str) -> None:
        self.arrived.clear()
        self.opened.clear()
        self.held = beginning.encode()

    def open(self) -> None:
        self.held = b""
        self.opened.set()

    def handle_error(self, request, client_address):
        """A client that was killed says nothing."""


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        gate = self.server
        with socket.create_connection(gate.target) as server:
            ends = {self.request: server, server: self.request}
            while True:
                for ready in select.select(list(ends), [], [], 1)[0]:
                    received = ready.recv(65536)
                    if not received:
                        return
                    if ready is self.request and gate.held and received.startswith(gate.held):
                        gate.arrived.set()
                        gate.opened.wait(PATIENCE_S)
                    if ready is self.request and gate.delay_s:
                        time.sleep(chance.uniform(0, gate.delay_s))
                    ends[ready].sendall(received)


@pytest.fixture
def gate(servers) -> Iterator[Gate]:
    with Gate(servers.endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.opened.set()
        server.shutdown()


@pytest.fixture
def settings(servers):
    return servers.settings(broker={**servers.settings().broker.model_dump(), "visibility_timeout_s": VISIBILITY_S})


@pytest.fixture
def start_worker(servers, settings, tmp_path) -> Iterator[Callable[[str], object]]:
    """Start one more worker, which reaches the S3 server at the given endpoint."""
    environment = {
        **servers.environment,
        "SEMJPEG_BROKER__URL": servers.broker_url,
        "SEMJPEG_BROKER__KEY_PREFIX": settings.broker.key_prefix,
        "SEMJPEG_BROKER__VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
        "SEMJPEG_S3__REGION": "us-east-1",
        "SEMJPEG_S3__READ_TIMEOUT_S": str(PATIENCE_S),
    }
    with Processes(tmp_path, environment) as processes:

        def start(endpoint: str):
            processes.environment["SEMJPEG_S3__ENDPOINT_URL"] = endpoint
            return processes.start(f"worker-{uuid4().hex}", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")

        yield start


def picture(number: int) -> bytes:
    """A picture whose size tells which one it is."""
    file = io.BytesIO()
    levels = np.random.default_rng(number).integers(0, 255, (8 + number // 8, 64 + number, 3), dtype=np.uint8)
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


@dataclass
class System:
    """All that a test of whole workers needs."""

    servers: object
    settings: object
    bucket: str
    gate: Gate
    start: Callable[[str], object]

    def __post_init__(self):
        self.store = Stores(self.settings).open(self.bucket)
        self.client = self.servers.redis()

    def put(self, number: int) -> Job:
        """Overwrite the one source, and return the job of this version."""
        self.store.put("in/cat.png", picture(number), content_type="image/png")
        route = Route(source=f"s3://{self.bucket}/in", output=f"s3://{self.bucket}/out")
        return Job.of(route, Recipe(), self.store.head("in/cat.png"), run="test")

    def enqueue(self, job: Job) -> None:
        JobQueue(self.settings).enqueue(job)

    def waiting(self) -> int:
        return self.client.llen(f"{self.settings.broker.key_prefix}semjpeg")

    def taken(self) -> int:
        return self.client.hlen(f"{self.settings.broker.key_prefix}unacked")

    def quiet(self) -> bool:
        """Nothing waits, and nobody is at work."""
        prefix = self.settings.broker.key_prefix
        return not (self.waiting() or self.taken() or self.client.keys(f"{prefix}begun:*"))


@pytest.fixture
def system(servers, settings, bucket, gate, start_worker) -> System:
    return System(servers, settings, bucket, gate, start_worker)


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)


def widths(store) -> tuple[int, int]:
    """Which picture the JPEG shows, and which one the record is about."""
    record = json.loads(store.get("out/.semjpeg/metrics/cat.png.json", max_bytes=10**6))
    jpeg = Image.open(io.BytesIO(store.get("out/cat.png.jpg", max_bytes=10**7)))
    return jpeg.width - 64, record["width_px"] - 64


@pytest.fixture
def claims(servers) -> Iterator[Callable[[], Claims]]:
    """Make claimants, each as if it were a process of its own, under one key prefix."""
    prefix, beating = f"test-{uuid4().hex}:", []

    def make(visibility_timeout_s: float = 60) -> Claims:
        heartbeat = Heartbeat(servers.redis(), prefix, visibility_timeout_s)
        beating.append(heartbeat)
        return Claims(servers.redis(), prefix, heartbeat)

    make.prefix = prefix
    make.beating = beating
    yield make
    for heartbeat in beating:
        heartbeat.close()


def test_one_holds_a_claim_and_gives_it_back(claims, servers):
    first, second = claims(), claims()
    with first.hold("job"):
        with pytest.raises(JobInFlightError), second.hold("job"):
            pass
        with second.hold("another"):
            pass
    with second.hold("job"):
        pass
    assert servers.redis().keys(f"{claims.prefix}*") == []


def test_a_claim_is_renewed_while_it_is_held(claims):
    first, second = claims(0.6), claims(0.6)
    with first.hold("job") as claim:
        for _ in range(15):
            time.sleep(0.1)
            claim.check()
            with pytest.raises(JobInFlightError), second.hold("job"):
                pass


def test_a_claim_that_redis_lost_is_not_trusted_and_not_taken_from_its_next_owner(claims, servers):
    first, second = claims(), claims()
    client = servers.redis()
    with first.hold("job") as claim:
        client.delete(claim_key(claims.prefix, "job"))
        with second.hold("job") as next_claim:
            claims.beating[0].beat()
            with pytest.raises(JobInFlightError, match="lost its claim"):
                claim.check()
            claims.beating[1].beat()
            next_claim.check()
            owner = client.get(claim_key(claims.prefix, "job"))
    with first.hold("job") as claim, second.hold("other"):
        assert client.get(claim_key(claims.prefix, "job")) != owner
        claim.check()


def test_a_pause_longer_than_the_lease_ends_a_claim(claims, monkeypatch):
    with claims().hold("job") as claim:
        claim.check()
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 31)
        with pytest.raises(JobInFlightError):
            claim.check()


def test_a_job_that_two_workers_died_with_is_not_begun_again(claims, servers):
    client = servers.redis()
    dead = []
    for _ in range(2):
        dead.append(claims().hold("job"))
        dead[-1].__enter__()  # never left: its process is gone
        client.delete(claim_key(claims.prefix, "job"))
        for heartbeat in claims.beating:
            heartbeat.close()
    with pytest.raises(WorkerLostError, match="2 workers died"), claims().hold("job"):
        pass
    with claims().hold("another"):
        pass
    client.delete(begun_key(claims.prefix, "job"))
    with claims().hold("job"):
        pass


def test_a_job_that_is_settled_after_a_death_leaves_nothing_behind(claims, servers):
    client = servers.redis()
    for end in (None, PermanentError("for good")):
        dead = claims().hold("job")
        dead.__enter__()
        client.delete(claim_key(claims.prefix, "job"))
        with suppress(PermanentError), claims().hold("job"):
            if end:
                raise end
        assert client.keys(f"{claims.prefix}*") == []
        del dead


def test_attempts_that_end_with_an_error_are_no_deaths(claims):
    claimant = claims()
    for _ in range(5):
        with pytest.raises(ValueError, match="wrong"), claimant.hold("job"):
            raise ValueError("wrong")


def test_a_claim_is_given_back_once_the_broker_answers_again(claims, servers):
    prefix, client = f"test-{uuid4().hex}:", servers.redis()
    heartbeat = Heartbeat(client, prefix, 60)
    claims.beating.append(heartbeat)
    pool = client.connection_pool
    with Claims(servers.redis(), prefix, heartbeat).hold("job"):
        client.connection_pool = redis.ConnectionPool(port=1, socket_connect_timeout=0.1)
    assert servers.redis().exists(begun_key(prefix, "job"))
    client.connection_pool = pool
    heartbeat.beat()
    assert servers.redis().keys(f"{prefix}*") == []


def test_a_broker_that_is_away_is_retryable(claims):
    claims()
    nobody = redis.Redis(port=1, socket_connect_timeout=0.2)
    with pytest.raises(BrokerUnavailableError), Claims(nobody, "x", claims.beating[0]).hold("job"):
        pass


def test_a_beat_moves_a_message_on_but_never_brings_one_back(claims, servers):
    claims()
    [heartbeat], client = claims.beating, servers.redis()
    index = f"{claims.prefix}unacked_index"
    client.zadd(index, {"ours": 1, "another's": 1})
    with heartbeat.message("ours"), heartbeat.message("acknowledged"), heartbeat.message(None):
        heartbeat.beat()
    assert abs(client.zscore(index, "ours") - time.time()) < 30
    assert client.zscore(index, "another's") == 1
    assert client.zscore(index, "acknowledged") is None


def test_kombu_keeps_its_messages_where_the_heartbeat_moves_them_on(settings):
    with make_celery(settings).connection_for_write() as connection:
        channel = connection.default_channel
        assert channel.unacked_index_key == "unacked_index"
        assert channel.global_keyprefix == settings.broker.key_prefix
        assert channel.visibility_timeout == VISIBILITY_S


def test_the_jobs_of_a_killed_worker_are_done_by_another(system, servers, gate):
    job = system.put(1)
    gate.hold(f"GET /{system.bucket}/in/cat.png")
    first = system.start(gate.endpoint)
    system.enqueue(job)
    assert gate.arrived.wait(PATIENCE_S)
    system.start(servers.endpoint)
    time.sleep(2 * VISIBILITY_S)  # the first lives, so the second is not given its message
    assert (system.waiting(), system.taken()) == (0, 1)
    assert system.store.head("out/cat.png.jpg") is None
    os.killpg(first.pid, signal.SIGKILL)
    wait_for(lambda: system.store.head("out/cat.png.jpg"))
    wait_for(system.quiet)
    assert not system.client.keys(f"{system.settings.broker.key_prefix}claim:*")


def test_a_job_that_kills_two_workers_becomes_a_failure(system, gate):
    job = system.put(1)
    system.enqueue(job)
    for _ in range(2):
        gate.hold(f"GET /{system.bucket}/in/cat.png")
        worker = system.start(gate.endpoint)
        assert gate.arrived.wait(PATIENCE_S)
        os.killpg(worker.pid, signal.SIGKILL)
    gate.open()
    system.start(gate.endpoint)
    wait_for(lambda: system.store.head("out/.semjpeg/failed/cat.png.json"))
    record = json.loads(system.store.get("out/.semjpeg/failed/cat.png.json", max_bytes=10**6))
    assert (record["code"], record["etag"]) == ("worker-lost", job.etag)
    assert system.store.head("out/cat.png.jpg") is None


@pytest.mark.parametrize("written", ["out/.semjpeg/metrics/cat.png.json", "out/cat.png.jpg"])
def test_an_old_version_that_stalls_before_it_writes_never_replaces_a_newer_one(system, servers, gate, written):
    """The worker has seen that its version is the newest; its write is on the way when a newer one is finished."""
    gate.hold(f"PUT /{system.bucket}/{written}")
    slow = system.start(gate.endpoint)
    system.enqueue(system.put(1))
    assert gate.arrived.wait(PATIENCE_S)
    os.killpg(slow.pid, signal.SIGSTOP)
    system.enqueue(system.put(2))
    system.start(servers.endpoint)
    wait_for(lambda: system.store.head("out/cat.png.jpg"))
    gate.open()
    os.killpg(slow.pid, signal.SIGCONT)
    wait_for(system.quiet)
    assert widths(system.store) == (2, 2)


def test_a_source_that_is_overwritten_again_and_again_ends_in_its_newest_version(system, servers, gate):
    gate.delay_s = 0.05
    system.start(gate.endpoint)
    system.start(servers.endpoint)
    last = 40
    for number in range(1, last + 1):
        job = system.put(number)
        if number == last or chance.random() < 0.8:
            system.enqueue(job)
        time.sleep(chance.uniform(0, 0.4))
    wait_for(system.quiet)
    assert widths(system.store) == (last, last)
    assert system.store.head("out/.semjpeg/failed/cat.png.json") is None
