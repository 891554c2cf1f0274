"""Failures are recorded at once where trying again is no use, and can be listed and queued again."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from uuid import uuid4

import pytest
from click.testing import CliRunner

from config.errors import ConfigurationError, DamagedImageError, DamagedRecordError, KeyTooLongError, WorkerLostError
from config.jobs import Job
from config.queues import BULK, queue_key
from config.recipes import Recipe, Route
from producer.queue import JobQueue
from producer.reconcile import Check, Reconciler, State
from semjpeg.commands.failures import command
from semjpeg.failures import Failure, find_failures, job_of
from storage import Stores
from worker.claim import begun_key
from worker.publish import as_json
from worker.records import failure_record

MODEL = "0" * 64


@pytest.fixture
def settings(servers, monkeypatch):
    settings = servers.settings()
    monkeypatch.setenv("SEMJPEG_BROKER__URL", servers.broker_url)
    monkeypatch.setenv("SEMJPEG_BROKER__KEY_PREFIX", settings.broker.key_prefix)
    monkeypatch.setenv("SEMJPEG_S3__ENDPOINT_URL", servers.endpoint)
    monkeypatch.setenv("SEMJPEG_S3__REGION", "us-east-1")
    return settings


@pytest.fixture
def fail(settings, bucket):
    """Write the record of a failure, and return its job."""
    store = Stores(settings).open(bucket)
    route = Route(source=f"s3://{bucket}/in", output=f"s3://{bucket}/out")

    def fail(key: str, error, run: str = "first", **recipe) -> Job:
        store.put(key, b"no picture", content_type="image/png")
        job = Job.of(route, Recipe(**recipe), store.head(key), run=run)
        record = failure_record(job, error, job.identity(MODEL), attempts=1)
        store.put(job.result_keys.failure, as_json(record), content_type="application/json")
        return job

    return fail


def invoke(*arguments: str):
    return CliRunner().invoke(command, arguments)


def queued(servers, settings) -> list[Job]:
    messages = servers.redis().lrange(queue_key(settings.broker.key_prefix, BULK), 0, -1)
    bodies = (json.loads(base64.b64decode(json.loads(message)["body"])) for message in messages)
    return [Job.from_message(body[1]) for body in bodies]


def test_failures_are_listed_by_place_by_run_and_by_code(fail, settings, bucket):
    odd = fail("in/a b+ü/cat.png", DamagedImageError("ends early"))
    lost = fail("in/large.png", WorkerLostError("3 workers died"), run="second")
    place = f"s3://{bucket}/out"
    everything = invoke("list", place)
    assert everything.exit_code == 0
    assert f"{odd.key}: damaged-image: ends early" in everything.output
    assert "2 failures" in everything.output
    chosen = json.loads(invoke("list", place, "--code", "worker-lost", "--json").output)
    assert [(f["key"], f["code"], f["attempts"]) for f in chosen["failures"]] == [(lost.key, "worker-lost", 1)]
    JobQueue(settings).counters.add("second", place, failed=1)
    of_run = json.loads(invoke("list", "second", "--json").output)
    assert [f["key"] for f in of_run["failures"]] == [lost.key]


def test_a_retried_job_is_the_one_that_failed_and_may_kill_workers_again(fail, settings, servers, bucket):
    jobs = [
        fail("in/a b+ü/cat.png", WorkerLostError("died"), name="fine", quality=90, save_map=True),
        fail("in/small.png", WorkerLostError("died"), target_bytes="15k", metadata="none"),
    ]
    other = fail("in/damaged.png", DamagedImageError("ends early"))
    client = servers.redis()
    keys = [begun_key(settings.broker.key_prefix, job.identity(MODEL)) for job in (*jobs, other)]
    for key in keys:
        client.sadd(key, "one", "two")
    assert invoke("retry", f"s3://{bucket}/out", "--code", "worker-lost").exit_code == 0
    assert sorted(queued(servers, settings), key=lambda job: job.key) == jobs
    assert [client.exists(key) for key in keys] == [0, 0, 1]
    assert len(list(find_failures(f"s3://{bucket}/out"))) == 3  # records go away when the jobs succeed


def test_a_source_whose_records_have_shortened_keys_is_listed_retried_and_known_to_the_reconcile(
    fail, settings, servers, bucket
):
    job = fail(f"in/{'ü' * 500}/{'x' * 14}.png", KeyTooLongError("is too long"))
    assert not job.result_keys.jpeg_fits
    place = f"s3://{bucket}/out"
    listed = json.loads(invoke("list", place, "--json").output)
    assert [(f["key"], f["code"]) for f in listed["failures"]] == [(job.key, "key-too-long")]
    assert invoke("retry", place).exit_code == 0
    assert queued(servers, settings) == [job]
    route, store = Route(source=f"s3://{bucket}/in", output=place), Stores(settings).open(bucket)
    reconciler = Reconciler(store, store, route, Recipe(), "test", Check(MODEL, deadline_s=60))
    assert [(v.key, v.state) for v in reconciler.verdicts()] == [(job.key, State.FAILED)]


def test_a_damaged_record_is_named_and_the_rest_goes_on(fail, settings, servers, bucket):
    job = fail("in/cat.png", DamagedImageError("ends early"))
    store = Stores(settings).open(bucket)
    store.put("out/.semjpeg/failed/none.json", b"{", content_type="application/json")
    moved = store.get(job.result_keys.failure, max_bytes=10**6)
    store.put("out/.semjpeg/failed/elsewhere.json", moved, content_type="application/json")
    result = invoke("retry", f"s3://{bucket}/out", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert [f["key"] for f in answer["queued"]] == [job.key]
    assert [entry["record"].rpartition("/")[2] for entry in answer["unreadable"]] == ["elsewhere.json", "none.json"]
    assert queued(servers, settings) == [job]


def test_a_record_that_names_another_bucket_than_its_own_place_is_refused(fail, bucket):
    fail("in/cat.png", DamagedImageError("ends early"))
    [failure] = find_failures(f"s3://{bucket}/out")
    assert job_of(failure).key == "in/cat.png"
    elsewhere = replace(failure.row, output=f"s3://{uuid4().hex}/other")
    with pytest.raises(DamagedRecordError, match="no job of its source"):
        job_of(Failure(elsewhere, failure.store, failure.record))


@pytest.mark.usefixtures("settings")
def test_what_is_no_place_is_refused():
    assert isinstance(invoke("list", "no-such-run").exception, ConfigurationError)
