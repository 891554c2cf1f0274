"""Two queues: what events cause comes before any backlog of a backfill."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from celery.exceptions import Retry
from PIL import Image
from skimage import data

import worker.app
from config.errors import JobInFlightError, StorageUnavailableError
from config.jobs import TASK_NAME, Job
from config.queues import BULK, LIVE, QUEUES, queue_key
from config.recipes import Recipe, Route
from config.telemetry import WorkerTelemetry
from config.tracing import Tracing
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from storage import Stores
from worker.app import make_worker

PATIENCE_S = 120
BACKLOG = 10_000


class Desk:
    """A bucket, the queues, and workers."""

    def __init__(self, servers, bucket: str, processes: Processes) -> None:
        self.settings = servers.settings()
        self.redis = servers.redis()
        self.bucket = bucket
        self.store = Stores(self.settings).open(bucket)
        self.processes = processes
        self.queues = {name: JobQueue(self.settings, queue=name) for name in QUEUES}
        processes.environment |= {
            "SEMJPEG_BROKER__URL": servers.broker_url,
            "SEMJPEG_BROKER__KEY_PREFIX": self.settings.broker.key_prefix,
            "SEMJPEG_S3__ENDPOINT_URL": servers.endpoint,
            "SEMJPEG_S3__REGION": "us-east-1",
        }

    def job(self, name: str, run: str) -> Job:
        """Put a picture into the bucket and make the job for it."""
        picture = io.BytesIO()
        Image.fromarray(data.chelsea()[:64, :64]).save(picture, "PNG")
        self.store.put(f"in/{name}.png", picture.getvalue(), content_type="image/png")
        route = Route(source=f"s3://{self.bucket}/in", output=f"s3://{self.bucket}/out")
        return Job.of(route, Recipe(), self.store.head(f"in/{name}.png"), run=run)

    def waiting(self, name: str) -> int:
        return self.redis.llen(queue_key(self.settings.broker.key_prefix, name))

    def ended(self, run: str) -> int:
        counts = self.queues[BULK].counters.read(run)
        return counts.get("done", 0) + counts.get("unchanged", 0)

    def start_worker(self, *options: str) -> None:
        self.processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2", *options)

    def wait_for(self, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not ready():
            self.processes.check()
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture
def desk(servers, bucket, tmp_path) -> Iterator[Desk]:
    with Processes(tmp_path, servers.environment) as processes:
        yield Desk(servers, bucket, processes)


def test_an_event_overtakes_a_backlog(desk):
    backlog, event = desk.job("old", "backfill"), desk.job("new", "events")
    desk.queues[BULK].publish([backlog] * BACKLOG)
    desk.start_worker()
    desk.wait_for(lambda: desk.ended("backfill") >= 5)
    desk.queues[LIVE].publish([event])
    before = desk.ended("backfill")
    desk.wait_for(lambda: desk.ended("events") == 1)
    assert desk.store.head("out/new.png.jpg") is not None
    assert desk.ended("backfill") - before < BACKLOG // 20
    assert desk.waiting(BULK) > BACKLOG // 2


@pytest.mark.parametrize(("serves", "other"), [(LIVE, BULK), (BULK, LIVE)])
def test_a_worker_may_serve_one_queue_alone(desk, serves, other):
    mine, others = desk.job("mine", "mine"), desk.job("others", "others")
    desk.queues[other].publish([others])
    desk.queues[serves].publish([mine])
    desk.start_worker("--queues", serves)
    desk.wait_for(lambda: desk.ended("mine") == 1)
    assert desk.waiting(other) == 1
    assert desk.ended("others") == 0


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("error", [StorageUnavailableError("away"), JobInFlightError("is at work")])
def test_what_is_tried_again_stays_in_its_queue(desk, monkeypatch, queue, error):
    def attempt(_job, _node):
        raise error

    monkeypatch.setattr(worker.app, "attempt", attempt)
    node = SimpleNamespace(
        settings=desk.settings,
        heartbeat=SimpleNamespace(lease_s=1, message=lambda _tag: nullcontext()),
        drain=SimpleNamespace(begun=False),
        telemetry=WorkerTelemetry(desk.settings, "model"),
        tracing=Tracing(desk.settings.tracing),
        model_hash="model",
    )
    job = desk.job("cat", "run")
    task = make_worker(node).tasks[TASK_NAME]
    task.push_request(
        id="1",
        retries=0,
        called_directly=False,
        delivery_info={"exchange": "", "routing_key": queue},
        properties={"delivery_tag": "1"},
        kwargs=job.to_message(),
        args=(),
    )
    try:
        with pytest.raises(Retry) if isinstance(error, StorageUnavailableError) else nullcontext():
            task.run(**job.to_message())
    finally:
        task.pop_request()
    assert {name: desk.waiting(name) for name in QUEUES} == {name: int(name == queue) for name in QUEUES}
