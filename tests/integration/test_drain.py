"""A worker that is told to stop: it finishes what it can, and gives back the rest at once, with no death on record."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import redis
from PIL import Image
from skimage import data

from config.jobs import Job
from config.queues import LIVE, queue_key
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from semjpeg.demo.processes import Processes
from semjpeg.demo.servers import start_valkey
from storage import Stores

PATIENCE_S = 120
VISIBILITY_S = 3600
"""What comes back to its queue in these tests has not come by waiting for this."""
FOR_EVER_S = 3600
NAMES = ("cat", "dog")


class House:
    """A bucket, the queue of events, and workers that reach the store through a gate."""

    def __init__(self, servers, bucket: str, gate, processes: Processes, broker_url: str = "") -> None:
        broker = {**servers.settings().broker.model_dump(), "visibility_timeout_s": VISIBILITY_S}
        self.settings = servers.settings(broker={**broker, "url": broker_url or servers.broker_url})
        self.prefix = self.settings.broker.key_prefix
        self.redis = redis.Redis.from_url(broker_url or servers.broker_url)
        self.bucket = bucket
        self.store = Stores(self.settings).open(bucket)
        self.queue = JobQueue(self.settings, queue=LIVE)
        self.gate = gate
        self.processes = processes
        self.numbers = count()
        processes.environment |= {
            "SEMJPEG_BROKER__URL": broker_url or servers.broker_url,
            "SEMJPEG_BROKER__KEY_PREFIX": self.prefix,
            "SEMJPEG_BROKER__VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
            "SEMJPEG_S3__REGION": "us-east-1",
            "SEMJPEG_S3__READ_TIMEOUT_S": str(FOR_EVER_S),
            "SEMJPEG_S3__ENDPOINT_URL": gate.endpoint,
        }

    def enqueue(self, name: str) -> None:
        picture = io.BytesIO()
        Image.fromarray(data.chelsea()[:64, :48]).save(picture, "PNG")
        self.store.put(f"in/{name}.png", picture.getvalue(), content_type="image/png")
        route = Route(source=f"s3://{self.bucket}/in", output=f"s3://{self.bucket}/out")
        self.queue.publish([Job.of(route, Recipe(), self.store.head(f"in/{name}.png"), run="test")])

    def start(self, drain_s: float):
        self.processes.environment["SEMJPEG_WORKER__DRAIN_S"] = str(drain_s)
        self.log = self.processes._folder / f"worker-{next(self.numbers)}.log"
        return self.processes.start(self.log.stem, sys.executable, "-m", "semjpeg", "worker", "--threads", "3")

    def told(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def keys(self, kind: str) -> list[bytes]:
        return self.redis.keys(f"{self.prefix}{kind}:*")

    def waiting(self) -> int:
        return self.redis.llen(queue_key(self.prefix, LIVE))

    def taken(self) -> int:
        return self.redis.hlen(f"{self.prefix}unacked")

    def results(self) -> set[str]:
        return {found.key for found in self.store.list("out/") if found.key.endswith(".jpg")}

    def counted(self) -> dict[str, int]:
        counts = self.queue.counters.read("test")
        return {name: counts[name] for name in ("done", "unchanged", "failed") if name in counts}


@pytest.fixture
def house(servers, bucket, gate, tmp_path) -> Iterator[House]:
    with Processes(tmp_path, servers.environment) as processes:
        yield House(servers, bucket, gate, processes)


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.02)


def stop(house: House, worker, *numbers: int) -> None:
    """Send signals, each when the one before has been heard."""
    for number in numbers:
        os.killpg(worker.pid, number)
        wait_for(lambda: house.told("stopping"))


@pytest.mark.parametrize(
    ("drain_s", "numbers"),
    [(1, [signal.SIGTERM]), (FOR_EVER_S, [signal.SIGTERM, signal.SIGTERM]), (FOR_EVER_S, [signal.SIGINT] * 2)],
)
def test_what_is_not_finished_in_time_is_given_back_at_once_and_is_no_death(house, drain_s, numbers):
    house.gate.hold(f"GET /{house.bucket}/in/")
    worker = house.start(drain_s)
    for name in NAMES:
        house.enqueue(name)
    wait_for(lambda: len(house.keys("begun")) == len(NAMES))
    stop(house, worker, *numbers)
    assert worker.wait(PATIENCE_S) == 0
    assert (house.waiting(), house.taken()) == (len(NAMES), 0)
    assert (house.keys("claim"), house.keys("begun")) == ([], [])
    assert (house.results(), house.counted()) == (set(), {})
    told = house.told("given back")
    assert {(line["run"], line["key"]) for line in told} == {("test", f"in/{name}.png") for name in NAMES}
    assert all(line["job"] for line in told)

    house.processes.forget(worker)
    house.gate.open()
    house.start(drain_s)
    wait_for(lambda: house.counted() == {"done": len(NAMES)})
    wait_for(lambda: not house.taken())
    assert house.results() == {f"out/{name}.png.jpg" for name in NAMES}
    assert (house.waiting(), house.keys("claim"), house.keys("begun")) == (0, [], [])
    jpeg = Image.open(io.BytesIO(house.store.get("out/cat.png.jpg", max_bytes=10**6)))
    assert (jpeg.format, jpeg.size) == ("JPEG", (48, 64))


def test_what_is_in_hand_is_finished_and_nothing_more_is_taken(house):
    house.gate.hold(f"GET /{house.bucket}/in/cat")
    worker = house.start(FOR_EVER_S)
    house.enqueue("cat")
    assert house.gate.arrived.wait(PATIENCE_S)
    stop(house, worker, signal.SIGTERM)
    house.enqueue("dog")
    house.gate.open()
    assert worker.wait(PATIENCE_S) == 0
    assert (house.results(), house.counted()) == ({"out/cat.png.jpg"}, {"done": 1})
    assert (house.waiting(), house.taken()) == (1, 0)
    assert (house.keys("claim"), house.keys("begun"), house.told("given back")) == ([], [], [])


def test_a_job_that_is_finished_beside_one_that_is_given_back_is_not_done_again(house):
    house.gate.hold(f"GET /{house.bucket}/in/cat")
    worker = house.start(FOR_EVER_S)
    house.enqueue("cat")
    assert house.gate.arrived.wait(PATIENCE_S)
    house.enqueue("dog")
    wait_for(lambda: house.counted() == {"done": 1})
    stop(house, worker, signal.SIGTERM, signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert (house.results(), house.counted()) == ({"out/dog.png.jpg"}, {"done": 1})
    assert (house.waiting(), house.taken()) == (1, 0)
    assert [line["key"] for line in house.told("given back")] == ["in/cat.png"]


def test_a_worker_with_nothing_in_hand_ends(house):
    worker = house.start(FOR_EVER_S)
    house.enqueue("cat")
    wait_for(lambda: house.counted() == {"done": 1} and not house.taken())
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert house.told("given back") == []


def test_a_worker_whose_broker_is_away_ends_all_the_same(servers, bucket, gate, tmp_path):
    with Processes(tmp_path, servers.environment) as processes:
        url = start_valkey(processes, tmp_path)
        [valkey] = (child.process for child in processes._children)
        house = House(servers, bucket, gate, processes, url)
        gate.hold(f"GET /{bucket}/in/cat")
        worker = house.start(1)
        house.enqueue("cat")
        assert gate.arrived.wait(PATIENCE_S)
        valkey.kill()
        stop(house, worker, signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0
        assert len(house.told("given back")) == len(house.told("claims not released")) == 1
