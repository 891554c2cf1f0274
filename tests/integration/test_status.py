"""Counters in a real Valkey, and what `semjpeg status` says of real workers."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from skimage import data

from config.counters import BUCKET_S, BUCKETS, LEASE_S, LIFETIME_S, MOST_RUNS, RunCounters
from config.recipes import Recipe, Route
from config.settings import Settings
from producer.queue import JobQueue
from producer.scan import scan
from semjpeg.demo.processes import Processes
from semjpeg.status.reading import StateReader
from semjpeg.status.state import SystemState
from storage import ObjectStore, Stores

PATIENCE_S = 120


@pytest.fixture
def settings(servers) -> Settings:
    return servers.settings()


@pytest.fixture
def counters(servers, settings) -> RunCounters:
    return RunCounters(servers.redis(), settings.broker.key_prefix)


@pytest.fixture
def keys(servers, settings) -> Callable[[], list[bytes]]:
    """All keys of this test."""
    return lambda: servers.redis().keys(f"{settings.broker.key_prefix}*")


def test_runs_come_newest_first_and_each_has_its_own_places(counters):
    for run, place in (("a", "s3://out/1"), ("a:b", "s3://out/2"), ("b", ""), ("a", "s3://out/3")):
        counters.add(run, place, enqueued=2)
        time.sleep(0.01)  # runs are told apart by milliseconds
    assert counters.runs() == ["a", "b", "a:b"]
    assert counters.runs(most=1) == ["a"]
    assert counters.places("a") == ["s3://out/1", "s3://out/3"]
    assert counters.places("b") == []
    assert [counters.read(run)["enqueued"] for run in ("a", "a:b", "b")] == [4, 2, 2]
    assert counters.read("unknown") == {}


def test_every_key_expires_and_the_names_of_runs_stay_bounded(servers, settings, counters, keys):
    client, runs = servers.redis(), f"{settings.broker.key_prefix}runs"
    now_ms = client.time()[0] * 1000
    oldest_ms = now_ms - LIFETIME_S * 1000
    client.zadd(runs, {"forgotten": oldest_ms - 1, **{f"run-{i}": now_ms - i for i in range(MOST_RUNS)}})
    assert "forgotten" not in counters.runs()
    counters.add("new", "s3://out", enqueued=1, done=1)
    assert client.zcard(runs) == MOST_RUNS
    assert counters.runs(most=2) == ["new", "run-0"]
    counters.announce("new", "s3://in")
    for key in set(keys()) - {runs.encode()}:
        assert 0 < client.ttl(key) <= LIFETIME_S, key


def test_the_pace_is_that_of_the_last_minute_by_redis_clock(servers, settings, counters):
    client, pace = servers.redis(), f"{settings.broker.key_prefix}pace:r"
    this = client.time()[0] // BUCKET_S
    client.hset(pace, mapping={f"{this - back}:{n}": 7 for back in (BUCKETS + 9, 3) for n in ("images", "bytes_in")})
    counters.add("r", done=2, bytes_in=100)
    counters.add("r", failed=1)
    counters.add("r", unchanged=1)
    counters.add("r", enqueued=50)
    [seen] = counters.snapshot(["r"])
    assert (seen.recent.images, seen.recent.bytes_in) == (7 + 4, 7 + 100)
    numbers = {int(name.split(b":")[0]) for name in client.hkeys(pace)}
    assert min(numbers) == this - 3  # what is older than a minute is gone
    assert abs(seen.at_s - client.time()[0]) < PATIENCE_S
    assert seen.counts["began_ms"] <= seen.counts["first_ended_ms"] <= seen.counts["last_ended_ms"]


def test_who_enqueues_is_believed_for_as_long_as_it_says_so(servers, settings, counters):
    counters.announce("r", "s3://in/a")
    counters.announce("r", "s3://in/b")
    counters.withdraw("r", "s3://in/b")
    [seen] = counters.snapshot(["r"])
    assert seen.sources == ("s3://in/a",)
    assert counters.runs() == ["r"]
    client, leases = servers.redis(), f"{settings.broker.key_prefix}listing:r"
    assert 0 < client.zscore(leases, "s3://in/a") - client.time()[0] <= LEASE_S
    client.zadd(leases, {"s3://in/a": client.time()[0] - 1})  # as it stands a lease later
    [seen] = counters.snapshot(["r"])
    assert seen.sources == ()


@dataclass
class Farm:
    """A bucket with pictures, and processes with their settings."""

    settings: Settings
    processes: Processes
    source: ObjectStore
    output: ObjectStore
    route: Route

    def enqueue(self, run: str) -> int:
        queue = JobQueue(self.settings)
        jobs = list(scan(self.source, self.route, Recipe(), run))
        for job in jobs:
            queue.enqueue(job)
        return len(jobs)

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.processes.start("worker", sys.executable, "-m", "semjpeg", "worker", "--threads", "2")

    def semjpeg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "semjpeg", *arguments]
        environment = self.processes.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def wait_for(self, run: str, ready: Callable[[SystemState], bool]) -> SystemState:
        reader, until = StateReader(self.settings), time.monotonic() + PATIENCE_S
        while not ready(state := reader.run(run)):
            self.processes.check()
            assert time.monotonic() < until, state
        return state


@pytest.fixture
def farm(servers, settings, bucket, tmp_path: Path) -> Iterator[Farm]:
    environment = servers.environment_of(settings)
    output = f"out-{uuid4().hex}"
    servers.client("s3").create_bucket(Bucket=output)
    stores = Stores(settings)
    route = Route(source=f"s3://{bucket}/in", output=f"s3://{output}/small")
    with Processes(tmp_path, environment) as processes:
        yield Farm(settings, processes, stores.open(bucket), stores.open(output), route)


def put_pictures(store: ObjectStore, amount: int, scale: int) -> None:
    pixels = np.kron(data.chelsea(), np.ones((scale, scale, 1), np.uint8))
    for number in range(amount):
        buffer = io.BytesIO()
        Image.fromarray(np.roll(pixels, number, axis=1)).save(buffer, "PNG", compress_level=1)
        store.put(f"in/{number}.png", buffer.getvalue(), content_type="image/png")


def test_a_run_from_its_first_job_to_its_last(farm):
    """A worker does pictures, one of which is broken, while the command looks on."""
    put_pictures(farm.source, 14, scale=2)
    farm.source.put("in/broken.png", b"no picture", content_type="image/png")
    assert farm.enqueue("nightly") == 15
    before = json.loads(farm.semjpeg("status", "nightly", "--json").stdout)
    assert (before["enqueued"], before["queued"], before["in_flight"], before["workers"]) == (15, 15, 0, [])
    assert (before["images_per_s"], before["left_s"], before["over"]) == (None, None, False)
    assert before["places"] == [farm.route.output]

    farm.start_worker()
    during = farm.wait_for("nightly", lambda state: state.in_flight > 0)
    assert [worker.threads for worker in during.workers] == [2]
    assert 0 < during.runs[0].in_flight <= 2
    assert during.runs[0].queued + during.runs[0].in_flight + during.runs[0].ended == 15

    watched = farm.semjpeg("status", "nightly", "--watch", "--interval", "0.5", "--json")
    assert watched.returncode == 1, watched.stderr  # a picture has failed
    seen = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [state["over"] for state in seen] == [False] * (len(seen) - 1) + [True]
    for state in seen:
        assert state["done"] + state["failed"] + state["in_flight"] + state["queued"] == 15
    end = seen[-1]
    assert len(end["workers"]) == 1
    assert {name: end[name] for name in ("done", "failed", "unchanged", "in_flight", "queued", "left", "left_s")} == {
        "done": 14,
        "failed": 1,
        "unchanged": 0,
        "in_flight": 0,
        "queued": 0,
        "left": 0,
        "left_s": 0,
    }
    records = [
        json.loads(farm.output.get(found.key, max_bytes=10**6)) for found in farm.output.list("small/.semjpeg/metrics/")
    ]
    assert len(records) == 14
    for name in ("bytes_in", "bytes_out", "bytes_libjpeg"):
        assert end[name] == sum(record[name] for record in records)
    assert end["workers"][0]["attempts"] == 15

    told = farm.semjpeg("status")
    assert told.returncode == 0
    assert "nightly" in told.stdout
    assert "1 alive, 0 of 2 threads at work" in told.stdout
    lines = farm.semjpeg("status", "nightly", "--watch")
    assert lines.returncode == 1
    assert lines.stdout.startswith("nightly: over, 14 done, 0 unchanged, 1 failed, 0 in flight, 0 queued, MB in → out ")


def test_a_killed_worker_is_gone_and_its_jobs_are_queued(farm, servers):
    put_pictures(farm.source, 40, scale=5)
    farm.enqueue("nightly")
    worker = farm.start_worker()
    farm.wait_for("nightly", lambda state: state.runs[0].in_flight == 2)
    elsewhere = StateReader(servers.settings()).system(20)  # another system on the same broker
    assert (elsewhere.workers, elsewhere.runs) == ((), ())
    worker.kill()
    worker.wait()
    farm.processes.forget(worker)
    dead = farm.wait_for("nightly", lambda state: not state.workers)
    run = dead.runs[0]
    assert run.in_flight == dead.in_flight == 0
    assert run.queued == run.left == 40 - run.ended > 0
    assert dead.held == dead.delivered > 0
    assert run.left <= dead.waiting + dead.delivered <= run.left + 2  # counted, and killed before it was acknowledged
    assert run.left_s is None or run.images_per_s > 0
    told = farm.semjpeg("status", "nightly")
    assert f"{dead.held} taken by no living worker" in told.stdout
    assert "0 alive" in told.stdout


def test_a_producer_says_that_more_may_come_until_its_listing_ends(farm):
    put_pictures(farm.source, 3, scale=1)
    follow = ("reconcile", farm.route.source, farm.route.output, "--run", "nightly", "--every", "0.2")
    queueing = farm.processes.start("reconcile", sys.executable, "-m", "semjpeg", *follow)
    reader, until = StateReader(farm.settings), time.monotonic() + PATIENCE_S
    while (state := reader.system(1)).waiting < 3:
        farm.processes.check()
        assert time.monotonic() < until, state
    [run] = state.runs
    assert run.counted.sources == (f"{farm.route.source}/",)
    assert run.is_being_enqueued
    assert run.left_s is None
    queueing.send_signal(2)
    queueing.wait(PATIENCE_S)
    farm.processes.forget(queueing)
    [run] = reader.system(1).runs
    assert not run.is_being_enqueued
    assert (run.queued, run.is_over) == (3, False)


def test_an_unknown_run_and_a_broker_that_is_away(farm):
    JobQueue(farm.settings).counters.add("nightly", enqueued=1)
    unknown = farm.semjpeg("status", "weekly")
    assert unknown.returncode == 2
    assert unknown.stderr == "semjpeg: no run is called 'weekly'; there are: nightly\n"
    farm.processes.environment["SEMJPEG_BROKER__URL"] = "redis://user:secret@127.0.0.1:1/0"
    away = farm.semjpeg("status")
    assert away.returncode == 1
    assert "the broker at 127.0.0.1:1 does not answer" in away.stderr
    assert "secret" not in away.stdout + away.stderr


def read(terminal: int) -> bytes:
    """Read what comes next; if nothing does, fail."""
    assert select.select([terminal], [], [], PATIENCE_S)[0]
    return os.read(terminal, 4096)


def test_watching_on_a_terminal_draws_in_place_and_says_that_it_waits(farm):
    """The broker is away at first; the run is over when it is back."""
    farm.processes.environment["SEMJPEG_BROKER__URL"] = "redis://127.0.0.1:1/0"
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "semjpeg", "status", "nightly", "--watch", "--interval", "0.2"]
    environment = {**farm.processes.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, env=environment, stdout=its, stderr=its, stdin=its)
    os.close(its)
    shown = b""
    while shown.count(b"does not answer") < 2:
        shown += read(mine)
    process.send_signal(2)
    while True:
        try:
            shown += read(mine)
        except OSError:  # the other end is closed
            break
    assert process.wait(PATIENCE_S) == 130
    os.close(mine)
    assert b"\x1b[1A" in shown or b"\x1b[2K" in shown
    assert shown.rstrip().endswith(b"interrupted")
    assert b"\x1b[?25h" in shown  # the cursor is back
    assert b"Traceback" not in shown
