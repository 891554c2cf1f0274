"""Trouble between the machines: storage that goes away, messages that are no jobs, places that do not exist."""

from __future__ import annotations

import io
import json
import select
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from PIL import Image
from skimage import data

from config.broker import make_celery
from config.jobs import TASK_NAME, Job
from config.queues import BULK
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores

PATIENCE_S = 90


class Line(socketserver.ThreadingTCPServer):
    """A line to the S3 server that can be cut."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self.target = (address.hostname, address.port)
        self.cut = False
        self.refused = 0
        super().__init__(("127.0.0.1", 0), Forward)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A cut line says nothing."""


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        if self.server.cut:
            self.server.refused += 1
            return
        with socket.create_connection(self.server.target) as server:
            ends = {self.request: server, server: self.request}
            while not self.server.cut:
                for ready in select.select(list(ends), [], [], 0.05)[0]:
                    received = ready.recv(65536)
                    if not received:
                        return
                    ends[ready].sendall(received)


@pytest.fixture
def line(servers) -> Iterator[Line]:
    with Line(servers.endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(servers):
    return servers.settings(worker={"max_retries": 2})


@pytest.fixture
def start_worker(servers, settings, tmp_path) -> Iterator[Callable[[str], Processes]]:
    """Start a worker that reaches the S3 server at the given endpoint."""
    with Processes(tmp_path, servers.environment) as processes:

        def start(endpoint: str) -> Processes:
            processes.environment |= {
                "SEMJPEG_BROKER__URL": servers.broker_url,
                "SEMJPEG_BROKER__KEY_PREFIX": settings.broker.key_prefix,
                "SEMJPEG_S3__ENDPOINT_URL": endpoint,
                "SEMJPEG_S3__REGION": "us-east-1",
                "SEMJPEG_S3__MAX_ATTEMPTS": "1",
                "SEMJPEG_WORKER__MAX_RETRIES": "2",
            }
            processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")
            return processes

        yield start


@pytest.fixture
def job(settings, bucket) -> Job:
    """A job whose source is in place."""
    picture = io.BytesIO()
    Image.fromarray(data.chelsea()).save(picture, "PNG")
    store = Stores(settings).open(bucket)
    store.put("in/cat.png", picture.getvalue(), content_type="image/png")
    route = Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}/out")
    return Job.of(route, Recipe(), store.head("in/cat.png"), run="trouble")


def wait_for(processes: Processes, ready: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        processes.check()
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_store_that_is_away_longer_than_all_retries_loses_nothing(settings, start_worker, line, job, bucket):
    """The retries run out while not even a failure record can be written; then the line is mended."""
    line.cut = True
    processes = start_worker(line.endpoint)
    JobQueue(settings).enqueue(job)
    wait_for(processes, lambda: line.refused >= 4)
    line.cut = False
    store = Stores(settings).open(bucket)
    wait_for(processes, lambda: store.head("out/cat.png.jpg") is not None)
    assert store.head("out/.semjpeg/failed/cat.png.json") is None


def test_what_is_no_job_is_put_aside_and_the_worker_goes_on(settings, start_worker, servers, job, bucket):
    app = make_celery(settings)
    app.send_task(TASK_NAME, kwargs={"key": "nonsense", "endpoint_url": "http://elsewhere"})
    processes = start_worker(servers.endpoint)
    JobQueue(settings).enqueue(job)
    wait_for(processes, lambda: Stores(settings).open(bucket).head("out/cat.png.jpg") is not None)
    [aside] = servers.redis().lrange(f"{settings.broker.key_prefix}put-aside", 0, -1)
    assert json.loads(aside)["message"]["key"] == "nonsense"
    assert "endpoint_url" in json.loads(aside)["reason"]


def test_a_vanished_source_and_a_missing_output_bucket(settings, start_worker, servers, job, bucket):
    queue = JobQueue(settings)
    gone = job.model_copy(update={"key": "in/gone.png"})
    nowhere = job.model_copy(update={"output": f"s3://missing-{uuid4().hex}"})
    processes = start_worker(servers.endpoint)
    queue.enqueue(gone)
    queue.enqueue(nowhere)
    redis = servers.redis()
    store = Stores(settings).open(bucket)
    wait_for(processes, lambda: store.head("out/.semjpeg/failed/gone.png.json") is not None)
    wait_for(processes, lambda: redis.llen(f"{settings.broker.key_prefix}put-aside") == 1)
    wait_for(processes, lambda: redis.hget(f"{settings.broker.key_prefix}run:trouble", "failed") == b"2")
    record = json.loads(store.get("out/.semjpeg/failed/gone.png.json", max_bytes=10**6))
    assert record["code"] == "object-missing"


def test_an_overwritten_source_is_done_in_its_newest_version(settings, start_worker, servers, job, bucket):
    newer = io.BytesIO()
    Image.fromarray(data.coffee()).save(newer, "PNG")
    store = Stores(settings).open(bucket)
    store.put("in/cat.png", newer.getvalue(), content_type="image/png")
    JobQueue(settings).enqueue(job)
    processes = start_worker(servers.endpoint)
    wait_for(processes, lambda: store.head("out/cat.png.jpg") is not None)
    result = Image.open(io.BytesIO(store.get("out/cat.png.jpg", max_bytes=10**7)))
    assert result.size == (600, 400)


def test_a_full_queue_makes_a_producer_wait_until_it_is_drawn_down(servers, job):
    settings = servers.settings(producer={"high_water": 4, "low_water": 2})
    queue, redis = JobQueue(settings), servers.redis()
    name = f"{settings.broker.key_prefix}{BULK}"
    for _ in range(4):
        queue.wait_for_room()
        queue.enqueue(job)
    assert queue.waiting() == redis.llen(name) == 4

    waiter = threading.Thread(target=queue.wait_for_room, daemon=True)
    waiter.start()
    waiter.join(1)
    assert waiter.is_alive()  # the queue is at its high-water mark
    redis.rpop(name)
    waiter.join(1.5)
    assert waiter.is_alive()  # three are left, which is still above the low-water mark
    redis.rpop(name)
    waiter.join(10)
    assert not waiter.is_alive()
