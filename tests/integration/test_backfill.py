"""Backfills: real processes, which are killed, before a real broker and a real S3 server."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config.broker import make_celery
from config.errors import BrokerUnavailableError, ConfigurationError
from config.jobs import TASK_NAME, Job
from config.objects import ObjectVersion
from config.queues import BULK, ENQUEUED_HEADER
from config.recipes import Recipe, Route
from config.settings import Settings
from producer import feed as feeding
from producer.checkpoint import Plan
from producer.feed import Step, feed
from producer.queue import JobQueue
from storage import Stores

PATIENCE_S = 120
ROUTE = Route(source="s3://in/photos", output="s3://out")
MANY = 1800
"""Keys of the backfill that is killed: two pages of a listing, four batches."""


def jobs(count: int, run: str = "run") -> list[Job]:
    sources = (ObjectVersion(f"photos/{number:05}.jpg", "e", 1) for number in range(count))
    return [Job.of(ROUTE, Recipe(), source, run=run) for source in sources]


def steps(wanted: list[Job], after: str = "") -> Iterator[Step]:
    return (Step(job, job.key) for job in wanted if job.key > after)


def plan(run: str = "run", **changes: str) -> Plan:
    return Plan(**{"run": run, "source": "s3://in/photos/", "output": "s3://out/", "recipe": Recipe().hash, **changes})


def test_a_message_is_what_celery_itself_sends(desk):
    [job] = jobs(1)
    queue = JobQueue(desk.settings)
    make_celery(desk.settings).send_task(TASK_NAME, kwargs=job.to_message(), queue=BULK)
    queue.enqueue(job)
    theirs, ours = (json.loads(desk.redis.rpop(desk.queue_key)) for _ in range(2))
    assert b64decode(theirs["body"]) == b64decode(ours["body"])
    for message in (theirs, ours):
        assert message["headers"].pop("id") == message["headers"].pop("root_id")
        assert message["properties"].pop("delivery_tag")
        assert message["properties"].pop("correlation_id")
        del message["body"], message["headers"]["kwargsrepr"], message["properties"]["reply_to"]
    assert abs(ours["headers"].pop(ENQUEUED_HEADER) - time.time()) < PATIENCE_S
    assert theirs == ours
    assert queue.counters.read("run")["enqueued"] == 1


class Killed(BaseException):
    """The producer died."""


@given(
    count=st.integers(0, 40),
    batch=st.integers(1, 9),
    deaths=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=5),
)
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_a_producer_dies_each_key_is_queued_once(desk, count, batch, deaths):
    """It dies while it collects a batch, or after the broker took one and before it answered."""
    desk.redis.delete(desk.queue_key)
    run = uuid4().hex
    wanted = jobs(count, run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeding, "BATCH", batch)
        for at, after_the_broker_took_it in [*deaths, (10_000, False)]:
            queue = JobQueue(desk.settings)
            checkpoint = queue.checkpoint(plan(run))
            start = checkpoint.begin()
            with suppress(Killed):
                if after_the_broker_took_it:
                    patch.setattr(checkpoint, "confirm", lambda: (_ for _ in ()).throw(Killed))
                stream = dying(steps(wanted, start.position), at)
                feed(queue, stream, checkpoint, lambda _: None, pytest.fail)
    assert desk.keys() == [job.key for job in wanted]
    assert queue.counters.read(run).get("enqueued", 0) == count
    assert queue.checkpoint(plan(run)).begin().queued == count


def dying(stream: Iterator[Step], at: int) -> Iterator[Step]:
    for number, step in enumerate(stream):
        if number == at:
            raise Killed
        yield step


def test_a_lost_answer_queues_nothing_twice(desk, monkeypatch):
    queue = JobQueue(desk.settings)
    checkpoint = queue.checkpoint(plan())
    checkpoint.begin()
    monkeypatch.setattr(feeding, "_PAUSE_S", 0)
    real, lost = queue.publish, []

    def losing(*arguments) -> None:
        real(*arguments)
        if not lost:
            lost.append(arguments)
            checkpoint._step -= 1  # as if the answer had not come
            raise BrokerUnavailableError("gone")

    monkeypatch.setattr(queue, "publish", losing)
    wanted = jobs(1200)
    assert feed(queue, steps(wanted), checkpoint, lambda _: None, lambda _: None) == 1200
    assert lost
    assert desk.keys() == [job.key for job in wanted]


def test_who_begins_last_holds_the_run(desk):
    first, second = (JobQueue(desk.settings).checkpoint(plan()) for _ in range(2))
    queue = JobQueue(desk.settings)
    first.begin()
    second.begin()
    with pytest.raises(ConfigurationError, match="taken over"):
        queue.publish(jobs(2), first, "photos/00001.jpg")
    assert desk.keys() == []
    queue.publish(jobs(2), second, "photos/00001.jpg")
    assert len(desk.keys()) == 2
    desk.redis.flushdb()
    with pytest.raises(ConfigurationError, match="lost"):
        queue.publish(jobs(2), second, "photos/00001.jpg")


def test_a_checkpoint_says_how_far_it_is_and_expires_with_its_run(desk):
    queue = JobQueue(desk.settings)
    checkpoint = queue.checkpoint(plan())
    checkpoint.begin()
    queue.publish(jobs(3), checkpoint, "photos/\udcff.jpg")
    name = f"{desk.settings.broker.key_prefix}checkpoint:run:s3://in/photos/"
    assert 29 * 86400 < desk.redis.ttl(name) <= 30 * 86400
    start = queue.checkpoint(plan()).begin()
    assert (start.position, start.queued, start.finished) == ("photos/\udcff.jpg", 3, False)
    for changes in ({"output": "s3://x/"}, {"recipe": "0" * 64}, {"inventory": "s3://lists/manifest.json"}):
        with pytest.raises(ConfigurationError, match="was begun with"):
            queue.checkpoint(plan(**changes)).begin()
        assert queue.checkpoint(plan(**changes)).begin(restart=True).position == ""
        queue.checkpoint(plan()).begin(restart=True)


def test_a_queue_stays_between_its_marks(desk):
    desk.settings = desk.settings.model_copy(
        update={"producer": Settings(producer={"high_water": 40, "low_water": 20}).producer}
    )
    queue, seen, ended = JobQueue(desk.settings), [], threading.Event()

    def draw() -> None:
        while not ended.is_set() or desk.redis.llen(desk.queue_key):
            seen.append(desk.redis.llen(desk.queue_key))
            drawn.extend(desk.fields_of(message)["key"] for message in desk.redis.rpop(desk.queue_key, 7) or [])
            time.sleep(0.01)

    drawn: list[str] = []
    worker = threading.Thread(target=draw)
    worker.start()
    assert feed(queue, steps(jobs(200)), None, lambda _: None, pytest.fail) == 200
    ended.set()
    worker.join()
    assert drawn == [job.key for job in jobs(200)]
    assert max(seen) == 40


def test_an_enqueue_that_is_killed_again_and_again_queues_each_key_once(desk):
    names = [f"in/{number % 7}/é +%{number:04}.png" for number in range(MANY)]
    desk.put(*names)
    moments = random.Random(0)  # noqa: S311 - guards nothing
    command = ("enqueue", *desk.places, "--run", "nightly")
    kills = 0
    for _ in range(5):
        until = desk.redis.llen(desk.queue_key) + moments.choice([0, 1, 500, 501])
        pause_s = moments.uniform(0, 0.05)
        process = desk.start(*command)
        deadline = time.monotonic() + PATIENCE_S
        while desk.redis.llen(desk.queue_key) < until and process.poll() is None:
            assert time.monotonic() < deadline
        time.sleep(pause_s)
        kills += process.poll() is None
        process.kill()
        process.communicate()
    code, told = desk.run(*command)
    assert code == 0, told
    assert kills >= 2
    assert Counter(desk.keys()) == Counter(dict.fromkeys(names, 1))
    assert f"{MANY:,} images" in told


def test_a_finished_run_says_so_and_another_one_is_refused(desk):
    desk.put("in/a.png", "in/notes.txt")
    source, output = desk.places
    assert desk.run("enqueue", source, output, "--run", "nightly")[0] == 0
    code, told = desk.run("enqueue", source, output, "--run", "nightly")
    assert (code, desk.keys()) == (0, ["in/a.png"])
    assert "is finished: it queued 1 images" in told
    code, told = desk.run("enqueue", source, f"{output}-two", "--run", "nightly")
    assert code == 2
    assert f"begun with output {output}/" in told
    code, _ = desk.run("enqueue", source, f"{output}-two", "--run", "nightly", "--restart")
    assert (code, desk.keys()) == (0, ["in/a.png", "in/a.png"])


def test_an_inventory_is_read_instead_of_a_listing(desk):
    text = io.StringIO()
    rows = [["in/a.png", "true"], ["in/b%2B%C3%BC+c.jpg", "true"], ["in/a.png", "false"], ["elsewhere/d.png", "true"]]
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([desk.bucket, *row, "false", "1", "e"] for row in rows)
    data = gzip.compress(text.getvalue().encode())
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    manifest = {
        "sourceBucket": desk.bucket,
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, IsLatest, IsDeleteMarker, Size, ETag",
        "files": [{"key": "lists/data/1.csv.gz", "size": len(data), "MD5checksum": md5}],
    }
    store = Stores(desk.settings).open(desk.bucket)
    store.put("lists/data/1.csv.gz", data, content_type="")
    store.put("lists/manifest.json", json.dumps(manifest).encode(), content_type="")
    url = f"s3://{desk.bucket}/lists/manifest.json"
    code, told = desk.run("enqueue", *desk.places, "--inventory", url, "--run", "big")
    assert code == 0, told
    assert desk.keys() == ["in/a.png", "in/b+ü c.jpg"]
    store.put("lists/manifest.json", json.dumps({**manifest, "sourceBucket": "x"}).encode(), content_type="")
    code, told = desk.run("enqueue", *desk.places, "--inventory", url)
    assert code == 2
    assert "describes the bucket x" in told


def test_a_mark_moves_the_checkpoint_and_keeps_no_job_waiting(desk):
    queue = JobQueue(desk.settings)
    checkpoint = queue.checkpoint(plan())
    checkpoint.begin()
    seen = []

    def stream() -> Iterator[Step]:
        [first, second] = jobs(2)
        yield Step(first, "1")
        yield Step(None, "2")
        seen.append((len(desk.keys()), queue.checkpoint(plan()).begin().position))
        checkpoint.begin()
        yield Step(None, "3")
        yield Step(second, "4")

    assert feed(queue, stream(), checkpoint, lambda _: None, pytest.fail) == 2
    assert seen == [(1, "2")]
    start = checkpoint.begin()
    assert (start.position, start.queued, len(desk.keys())) == ("4", 2, 2)


def test_a_finished_run_begins_again_with_its_note(desk):
    checkpoint = JobQueue(desk.settings).checkpoint(plan(check="how"))
    assert checkpoint.begin_again().note == ""
    JobQueue(desk.settings).publish(jobs(3), checkpoint, "9")
    assert (checkpoint.begin_again().position, checkpoint.begin_again().queued) == ("9", 3)
    checkpoint.finish("noted")
    start = checkpoint.begin_again()
    assert (start.position, start.queued, start.finished, start.note) == ("", 0, False, "noted")
    checkpoint.finish()
    assert checkpoint.begin().note == "noted"
    assert checkpoint.begin(restart=True).note == ""
    other = JobQueue(desk.settings).checkpoint(plan(check="how"))
    other.begin()
    with pytest.raises(ConfigurationError, match="taken over"):
        checkpoint.finish()
    desk.redis.flushdb()
    with pytest.raises(ConfigurationError, match="lost"):
        other.finish()
    assert other.begin().position == ""
