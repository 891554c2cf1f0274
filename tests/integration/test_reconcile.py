"""Reconciliations: real processes, which are killed, before a real broker and a real S3 server."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable

from config.jobs import Job
from config.objects import ObjectVersion
from config.recipes import Recipe, Route
from models.weights import SHIPPED, verify
from producer.queue import JobQueue
from semjpeg.commands.reconcile import weights_hash
from storage import Stores

PATIENCE_S = 120
MANY = 1800
"""Keys of the reconciliation that is killed: two pages of a listing, four batches."""


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_reconcile_queues_just_what_is_wrong(desk):
    names = ["a.png", "a.png-1.png", "b.jpg", "c.jpg", "d.jpg"]
    desk.put(*(f"in/{name}" for name in names))
    store = Stores(desk.settings).open(desk.bucket)
    route = Route(source=desk.places[0], output=desk.places[1])
    model_hash = weights_hash(None)
    assert model_hash == verify(SHIPPED)
    for name, made_by in [("a.png", model_hash), ("a.png-1.png", "another"), ("gone.png", model_hash)]:
        source = store.head(f"in/{name}") or ObjectVersion(f"in/{name}", "e", 1)
        job = Job.of(route, Recipe(), source, run="earlier")
        metadata = {"semjpeg-job": job.identity(made_by)}
        store.put(job.result_keys.jpeg, b"y", content_type="image/jpeg", metadata=metadata)
    for name, etag in (("c.jpg", store.head("in/c.jpg").etag), ("d.jpg", "of an earlier version")):
        failure = json.dumps({"etag": etag}).encode()
        store.put(f"out/.semjpeg/failed/{name}.json", failure, content_type="application/json")
    counts = {"sources": 5, "right": 1, "missing": 2, "stale": 1, "failed": 1, "orphans": 1}
    code, told = desk.run("reconcile", *desk.places, "--dry-run", "--json", "--run", "heal")
    assert (code, json.loads(told)) == (0, {"run": "heal", **counts, "queued": 0})
    assert desk.keys() == []
    code, told = desk.run("reconcile", *desk.places, "--orphans")
    assert code == 0
    assert told.splitlines()[0] == "out/gone.png.jpg"
    assert "sources 5, right 1, missing 2, stale 1, failed 1, orphans 1, queued 3" in told
    assert sorted(desk.keys()) == ["in/a.png-1.png", "in/b.jpg", "in/d.jpg"]
    code, told = desk.run("reconcile", *desk.places, "--failed", "--json")
    assert json.loads(told)["queued"] == 4
    assert store.head("out/gone.png.jpg") is not None


def test_a_reconciliation_that_is_killed_again_and_again_queues_each_key_once(desk):
    names = [f"in/{number:04}.png" for number in range(MANY)]
    desk.put(*names)
    Stores(desk.settings).open(desk.bucket).put("out/0007.png.jpg", b"y", content_type="")  # made by no job: stale
    command = ("reconcile", *desk.places, "--run", "nightly")
    for _ in range(2):
        before, process = desk.redis.llen(desk.queue_key), desk.start(*command)
        wait_until(lambda: desk.redis.llen(desk.queue_key) > before)  # noqa: B023 - is called at once
        assert process.poll() is None
        process.kill()
        process.communicate()
    code, told = desk.run(*command)
    assert code == 0, told
    assert Counter(desk.keys()) == Counter(dict.fromkeys(names, 1))
    assert "the run nightly goes on after" in told
    code, told = desk.run("enqueue", *desk.places, "--run", "nightly")  # has a checkpoint of its own
    assert (code, f"{MANY:,} images" in told) == (0, True), told
    code, told = desk.run(*command, "--deep")
    assert (code, "was begun with check" in told) == (2, True), told
    assert desk.run(*command, "--deep", "--restart")[0] == 0


def test_a_reconciliation_stays_and_queues_what_arrives(desk):
    desk.put("in/a.png")
    process = desk.start("reconcile", *desk.places, "--run", "nightly", "--every", "0.1", "--json")
    counters, key = JobQueue(desk.settings).counters, desk.queue_key
    wait_until(lambda: desk.keys() == ["in/a.png"])
    desk.put("in/b.png")
    assert json.loads(process.stdout.readline())["queued"] == 1
    assert counters.snapshot(["nightly"])[0].sources == (f"{desk.places[0]}/",)
    fields = desk.fields_of(desk.redis.rpop(key))
    store = Stores(desk.settings).open(desk.bucket)
    metadata = {"semjpeg-job": Job.from_message(fields).identity(weights_hash(None))}
    store.put("out/a.png.jpg", b"y", content_type="image/jpeg", metadata=metadata)
    counters.add("nightly", done=1)
    wait_until(lambda: desk.keys() == ["in/b.png"])
    assert json.loads(process.stdout.readline())["right"] == 1
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    process.stdout.close()
    assert counters.snapshot(["nightly"])[0].sources == ()
